"""`cavra health`, as a script asks for it."""

import io
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from rollback_audit.engine import schedules
from rollback_audit.models import EvidenceEntry, WorkerSchedule
from tests import factories
from tests.engine.conftest import configure, receiver  # noqa: F401
from tests.receivers import RecordingReceiver

pytestmark = pytest.mark.django_db


def asked(*arguments: str) -> tuple[str, str | None]:
    """What is printed, and the refusal if there is one."""
    out = io.StringIO()
    try:
        call_command("health", *arguments, stdout=out, stderr=io.StringIO())
    except CommandError as refusal:
        return out.getvalue(), str(refusal)
    return out.getvalue(), None


def test_a_healthy_worker_is_said_in_a_word() -> None:
    schedules.install(interval_minutes=30)
    assert asked() == ("healthy\n", None)


def test_each_condition_is_a_line_and_the_exit_code_says_so() -> None:
    WorkerSchedule.objects.all().delete()
    # SQLite's clock counts milliseconds, ours microseconds: a drill due this instant may not be due yet.
    factories.schedule(next_due_at=factories.now() - timedelta(minutes=1))
    said, refusal = asked()
    assert [line.split()[:2] for line in said.splitlines()] == [
        ["critical", "missed_worker_run"],
        ["warning", "silent_drill"],
    ]
    assert refusal == "The worker is not healthy: critical."
    assert not EvidenceEntry.objects.exists()


def test_the_record_is_printed_when_asked_for() -> None:
    schedules.install(interval_minutes=30)
    said, refusal = asked("--json", "--expected-interval-minutes=5")
    record = json.loads(said)
    assert (record["alert_level"], record["expected_interval_minutes"], refusal) == ("healthy", 5, None)


@pytest.mark.parametrize("name", ["expected_interval_minutes", "stale_metadata_minutes"])
def test_minutes_out_of_bounds_are_refused_by_name(name: str) -> None:
    said, refusal = asked(f"--{name.replace('_', '-')}=0")
    assert said == ""
    assert str(refusal).startswith(f"{name}: ")


def test_telling_is_asked_for_and_done_once(
    receiver: RecordingReceiver,  # noqa: F811
    configure: Callable[..., None],  # noqa: F811
) -> None:
    configure(webhook=receiver.port)
    WorkerSchedule.objects.all().delete()
    asked()
    assert receiver.arrivals == []
    errors = [io.StringIO(), io.StringIO()]
    for said in errors:
        with pytest.raises(CommandError):
            call_command("health", "--deliver", stdout=io.StringIO(), stderr=said)
    assert errors[0].getvalue().startswith("Told gordackhealth-")
    assert errors[1].getvalue() == "Nothing new to tell.\n"
    assert len(receiver.arrivals) == 1


def test_telling_with_no_connector_says_what_to_do() -> None:
    assert "CAVRA_CONNECTOR_CONFIG" in str(asked("--deliver")[1])
