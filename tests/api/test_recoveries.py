"""Recovery over HTTP: from a playbook to a closure with its proof, and each refusal on the way."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from rollback_audit.engine import deliveries
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.models import RecoveryClosure
from rollback_audit.states import Role
from tests.api.doors import A, B, World
from tests.engine.conftest import People

pytestmark = pytest.mark.django_db


def say(owner: APIClient, world: World, word: str, **changes: Any) -> Any:
    body = {"provider": "webhook", "closure_state": word, "external_ref": "INC-7"} | changes
    return owner.post(f"{A}/connector-recovery-playbooks/{world.playbook_id}/closures", body)


def report(owner: APIClient, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = owner.get(f"{A}/retry-recovery-report{query}").json()["report"]
    return found


def test_a_playbook_says_what_to_do_and_a_repeat_keeps_the_recovery(world: World, owner: APIClient) -> None:
    answer = owner.post(f"{A}/connector-recovery-playbook", {"min_failure_count": 1, "generated_by": "nightly"}).json()
    (entry,) = answer["playbook"]["provider_playbooks"]
    assert answer["playbook"]["schema_version"].endswith("-connector-recovery-playbook.v1")
    assert (entry["provider"], entry["category"], entry["status_codes"]) == ("webhook", "webhook", [503])
    assert entry["recovery_id"] == world.recovery_id
    assert [step["code"] for step in entry["recovery_steps"]][-1] == "close_recovery"
    assert answer["metadata"]["session_id"] == answer["playbook"]["playbook_id"] != world.playbook_id
    assert (
        owner.get(f"{A}/connector-recovery-playbooks/{answer['playbook']['playbook_id']}").json() == answer["playbook"]
    )
    assert owner.get(f"{A}/connector-recoveries").json()["total"] == 1


def test_by_default_one_failure_is_none(world: World, owner: APIClient) -> None:
    assert owner.post(f"{A}/connector-recovery-playbook", {}).json()["playbook"]["provider_playbooks"] == []


def test_resolving_wants_a_proof_and_then_closes_once(world: World, owner: APIClient, people: People) -> None:
    refused = say(owner, world, "resolved")
    assert (refused.status_code, refused.json()["code"]) == (409, "recovery_unproven")
    proof = deliveries.deliver_audit(actor=people("release_manager", Role.RELEASE_MANAGER), filters=AuditFilters())
    answer = say(
        owner, world, "resolved", verification_refs=[proof.delivery_plan.delivery_id], notes="Restarted."
    ).json()
    assert answer["closure"]["closure_id"].startswith("gordackclosure-")
    assert answer["closure"]["verification_refs"] == [proof.delivery_plan.delivery_id]
    assert (answer["recovery"]["state"], answer["recovery"]["slo_state"]) == ("closed", "closed")
    assert "Restarted" not in str(answer)
    again = say(owner, world, "resolved")
    assert (again.status_code, again.json()["code"]) == (409, "recovery_closed")
    assert owner.get(f"{A}/connector-recoveries/{world.recovery_id}").json() == answer["recovery"]
    history = owner.get(f"{B}?metadata_kind={answer['metadata']['metadata_kind']}").json()
    assert [row["session_id"] for row in history["items"]] == [answer["closure"]["closure_id"]]


def test_it_may_be_reopened_once_and_says_why(world: World, owner: APIClient) -> None:
    assert say(owner, world, "reopened").json()["code"] == "recovery_open"
    assert say(owner, world, "mitigated").status_code == 200
    assert say(owner, world, "reopened", external_ref="").json()["errors"].keys() == {"external_ref"}
    assert say(owner, world, "reopened").json()["recovery"]["state"] == "open"
    page = owner.get(f"{A}/connector-recovery-playbooks/{world.playbook_id}/closures").json()
    assert [item["closure_state"] for item in page["items"]] == ["reopened", "mitigated"]
    assert owner.get(f"{B}?acknowledgement_state=mitigated").json()["total"] == 1


def test_a_connector_that_the_playbook_does_not_list_is_not_found(world: World, owner: APIClient) -> None:
    answer = say(owner, world, "mitigated", provider="splunk")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert not RecoveryClosure.objects.exists()


def test_the_report_follows_the_closing_and_the_time_one_may_take(world: World, owner: APIClient) -> None:
    before = report(owner)
    assert (before["recovery_open_count"], before["recovery_slo_breached_count"]) == (1, 0)
    assert report(owner, "?recovery_slo_minutes=10")["recovery_slo_breached_count"] == 1
    say(owner, world, "mitigated")
    after = report(owner, "?recovery_slo_minutes=10&generated_by=weekly")
    assert (after["recovery_closed_count"], after["recovery_slo_breached_count"]) == (1, 1)
    assert after["closure_trends"][0]["mitigated_count"] == 1
    assert after["generated_by"] == "weekly"
