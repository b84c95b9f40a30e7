"""Worker runs as records: what a run selected, what came of it, and its receipt."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef

from rollback_audit.engine import ledger, plans, present
from rollback_audit.engine.lines import attempt_entry_id, execution_id
from rollback_audit.errors import UnknownRecord
from rollback_audit.models import ApprovalDecision, RetryDecision, RunLane, WorkerResult, WorkerRun
from rollback_audit.planning.waves import wave_ends
from rollback_audit.records.approvals import ExecutionRecord
from rollback_audit.records.history import HistoryRow
from rollback_audit.records.runs import (
    RUN_CONTROLS,
    ConnectorReceiptRecord,
    DriftRecord,
    FollowUpActionRecord,
    RetryResultRecord,
    RunSummaryRecord,
    WindowRecord,
    WorkerRunRecord,
)
from rollback_audit.states import (
    Action,
    ApprovalState,
    FollowUpApproval,
    MetadataKind,
    ResultState,
    RunState,
    SkipReason,
    StopReason,
)

_RESULT_RELATIONS = (
    "decision__plan",
    "decision__delivery",
    "delivery__plan__package",
    "attempt__delivery",
    "attempt__approval",
    "attempt__result__run",
    "run",
)
_DRY_REASON = "A live run would retry this delivery, once it is approved."
_LIVE_REASON = "Approved as planned; this run sends it once."
_PENDING_REASON = "Due for retry, but nobody has approved it."


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAnswer:
    """A run with its history row, its plan's, and its first results."""

    run: WorkerRunRecord
    metadata: HistoryRow
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
    rows = run.results.select_related(*_RESULT_RELATIONS).order_by("ordinal")[:most]
    lines = ledger.find([run.run_id, queued_session_id(run.run_id), run.retry_plan.retry_plan_id])
    return RunAnswer(
        run=detailed(run, most=most),
        metadata=lines.get(run.run_id) or lines[queued_session_id(run.run_id)],
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
    return _record(run, selected=selected, pending=pending, plan_decisions=most, receipt=_receipt(run))


def summary(run: WorkerRun) -> WorkerRunRecord:
    """A run without its decisions and its connectors: what lists show."""
    return _record(run, selected=[], pending=[], plan_decisions=0, receipt=[])


def receipt(run: WorkerRun) -> WorkerRunRecord:
    """A run without its decisions: what the ledger keeps."""
    return _record(run, selected=[], pending=[], plan_decisions=0, receipt=_receipt(run))


def tally(run: WorkerRun) -> dict[ResultState, int]:
    """How many results stand where, counted from the results; what is on the wire counts as remaining."""
    counts = dict(run.results.order_by().values_list("state").annotate(Count("pk")))
    tallied = {state: counts.get(state.value, 0) for state in ResultState}
    tallied[ResultState.REMAINING] += tallied.pop(ResultState.SENDING)
    return tallied


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


def _receipt(run: WorkerRun) -> list[ConnectorReceiptRecord]:
    """The run's results counted by connector; what is on the wire counts as remaining."""
    states: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    grouped = run.results.order_by().values_list("connector__name", "state", "skipped").annotate(Count("pk"))
    for provider, state, skipped, count in grouped:
        states[provider][ResultState.REMAINING if state == ResultState.SENDING else state] += count
        if skipped:
            reasons[provider][skipped] += count
    lanes = {lane.connector.name: lane for lane in run.lanes.select_related("connector")}
    return [
        _part(provider, states[provider], reasons[provider], lanes.get(provider), run) for provider in sorted(states)
    ]


def _part(
    provider: str, counts: Counter[str], reasons: Counter[str], lane: RunLane | None, run: WorkerRun
) -> ConnectorReceiptRecord:
    selected = counts.total()
    return ConnectorReceiptRecord(
        provider=provider,
        selected_count=selected,
        delivered_count=counts[ResultState.DELIVERED],
        failed_count=counts[ResultState.FAILED],
        skipped_count=counts[ResultState.SKIPPED],
        unknown_count=counts[ResultState.UNKNOWN],
        remaining_count=counts[ResultState.REMAINING],
        skip_reasons=dict(sorted(reasons.items())),
        wave=lane.wave if lane else None,
        wave_count=len(wave_ends(selected, run.waves.split(","))) if lane else None,
        stop_reason=StopReason(lane.stop_reason) if lane and lane.stop_reason else None,
        stopped_at=lane.stopped_at if lane else None,
    )


def _pending(run: WorkerRun, *, most: int) -> list[RetryDecision]:
    """Due decisions of a live run's plan that nobody had approved when it began."""
    if run.dry_run or not run.approval_pending_count:
        return []
    approved = ApprovalDecision.objects.filter(
        delivery=OuterRef("delivery"),
        decision_digest=OuterRef("decision_digest"),
        approval_state=ApprovalState.APPROVED,
        decided_at__lte=run.generated_at,
    )
    return list(
        RetryDecision.objects.filter(~Exists(approved), plan=run.retry_plan, action=Action.RETRY)
        .select_related("delivery")
        .order_by("next_retry_at", "delivery__delivery_id", "delivery__provider")[:most]
    )


def _record(
    run: WorkerRun,
    *,
    selected: Sequence[RetryDecision],
    pending: Sequence[RetryDecision],
    plan_decisions: int,
    receipt: list[ConnectorReceiptRecord],
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
        summary=_summary(run),
        receipt=receipt,
        retry_plan=plans.with_decisions(run.retry_plan, most=plan_decisions),
        selected_retries=[present.decision(item) for item in selected],
        follow_up_actions=follow_ups,
        controls=list(RUN_CONTROLS),
    )


def _summary(run: WorkerRun) -> RunSummaryRecord:
    plan = run.retry_plan
    unfinished = run.state in {RunState.QUEUED, RunState.RUNNING}
    counts = tally(run) if unfinished else {}
    return RunSummaryRecord(
        retry_plan_count=1,
        retryable_count=plan.retryable_count,
        waiting_retry_count=plan.waiting_count,
        suppressed_retry_count=plan.suppressed_count,
        selected_retry_count=run.selected_retry_count,
        approval_pending_count=run.approval_pending_count,
        over_limit_count=run.over_limit_count,
        follow_up_action_count=run.selected_retry_count + run.approval_pending_count,
        delivered_count=counts.get(ResultState.DELIVERED, run.delivered_count),
        failed_count=counts.get(ResultState.FAILED, run.failed_count),
        skipped_count=counts.get(ResultState.SKIPPED, run.skipped_count),
        unknown_count=counts.get(ResultState.UNKNOWN, run.unknown_count),
        remaining_count=counts.get(ResultState.REMAINING, run.remaining_count),
    )


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
