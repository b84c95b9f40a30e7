"""Recurring dry runs. A window of a schedule is run once, however many workers look at the clock."""

from django.db import IntegrityError

from rollback_audit.engine import clock
from rollback_audit.engine.actors import SYSTEM
from rollback_audit.engine.runs import RunAnswer
from rollback_audit.engine.worker import RunRequest, start_run
from rollback_audit.models import WorkerRun, WorkerSchedule
from rollback_audit.planning.schedule import schedule_window

DRY_RUN = "retry-worker-dry-run"


def install(*, interval_minutes: int) -> WorkerSchedule:
    """Install the recurring dry run by name. An existing one keeps whether it is enabled."""
    schedule, _ = WorkerSchedule.objects.update_or_create(
        name=DRY_RUN, defaults={"interval_minutes": interval_minutes, "updated_at": clock.now()}
    )
    return schedule


def run_due() -> list[RunAnswer]:
    """Dry-run every enabled schedule whose present window has no run yet."""
    answers = [_run_window(schedule) for schedule in WorkerSchedule.objects.filter(enabled=True)]
    return [answer for answer in answers if answer is not None]


def _run_window(schedule: WorkerSchedule) -> RunAnswer | None:
    window = schedule_window(clock.now(), interval_minutes=schedule.interval_minutes)
    if WorkerRun.objects.filter(worker_schedule=schedule, window_start=window.start).exists():
        return None
    request = RunRequest(interval_minutes=schedule.interval_minutes, generated_by=schedule.name)
    try:
        return start_run(actor=SYSTEM, request=request, schedule=schedule)
    except IntegrityError:
        # Another worker saw the same window at the same moment; the constraint let one of us through.
        return None
