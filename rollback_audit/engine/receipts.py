"""A run's receipt: selected = delivered + failed + skipped + unknown + remaining, by connector too."""

from collections import defaultdict
from datetime import datetime

from django.db.models import Count

from rollback_audit.engine import clock, ledger, runs
from rollback_audit.engine.actors import SYSTEM, Actor
from rollback_audit.models import RunLane, WorkerRun
from rollback_audit.models.runs import UNSETTLED
from rollback_audit.records.history import HistoryRow
from rollback_audit.states import MetadataKind, ResultState, RunState

FINISHED = frozenset({RunState.COMPLETED, RunState.ABORTED, RunState.ABANDONED})
_STOPPED = "Every connector's part was stopped by its rule; the receipt says why."


def close_if_settled(run: WorkerRun) -> bool:
    """Write the receipt once every result is settled; the caller's transaction holds the run's row."""
    if run.results.filter(UNSETTLED).exists():
        return False
    _close_lanes(run)
    stops = list(run.lanes.values_list("stop_reason", flat=True))
    if not run.aborted_by and stops and all(stops):
        run.aborted_by, run.abort_reason = SYSTEM.name, _STOPPED
    _close(run, RunState.ABORTED if run.aborted_by else RunState.COMPLETED)
    return True


def record_start(run: WorkerRun, *, actor: Actor) -> None:
    """The line of a run that has just been made: its receipt if it ran dry, else that it is queued."""
    line = _receipt(run, signer=actor.name, at=run.generated_at)
    if not run.dry_run:
        line = ledger.row(
            MetadataKind.RUN_QUEUED,
            session_id=runs.queued_session_id(run.run_id),
            signer=actor.name,
            at=run.generated_at,
            record=runs.receipt(run),
            decision_count=run.selected_retry_count,
            approval_required_count=run.approval_pending_count,
        )
    ledger.append([line])


def _close_lanes(run: WorkerRun) -> None:
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    grouped = run.results.order_by().values_list("connector_id", "state").annotate(Count("pk"))
    for connector_pk, state, count in grouped:
        counts[connector_pk][state] = count
    for lane in run.lanes.all():
        found = counts[lane.connector_id]
        RunLane.objects.filter(pk=lane.pk).update(
            delivered_count=found.get(ResultState.DELIVERED, 0),
            failed_count=found.get(ResultState.FAILED, 0),
            skipped_count=found.get(ResultState.SKIPPED, 0),
            unknown_count=found.get(ResultState.UNKNOWN, 0),
            remaining_count=0,
        )


def _close(run: WorkerRun, state: RunState) -> None:
    now = clock.now()
    counts = runs.tally(run)
    run.state = state.value
    run.completed_at = now
    run.started_at = run.started_at or now
    run.driven_until = None
    run.delivered_count = counts[ResultState.DELIVERED]
    run.failed_count = counts[ResultState.FAILED]
    run.skipped_count = counts[ResultState.SKIPPED]
    run.unknown_count = counts[ResultState.UNKNOWN]
    run.remaining_count = counts[ResultState.REMAINING]
    run.save(
        update_fields=[
            "state",
            "aborted_by",
            "abort_reason",
            "completed_at",
            "started_at",
            "driven_until",
            "delivered_count",
            "failed_count",
            "skipped_count",
            "unknown_count",
            "remaining_count",
        ]
    )
    ledger.append([_receipt(run, signer=run.aborted_by or run.actor, at=now)])


def _receipt(run: WorkerRun, *, signer: str, at: datetime) -> HistoryRow:
    return ledger.row(
        MetadataKind.WORKER_RUN,
        session_id=run.run_id,
        signer=signer,
        at=at,
        record=runs.receipt(run),
        decision_count=run.selected_retry_count,
        blocked_count=run.skipped_count,
        approval_required_count=run.approval_pending_count,
        cadence=run.cadence,
    )
