"""The recurring dry run: installed by name, one run a window, sending nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from rollback_audit.engine import clock, schedules
from rollback_audit.engine.sweep import sweep
from rollback_audit.models import RetryPlan, WorkerRun, WorkerSchedule
from rollback_audit.states import MetadataKind, RunState
from tests.engine.loop import entries
from tests.engine.threads import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_half_past(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """A clock that stands, well inside a window, until it is moved."""
    moment = datetime(2026, 3, 29, 12, 31, tzinfo=UTC)

    def move(by: timedelta) -> None:
        nonlocal moment
        moment += by

    monkeypatch.setattr(clock, "now", lambda: moment)
    return move


def test_installing_twice_leaves_one_schedule_as_the_operator_set_it() -> None:
    schedules.install(interval_minutes=30)
    WorkerSchedule.objects.update(enabled=False)
    schedules.install(interval_minutes=45)
    schedule = WorkerSchedule.objects.get()
    assert (schedule.name, schedule.interval_minutes, schedule.enabled) == (schedules.DRY_RUN, 45, False)


def test_a_window_is_run_once_and_the_next_one_again(at_half_past: Callable[[timedelta], None]) -> None:
    schedules.install(interval_minutes=30)
    (first,) = schedules.run_due()
    assert schedules.run_due() == []
    at_half_past(timedelta(minutes=28))
    assert schedules.run_due() == []
    at_half_past(timedelta(minutes=1))
    (second,) = schedules.run_due()
    assert first.run.schedule.window_end == second.run.schedule.window_start
    assert WorkerRun.objects.count() == 2


def test_a_scheduled_run_is_dry_and_names_its_schedule(at_half_past: Callable[[timedelta], None]) -> None:
    schedules.install(interval_minutes=30)
    (answer,) = schedules.run_due()
    assert answer.run.dry_run
    assert answer.run.state is RunState.COMPLETED
    assert (answer.run.generated_by, answer.metadata.signer) == (schedules.DRY_RUN, "system")
    assert answer.run.schedule.cadence == "every_30_minutes"


def test_a_schedule_that_is_disabled_is_not_run() -> None:
    schedules.install(interval_minutes=30)
    WorkerSchedule.objects.update(enabled=False)
    sweep()
    assert not WorkerRun.objects.exists()


def test_a_missed_window_is_not_made_up_for(at_half_past: Callable[[timedelta], None]) -> None:
    schedules.install(interval_minutes=1)
    schedules.run_due()
    at_half_past(timedelta(hours=5))
    assert len(schedules.run_due()) == 1
    assert WorkerRun.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_twenty_workers_that_see_one_window_at_once_make_one_run(at_half_past: Callable[[timedelta], None]) -> None:
    schedules.install(interval_minutes=30)
    answers = at_once(schedules.run_due, times=20)
    assert sum(len(answer) for answer in answers) == 1
    assert WorkerRun.objects.count() == RetryPlan.objects.count() == 1
    assert entries(MetadataKind.WORKER_RUN) == entries(MetadataKind.RETRY_PLAN) == 1
