"""A run's receipt: selected = delivered + failed + skipped + unknown + remaining, by connector too."""

from collections.abc import Sequence
from datetime import datetime

from rollback_audit.engine import clock, ledger, runs
from rollback_audit.engine import parts as counted
from rollback_audit.engine.actors import SYSTEM, Actor
from rollback_audit.engine.parts import Part
from rollback_audit.models import RunLane, WorkerRun
from rollback_audit.models.runs import UNSETTLED
from rollback_audit.records.history import HistoryRow
from rollback_audit.states import MetadataKind, RunState

FINISHED = frozenset({RunState.COMPLETED, RunState.ABORTED, RunState.ABANDONED})
_STOPPED = "Every connector's part was stopped by its rule; the receipt says why."


def close_if_settled(run: WorkerRun) -> bool:
    """Write the receipt once every result is settled; the caller's transaction holds the run's row."""
    if run.results.filter(UNSETTLED).exists():
        return False
    parts = counted.count(run)
    lanes = _close_lanes(parts)
    if not run.aborted_by and lanes and all(lane.stop_reason for lane in lanes):
        run.aborted_by, run.abort_reason = SYSTEM.name, _STOPPED
    _close(run, RunState.ABORTED if run.aborted_by else RunState.COMPLETED, parts)
    return True


def record_start(run: WorkerRun, *, actor: Actor) -> None:
    """The line of a run that has just been made: its receipt if it ran dry, else that it is queued."""
    parts = counted.count(run)
    if run.dry_run:
        line = _receipt(run, parts, signer=actor.name, at=run.generated_at)
    else:
        line = ledger.row(
            MetadataKind.RUN_QUEUED,
            session_id=runs.queued_session_id(run.run_id),
            signer=actor.name,
            at=run.generated_at,
            record=runs.receipt(run, parts),
            decision_count=run.selected_retry_count,
            approval_required_count=run.approval_pending_count,
        )
    ledger.append([line])


def _close_lanes(parts: Sequence[Part]) -> list[RunLane]:
    """Write each part's counts into its lane; returns the lanes."""
    lanes = []
    for part in parts:
        if part.lane is None:
            continue
        for name, figure in counted.figures(part.states).items():
            setattr(part.lane, name, figure)
        lanes.append(part.lane)
    RunLane.objects.bulk_update(lanes, counted.FIGURES)
    return lanes


def _close(run: WorkerRun, state: RunState, parts: Sequence[Part]) -> None:
    now = clock.now()
    run.state = state.value
    run.completed_at = now
    run.started_at = run.started_at or now
    run.driven_until = None
    for name, figure in counted.figures(counted.total(parts)).items():
        setattr(run, name, figure)
    run.save(
        update_fields=[
            "state",
            "aborted_by",
            "abort_reason",
            "completed_at",
            "started_at",
            "driven_until",
            *counted.FIGURES,
        ]
    )
    ledger.append([_receipt(run, parts, signer=run.aborted_by or run.actor, at=now)])


def _receipt(run: WorkerRun, parts: Sequence[Part], *, signer: str, at: datetime) -> HistoryRow:
    return ledger.row(
        MetadataKind.WORKER_RUN,
        session_id=run.run_id,
        signer=signer,
        at=at,
        record=runs.receipt(run, parts),
        decision_count=run.selected_retry_count,
        blocked_count=run.skipped_count,
        approval_required_count=run.approval_pending_count,
        cadence=run.cadence,
    )
