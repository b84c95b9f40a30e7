"""Escalations and executive reports over HTTP, with a connector that fails and one that works."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from rollback_audit.engine import clock
from rollback_audit.models import Connector, Delivery, EvidenceEntry
from tests import factories
from tests.api.doors import A
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db
ESCALATIONS = f"{A}/recovery-escalations"
REPORT = f"{A}/recovery-executive-report"


@pytest.fixture
def working() -> Iterator[RecordingReceiver]:
    with RecordingReceiver() as running:
        yield running


@pytest.fixture(autouse=True)
def _outage(receiver: RecordingReceiver, working: RecordingReceiver, configure: Callable[..., None]) -> None:
    configure(down=receiver.port, up=working.port)
    factories.open_recovery(Connector.objects.get(name="down"), first_failure_at=clock.now() - timedelta(hours=5))


def escalate(owner: APIClient, **body: object) -> str:
    answer = owner.post(f"{A}/recovery-escalation-plan", body)
    assert answer.status_code == 200, answer.content
    plan_id: str = answer.json()["plan"]["plan_id"]
    return plan_id


def test_an_escalation_is_planned_sent_answered_and_read(owner: APIClient, working: RecordingReceiver) -> None:
    plan_id = escalate(owner, generated_by="night shift")
    sent = owner.post(f"{ESCALATIONS}/{plan_id}/deliver", {"timeout_seconds": 2}).json()
    assert sent["success"]
    assert sent["delivery"]["providers"] == ["up"]
    assert sent["delivery_plan"]["audit_id"] == sent["plan"]["plan_id"] == plan_id
    assert sent["metadata"]["connector_delivery_source"].endswith("_recovery_escalation")
    said = owner.post(f"{ESCALATIONS}/{plan_id}/acknowledgements", {"provider": "down", "external_ref": "INC-7"}).json()
    assert (said["acknowledgement"]["acknowledgement_state"], said["acknowledgement"]["provider"]) == (
        "accepted",
        "down",
    )
    read = owner.get(f"{ESCALATIONS}/{plan_id}").json()
    assert read["plan"] == sent["plan"]
    assert [item["state"] for item in read["deliveries"]] == ["delivered"]
    assert len(read["acknowledgements"]) == 1
    assert len(working.arrivals) == 1


def test_a_repeated_key_sends_once(owner: APIClient, working: RecordingReceiver) -> None:
    address = f"{ESCALATIONS}/{escalate(owner)}/deliver"
    first, second = (owner.post(address, {}, HTTP_IDEMPOTENCY_KEY="once") for _ in range(2))
    assert first.json() == second.json()
    assert second["Idempotency-Replayed"] == "true"
    assert len(working.arrivals) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"delivery_provider": "down"}, 409, "connector_failing"),
        ({"provider": "up,down"}, 409, "connector_failing"),
        ({"delivery_provider": "nobody"}, 400, "invalid"),
        ({"delivery_provider": ""}, 400, "invalid"),
        ({"timeout_seconds": 0}, 400, "invalid"),
        ({"max_routes": 0}, 400, "invalid"),
        ({"execute": True}, 400, "invalid"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_code(
    owner: APIClient, working: RecordingReceiver, body: dict[str, object], status: int, code: str
) -> None:
    answer = owner.post(f"{ESCALATIONS}/{escalate(owner)}/deliver", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert working.arrivals == []


def test_a_failed_one_answers_200_and_is_not_sent_twice(owner: APIClient, working: RecordingReceiver) -> None:
    working.reply = Reply(503)
    address = f"{ESCALATIONS}/{escalate(owner)}/deliver"
    first, second = owner.post(address, {}), owner.post(address, {})
    assert (first.status_code, first.json()["success"]) == (200, False)
    assert (second.status_code, second.json()["code"]) == (409, "already_sent")
    plan = owner.post(f"{A}/retry-plan", {}).json()["plan"]
    assert [item["source"] for item in plan["retry_decisions"]] == [Delivery.objects.get().source]


def test_nothing_to_escalate_is_said(owner: APIClient) -> None:
    answer = owner.post(f"{ESCALATIONS}/{escalate(owner, recovery_slo_minutes=43_200)}/deliver", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_escalate")


@pytest.mark.parametrize(
    "body",
    [
        {"recovery_slo_minutes": 0},
        {"recovery_slo_minutes": "240"},
        {"at_risk_percent": 101},
        {"minimum_level": "mild"},
        {"approved_by": "me"},
    ],
)
def test_a_strange_policy_is_refused(owner: APIClient, body: dict[str, object]) -> None:
    answer = owner.post(f"{A}/recovery-escalation-plan", body)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == list(body)


def test_looking_at_the_report_writes_nothing(owner: APIClient) -> None:
    before = EvidenceEntry.objects.count()
    answer = owner.get(f"{REPORT}?recovery_slo_minutes=600&lookback_hours=24&generated_by=board").json()
    assert (answer["report"]["report_id"], answer["metadata"]) == (None, None)
    assert (answer["report"]["lookback_hours"], answer["report"]["generated_by"]) == (24, "board")
    assert answer["report"]["executive_summary"]["recovery_slo_breached_count"] == 0
    assert EvidenceEntry.objects.count() == before


@pytest.mark.parametrize("query", ["lookback_hours=0", "lookback_hours=x", "recovery_slo_minutes=43201", "since=now"])
def test_a_strange_query_is_refused(owner: APIClient, query: str) -> None:
    assert owner.get(f"{REPORT}?{query}").status_code == 400


def test_a_window_is_stored_once_sent_and_read(owner: APIClient, working: RecordingReceiver) -> None:
    body = {"schedule": {"interval_minutes": 10_080, "cadence": "weekly"}}
    first, second = (owner.post(f"{REPORT}/schedule-run", body).json() for _ in range(2))
    assert (first["created"], second["created"]) == (True, False)
    assert first["run"] == second["run"]
    run_id = first["run"]["run_id"]
    assert (first["run"]["schedule"]["cadence"], first["run"]["summary"]["executive_report_count"]) == ("weekly", 1)
    sent = owner.post(f"{REPORT}/schedule-runs/{run_id}/deliver", {}).json()
    assert (sent["success"], sent["delivery"]["providers"]) == (True, ["up"])
    read = owner.get(f"{REPORT}/schedule-runs/{run_id}").json()
    assert read["run"] == first["run"]
    assert len(read["deliveries"]) == len(working.arrivals) == 1
    again = owner.post(f"{REPORT}/schedule-runs/{run_id}/deliver", {})
    assert (again.status_code, again.json()["code"]) == (409, "already_sent")


def test_another_scope_in_a_window_that_is_taken_is_refused(owner: APIClient) -> None:
    schedule = {"interval_minutes": 10_080}
    owner.post(f"{REPORT}/schedule-run", {"schedule": schedule})
    answer = owner.post(f"{REPORT}/schedule-run", {"schedule": schedule, "lookback_hours": 24})
    assert (answer.status_code, answer.json()["code"]) == (409, "report_window_taken")


def test_a_disabled_schedule_is_refused(owner: APIClient) -> None:
    answer = owner.post(f"{REPORT}/schedule-run", {"schedule": {"enabled": False}})
    assert (answer.status_code, answer.json()["code"]) == (409, "schedule_disabled")
