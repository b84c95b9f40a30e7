"""The sweeper: finds the work that no bell rang for. Each part is safe to run anywhere, any number of times."""

from collections.abc import Callable

from django.db.models import Q

from rollback_audit.engine import circuits, clock, connectors, drain, executive_reports, leases, schedules
from rollback_audit.models import WorkerRun
from rollback_audit.states import RunState


def sweep(*, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Settle what dead workers left, start what a schedule is due, and drive runs that nobody drives."""
    connectors.sync()
    circuits.let_probe()
    while leases.reclaim_expired() and not should_stop():
        pass
    schedules.run_due()
    executive_reports.store_due()
    for run_id in undriven():
        if should_stop():
            return
        drain.drain(run_id, should_stop=should_stop)


def undriven() -> list[str]:
    """Live runs that want work and that no worker is at, oldest first."""
    unfinished = WorkerRun.objects.filter(state__in=[RunState.QUEUED, RunState.RUNNING], paused_at__isnull=True)
    idle = unfinished.filter(Q(driven_until__isnull=True) | Q(driven_until__lt=clock.now()))
    return list(idle.order_by("pk").values_list("run_id", flat=True))
