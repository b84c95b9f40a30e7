"""Worker health over HTTP: queries, aliases of CAVRA's clients, filters, and a word on what was told."""

import pytest
from rest_framework.test import APIClient

from rollback_audit.models import EvidenceEntry, HealthAlert
from tests.api.doors import A, World

pytestmark = pytest.mark.django_db

HEALTH, ALERTS = f"{A}/worker-health", f"{A}/worker-health-alerts"


def test_health_says_what_is_wrong_and_writes_nothing(owner: APIClient, world: World) -> None:
    lines = EvidenceEntry.objects.count()
    answer = owner.get(HEALTH, {"expected_interval_minutes": 60, "stale_metadata_minutes": 1})
    record = answer.json()
    assert (record["expected_interval_minutes"], record["stale_metadata_minutes"]) == (60, 1)
    assert [alert["code"] for alert in record["alerts"]] == ["retryable_deliveries"]
    assert set(record["alerts"][0]) >= {"key", "subject", "severity", "message", "recommendation"}
    assert EvidenceEntry.objects.count() == lines


@pytest.mark.parametrize("name", ["expected_interval_minutes", "stale_metadata_minutes"])
@pytest.mark.parametrize("value", ["", "0", "-1", "10081", "1.5", "x", "٣", "9" * 40])
def test_minutes_that_are_none_are_refused_by_name(owner: APIClient, world: World, name: str, value: str) -> None:
    answer = owner.get(HEALTH, {name: value})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [name]


def test_what_a_client_of_cavra_sends_is_understood(owner: APIClient, world: World) -> None:
    body = {"generated_by": "bot", "provider": "webhook", "force": True, "retries": 0, "timeout_seconds": 5}
    told = owner.post(f"{ALERTS}/deliver", body | {"expected_interval_minutes": 30}).json()
    assert (told["suppressed"], told["success"], told["plan"]["selected_providers"]) == (False, True, ["webhook"])
    plan = told["plan"]
    assert [alert["code"] for alert in plan["alerts"]] == ["retryable_deliveries"]
    assert [alert["alert_id"] for alert in plan["recovered"]] == [world.alert_id]
    word = {"provider": "webhook", "acknowledged_by": "bot", "plan_id": plan["plan_id"]}
    answer = owner.post(f"{ALERTS}/{plan['health_id']}/acknowledgements", word).json()
    assert {record["alert_id"] for record in answer["acknowledgements"]} == {
        world.alert_id,
        plan["alerts"][0]["alert_id"],
    }
    assert answer["acknowledgement"]["acknowledged_by"] == "bot"
    other = owner.post(f"{ALERTS}/{world.alert_id}/acknowledgements", {"plan_id": "gordackhealth-0"})
    assert other.status_code == 404


def test_a_second_telling_is_suppressed_and_says_so(owner: APIClient, world: World) -> None:
    owner.post(f"{ALERTS}/deliver", {})
    quiet = owner.post(f"{ALERTS}/deliver", {}).json()
    assert (quiet["suppressed"], quiet["suppressed_count"], quiet["success"]) == (True, 1, True)
    assert (quiet["plan"], quiet["delivery"], quiet["delivery_metadata"]) == (None, None, [])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"state": "open"}, 1),
        ({"state": "recovered"}, 0),
        ({"code": "missed_worker_run", "severity": "critical", "subject": "retry-worker"}, 1),
        ({"severity": "warning"}, 0),
        ({"acknowledgement_state": "dismissed"}, 0),
        ({"since": "2000-01-01T00:00:00Z", "until": "2000-01-02T00:00:00Z"}, 0),
    ],
)
def test_alerts_are_filtered(owner: APIClient, world: World, query: dict[str, str], found: int) -> None:
    page = owner.get(ALERTS, query).json()
    assert (page["total"], len(page["items"])) == (found, found)


def test_a_word_shows_on_the_alert_and_in_the_numbers_and_its_notes_do_not(owner: APIClient, world: World) -> None:
    body = {"acknowledgement_state": "escalated", "notes": "Call them.", "external_ref": "INC-7"}
    answer = owner.post(f"{ALERTS}/{world.alert_id}/acknowledgements", body)
    assert b"Call them." not in answer.content
    assert owner.get(ALERTS).json()["items"][0]["acknowledgement_state"] == "escalated"
    numbers = owner.get(f"{A}/worker-health-alert-dashboard").json()
    assert (numbers["open_count"], numbers["outstanding_count"], numbers["acknowledgement_count"]) == (1, 0, 1)
    assert HealthAlert.objects.get().acknowledgements.get().notes == "Call them."
