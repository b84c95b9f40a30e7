"""Live runs under way over HTTP: paused, resumed, stopped, and the receipt that each connector gets."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from rollback_audit import tasks
from rollback_audit.models import EvidenceEntry
from rollback_audit.states import MetadataKind
from tests.api.doors import A, World

pytestmark = pytest.mark.django_db


def change(client: APIClient, run_id: str, verb: str, reason: str = "CHG-1042.") -> tuple[int, dict[str, Any]]:
    answer = client.post(f"{A}/worker-runs/{run_id}/{verb}", {"reason": reason})
    return answer.status_code, answer.json()


def test_a_paused_run_sends_nothing_until_it_is_resumed(live_run: str, world: World, owner: APIClient) -> None:
    before = len(world.receiver.arrivals)
    status, answer = change(owner, live_run, "pause", "The receiver's owner asked us to wait.")
    assert (status, answer["run"]["state"], answer["run"]["paused_by"]) == (200, "queued", "platform_owner")
    assert answer["run"]["pause_reason"] == "The receiver's owner asked us to wait."
    assert answer["run"]["paused_at"].endswith("+00:00")
    tasks.drain(live_run)
    tasks.sweep()
    assert len(world.receiver.arrivals) == before

    assert change(owner, live_run, "pause")[1]["code"] == "run_paused"
    status, answer = change(owner, live_run, "resume")
    assert (status, answer["run"]["paused_by"], answer["run"]["paused_at"]) == (200, None, None)
    status, answer = change(owner, live_run, "resume")
    assert (status, answer["code"]) == (409, "run_not_paused")

    tasks.drain(live_run)
    run = owner.get(f"{A}/worker-runs/{live_run}").json()["run"]
    assert (run["state"], run["summary"]["delivered_count"]) == ("completed", 1)
    for verb in ("pause", "resume", "abort"):
        status, answer = change(owner, live_run, verb)
        assert (status, answer["code"]) == (409, "run_finished")
    lines = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.RUN_CHANGED)
    assert lines.count() == 2


@pytest.mark.parametrize("verb", ["pause", "resume", "abort"])
@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": None}, {"reason": "x" * 501}])
def test_each_change_wants_a_reason(live_run: str, owner: APIClient, verb: str, body: dict[str, Any]) -> None:
    answer = owner.post(f"{A}/worker-runs/{live_run}/{verb}", body)
    assert (answer.status_code, answer.json()["errors"].keys()) == (400, {"reason"})


def test_a_paused_run_can_be_stopped(live_run: str, owner: APIClient) -> None:
    change(owner, live_run, "pause")
    status, answer = change(owner, live_run, "abort")
    assert (status, answer["run"]["state"]) == (200, "aborted")
    assert [item["skipped"] for item in answer["retry_results"]] == ["run_aborted"]


def test_every_connector_has_its_part_of_the_receipt(live_run: str, owner: APIClient) -> None:
    tasks.drain(live_run)
    (part,) = owner.get(f"{A}/worker-runs/{live_run}").json()["run"]["receipt"]
    assert part == {
        "provider": "webhook",
        "selected_count": 1,
        "delivered_count": 1,
        "failed_count": 0,
        "skipped_count": 0,
        "unknown_count": 0,
        "remaining_count": 0,
        "skip_reasons": {},
        "wave": 1,
        "wave_count": 1,
        "stop_reason": None,
        "stopped_at": None,
    }
    (listed, _) = owner.get(f"{A}/worker-runs").json()["items"]
    assert (listed["run_id"], listed["receipt"]) == (live_run, [])
