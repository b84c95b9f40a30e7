"""Worker runs as records: what a run selected, what came of it, and its receipt."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db.models import Exists, OuterRef, QuerySet

from rollback_audit.engine import ledger, plans, present, queries, standings
from rollback_audit.engine import parts as counted
from rollback_audit.engine.lines import attempt_entry_id, execution_id
from rollback_audit.engine.parts import Part
from rollback_audit.errors import UnknownRecord
from rollback_audit.models import ApprovalDecision, RetryDecision, WorkerResult, WorkerRun
from rollback_audit.records.approvals import ExecutionRecord
from rollback_audit.records.history import HistoryRow
from rollback_audit.records.runs import (
    RUN_CONTROLS,
    DriftRecord,
    FollowUpActionRecord,
    RetryResultRecord,
    RunSummaryRecord,
    WindowRecord,
    WorkerRunRecord,
)
from rollback_audit.states import (
    Action,
    FollowUpApproval,
    MetadataKind,
    RunState,
    SkipReason,
)

_UNFINISHED = frozenset({RunState.QUEUED, RunState.RUNNING})
_DRY_REASON = "A live run would retry this delivery, once it is approved."
_LIVE_REASON = "Approved as planned; this run sends it once."
_PENDING_REASON = "Due for retry, but nobody has approved it."


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAnswer:
    """A run with its history row, its plan's, and its first results."""

    run: WorkerRunRecord
    metadata: HistoryRow | None
    retry_metadata: HistoryRow | None
    retry_results: list[RetryResultRecord]


def queued_session_id(run_id: str) -> str:
    """The session id of the line that a live run leaves when it is queued; its receipt carries the run's own id."""
    return f"{run_id}-queued"


def find(run_id: str) -> WorkerRun:
    """The row of a run's id. Raises UnknownRecord."""
    run = WorkerRun.objects.select_related("retry_plan", "worker_schedule").filter(run_id=run_id).first()
    if run is None:
        raise UnknownRecord("No worker run with this id.")
    return run


def answer(run: WorkerRun, *, most: int) -> RunAnswer:
    """The run with its first `most` results."""
    rows = queries.results().filter(run=run).order_by("ordinal")[:most]
    lines = ledger.find([run.run_id, queued_session_id(run.run_id), run.retry_plan.retry_plan_id])
    return RunAnswer(
        run=detailed(run, most=most),
        metadata=lines.get(run.run_id) or lines.get(queued_session_id(run.run_id)),
        retry_metadata=lines.get(run.retry_plan.retry_plan_id),
        retry_results=result_records(list(rows)),
    )


def detailed(run: WorkerRun, *, most: int) -> WorkerRunRecord:
    """A run with its plan's first decisions, what it selected and what it leaves to do."""
    selected = [
        row.decision
        for row in run.results.select_related("decision__plan", "decision__delivery").order_by("ordinal")[:most]
    ]
    pending = _pending(run, most=most)
    return _record(run, counted.count(run), selected=selected, pending=pending, plan_decisions=most)


def summary(run: WorkerRun) -> WorkerRunRecord:
    """A run without its decisions and its connectors: what lists show."""
    parts = counted.count(run) if run.state in _UNFINISHED else []
    return replace(_record(run, parts), receipt=[])


def receipt(run: WorkerRun, parts: Sequence[Part]) -> WorkerRunRecord:
    """A run without its decisions: what the ledger keeps."""
    return _record(run, parts)


def result_records(rows: Sequence[WorkerResult]) -> list[RetryResultRecord]:
    """Results with their attempts and lines; the rows need the relations of `queries.results()`."""
    ids = [item for row in rows for item in _session_ids(row)]
    lines = ledger.find(ids)
    return [_result(row, lines) for row in rows]


def _session_ids(row: WorkerResult) -> tuple[str, str, str]:
    number = row.decision.attempt_number
    return (
        row.delivery.delivery_id,
        attempt_entry_id(MetadataKind.CONNECTOR_DELIVERY, row.delivery.event_id, number),
        execution_id(row.run.run_id, row.ordinal),
    )


def _result(row: WorkerResult, lines: dict[str, HistoryRow]) -> RetryResultRecord:
    plan_id, delivery_id, execution = _session_ids(row)
    attempt = getattr(row, "attempt", None)
    execution_line = lines.get(execution)
    return RetryResultRecord(
        decision=present.decision(row.decision),
        delivery_plan=present.delivery_plan(row.delivery.plan),
        plan_metadata=lines.get(plan_id),
        delivery=present.attempt(attempt) if attempt else None,
        delivery_metadata=lines.get(delivery_id) if attempt else None,
        execution_record=ExecutionRecord.from_line(execution_line.record) if execution_line else None,
        execution_metadata=execution_line,
        skipped=SkipReason(row.skipped) if row.skipped else None,
        drift=[DriftRecord(**found) for found in row.drift or []],
    )


def unselected(run: WorkerRun) -> QuerySet[RetryDecision]:
    """Due decisions of the run's plan that it did not select, oldest due first."""
    selected = WorkerResult.objects.filter(run=run, decision=OuterRef("pk"))
    return (
        queries.decisions()
        .filter(~Exists(selected), plan=run.retry_plan, action=Action.RETRY.value)
        .order_by("next_retry_at", "delivery__delivery_id", "delivery__provider")
    )


def _pending(run: WorkerRun, *, most: int) -> list[RetryDecision]:
    """Due decisions of a live run's plan that held no approval to spend when it began."""
    if run.dry_run or not run.approval_pending_count:
        return []
    approved = ApprovalDecision.objects.filter(
        standings.once_usable_approvals(run.generated_at),
        delivery=OuterRef("delivery"),
        decision_digest=OuterRef("decision_digest"),
    )
    return list(unselected(run).filter(~Exists(approved))[:most])


def _record(
    run: WorkerRun,
    parts: Sequence[Part],
    *,
    selected: Sequence[RetryDecision] = (),
    pending: Sequence[RetryDecision] = (),
    plan_decisions: int = 0,
) -> WorkerRunRecord:
    chosen = FollowUpApproval.DRY_RUN_NOT_REQUIRED if run.dry_run else FollowUpApproval.APPROVED
    reason = _DRY_REASON if run.dry_run else _LIVE_REASON
    follow_ups = [_follow_up(item, "retry_delivery", chosen, reason) for item in selected]
    follow_ups += [
        _follow_up(item, "request_approval", FollowUpApproval.APPROVAL_REQUIRED, _PENDING_REASON) for item in pending
    ]
    return WorkerRunRecord(
        run_id=run.run_id,
        state=RunState(run.state),
        generated_at=run.generated_at,
        generated_by=run.generated_by,
        dry_run=run.dry_run,
        reason=run.reason,
        aborted_by=run.aborted_by or None,
        abort_reason=run.abort_reason or None,
        paused_by=run.paused_by or None,
        pause_reason=run.pause_reason or None,
        paused_at=run.paused_at,
        started_at=run.started_at,
        completed_at=run.completed_at,
        schedule=WindowRecord(
            interval_minutes=run.interval_minutes,
            window_start=run.window_start,
            window_end=run.window_end,
            enabled=True,
            cadence=run.cadence,
        ),
        summary=_summary(run, parts),
        receipt=[counted.record(part, waves=run.waves.split(",")) for part in parts],
        retry_plan=plans.with_decisions(run.retry_plan, most=plan_decisions),
        selected_retries=[present.decision(item) for item in selected],
        follow_up_actions=follow_ups,
        controls=list(RUN_CONTROLS),
    )


def _summary(run: WorkerRun, parts: Sequence[Part]) -> RunSummaryRecord:
    plan = run.retry_plan
    return RunSummaryRecord(
        retry_plan_count=1,
        retryable_count=plan.retryable_count,
        waiting_retry_count=plan.waiting_count,
        suppressed_retry_count=plan.suppressed_count,
        selected_retry_count=run.selected_retry_count,
        approval_pending_count=run.approval_pending_count,
        over_limit_count=run.over_limit_count,
        follow_up_action_count=run.selected_retry_count + run.approval_pending_count,
        **_figures(run, parts),
    )


def _figures(run: WorkerRun, parts: Sequence[Part]) -> dict[str, int]:
    """An unfinished run's counts are those of its results; a finished one's are in its row."""
    figures = counted.figures(counted.total(parts))
    return figures if run.state in _UNFINISHED else {name: getattr(run, name) for name in figures}


def _follow_up(
    decision: RetryDecision, action: str, approval_state: FollowUpApproval, reason: str
) -> FollowUpActionRecord:
    return FollowUpActionRecord(
        action=action,
        provider=decision.delivery.provider,
        audit_id=decision.delivery.audit_id,
        delivery_id=decision.delivery.delivery_id,
        reason=reason,
        approval_state=approval_state,
    )
