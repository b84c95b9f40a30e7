"""The retry worker's verbs: start a run, look at it, abort it.

A dry run is finished when it is answered: it plans, selects and records, opens no socket and changes nothing but
its own record. A live run is queued with its selection in one transaction; any worker takes it from there
(engine/drain.py).
"""

import time
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from rollback_audit.engine import bulk, claims, clock, connectors, doorbell, ledger, plans, runs
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.attempts import check_timeout
from rollback_audit.engine.labels import label
from rollback_audit.engine.runs import RunAnswer
from rollback_audit.errors import InvalidInput, StateForbids
from rollback_audit.ids import new_id
from rollback_audit.models import (
    ApprovalDecision,
    Delivery,
    RetryDecision,
    RetryPlan,
    WorkerResult,
    WorkerRun,
    WorkerSchedule,
)
from rollback_audit.planning.facts import DEFAULT_POLICY, RetryPolicy
from rollback_audit.planning.schedule import schedule_window
from rollback_audit.records.history import HistoryRow
from rollback_audit.redaction import check_text
from rollback_audit.states import (
    Action,
    ApprovalState,
    MetadataKind,
    Permission,
    ResultState,
    RunState,
    SkipReason,
)

_POLL_SECONDS = 0.1
FINISHED = frozenset({RunState.COMPLETED, RunState.ABORTED, RunState.ABANDONED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What a run is asked to do. Times in minutes and seconds as named; a named plan is run exactly as it stands."""

    dry_run: bool = True
    policy: RetryPolicy = DEFAULT_POLICY
    source: str = ""
    provider: str = ""
    retry_plan_id: str | None = None
    plan_digest: str | None = None
    max_retry_deliveries: int = 5
    timeout_seconds: float = 10.0
    reason: str = ""
    interval_minutes: int = 60
    cadence: str = ""
    enabled: bool = True
    generated_by: str = ""


def start_run(*, actor: Actor, request: RunRequest, schedule: WorkerSchedule | None = None) -> RunAnswer:
    """Run dry and answer with the finished run, or queue a live run.

    Live needs the permission, a reason, and an approval for each delivery; without approvals it selects nothing and
    says how many wait for one. Raises StateForbids (schedule_disabled, plan_digest_mismatch).
    """
    actor.require(Permission.RUN_DRY if request.dry_run else Permission.EXECUTE_RETRY)
    if not request.enabled:
        raise StateForbids("The schedule is disabled; enable it to run.", code="schedule_disabled")
    reason = check_text("reason", request.reason, max_length=500, required=not request.dry_run)
    if not request.dry_run:
        connectors.sync()
    with transaction.atomic():
        plan = _plan_for(actor=actor, request=request)
        run = _create(actor=actor, request=request, plan=plan, schedule=schedule, reason=reason)
        if request.dry_run:
            _select_dry(run)
        else:
            _select_live(run)
            doorbell.ring(run.run_id, result_count=run.selected_retry_count)
        _record(run, actor=actor)
    return runs.answer(runs.find(run.run_id), most=1000)


def read_run(*, actor: Actor, run_id: str, most: int = 1000) -> RunAnswer:
    """A run with its first `most` results."""
    actor.require(Permission.VIEW_EVIDENCE)
    return runs.answer(runs.find(run_id), most=most)


def wait_for_run(*, actor: Actor, run_id: str, timeout_seconds: float) -> RunAnswer:
    """The run once it has finished, or as it stands when the time is up."""
    actor.require(Permission.VIEW_EVIDENCE)
    deadline = time.monotonic() + timeout_seconds
    while runs.find(run_id).state not in FINISHED and time.monotonic() < deadline:
        time.sleep(min(_POLL_SECONDS, max(0.0, deadline - time.monotonic())))
    return runs.answer(runs.find(run_id), most=1000)


def abort_run(*, actor: Actor, run_id: str, reason: str) -> RunAnswer:
    """Stop a live run: what has not been sent is skipped as run_aborted, what is on the wire settles before it closes.

    Raises StateForbids for a run that has finished.
    """
    actor.require(Permission.EXECUTE_RETRY)
    reason = check_text("reason", reason, max_length=500, required=True)
    with transaction.atomic():
        run = (
            WorkerRun.objects.select_for_update(of=("self",)).select_related("retry_plan").get(pk=runs.find(run_id).pk)
        )
        if run.state in FINISHED:
            raise StateForbids("The run has finished; there is nothing left to abort.", code="run_finished")
        run.aborted_by, run.abort_reason = actor.name, reason
        run.save(update_fields=["aborted_by", "abort_reason"])
        claims.skip_remaining(run, run.retry_plan, SkipReason.RUN_ABORTED)
        close_if_settled(run)
    return runs.answer(runs.find(run_id), most=1000)


def close_if_settled(run: WorkerRun) -> bool:
    """Write the receipt once every result is settled; the caller's transaction holds the run's row."""
    if run.results.filter(state__in=[ResultState.REMAINING, ResultState.SENDING]).exists():
        return False
    _close(run, RunState.ABORTED if run.aborted_by else RunState.COMPLETED)
    return True


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


def _plan_for(*, actor: Actor, request: RunRequest) -> RetryPlan:
    if request.retry_plan_id is None:
        if request.plan_digest is not None:
            raise InvalidInput({"retry_plan_id": ["Name the plan that this digest belongs to."]})
        plan, _ = plans.build_plan(
            actor=actor,
            policy=request.policy,
            source=request.source,
            provider=request.provider,
            generated_by=request.generated_by,
        )
        return plan
    plan = plans.find_plan(request.retry_plan_id)
    if request.plan_digest is None:
        raise InvalidInput({"plan_digest": ["A named plan is run only with its digest."]})
    if request.plan_digest != plan.plan_digest:
        raise StateForbids("The digest is not that of this plan.", code="plan_digest_mismatch")
    return plan


def _create(
    *, actor: Actor, request: RunRequest, plan: RetryPlan, schedule: WorkerSchedule | None, reason: str
) -> WorkerRun:
    now = clock.now()
    window = schedule_window(now, interval_minutes=request.interval_minutes)
    return WorkerRun.objects.create(
        run_id=new_id("gordackworker"),
        state=RunState.QUEUED,
        dry_run=request.dry_run,
        reason=reason,
        retry_plan=plan,
        worker_schedule=schedule,
        interval_minutes=request.interval_minutes,
        cadence=check_text("cadence", request.cadence, max_length=64) or f"every_{request.interval_minutes}_minutes",
        window_start=window.start,
        window_end=window.end,
        max_retry_deliveries=request.max_retry_deliveries,
        timeout_seconds=check_timeout(request.timeout_seconds),
        generated_by=label("generated_by", request.generated_by, actor=actor),
        actor=actor.name,
        generated_at=now,
    )


_RESULTS = WorkerResult._meta.db_table
_DECISIONS = RetryDecision._meta.db_table
_DELIVERIES = Delivery._meta.db_table
_APPROVALS = ApprovalDecision._meta.db_table
_OLDEST_DUE_FIRST = "ORDER BY c.next_retry_at, d.delivery_id, d.provider"


def _select_dry(run: WorkerRun) -> None:
    """Select what a live run would send, oldest due first, and finish."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO "{_RESULTS}" (run_id, ordinal, decision_id, delivery_id, approval_id, state, skipped)
            SELECT %s, row_number() OVER ({_OLDEST_DUE_FIRST}), c.id, c.delivery_id, NULL,
                   '{ResultState.SKIPPED}', '{SkipReason.DRY_RUN}'
            FROM "{_DECISIONS}" c JOIN "{_DELIVERIES}" d ON d.id = c.delivery_id
            WHERE c.plan_id = %s AND c.action = '{Action.RETRY}' {_OLDEST_DUE_FIRST} LIMIT %s
            """,  # noqa: S608 - table names and enumerations
            [run.pk, run.retry_plan_id, run.max_retry_deliveries],
        )
        selected = cursor.rowcount
    run.started_at = run.completed_at = run.generated_at
    run.state = RunState.COMPLETED
    run.selected_retry_count = run.skipped_count = selected
    run.over_limit_count = run.retry_plan.retryable_count - selected
    run.save(
        update_fields=[
            "started_at",
            "completed_at",
            "state",
            "selected_retry_count",
            "skipped_count",
            "over_limit_count",
        ]
    )


def _select_live(run: WorkerRun) -> None:
    """Select what is due and approved, oldest due first, up to the run's limit."""
    approved = f"""
        FROM "{_DECISIONS}" c
        JOIN "{_DELIVERIES}" d ON d.id = c.delivery_id
        JOIN "{_APPROVALS}" a ON a.delivery_id = c.delivery_id AND a.decision_digest = c.decision_digest
            AND a.approval_state = '{ApprovalState.APPROVED}' AND a.consumed_at IS NULL AND a.revoked_at IS NULL
        WHERE c.plan_id = %s AND c.action = '{Action.RETRY}' AND a.expires_at > %s
    """
    parameters = [run.retry_plan_id, bulk.moment(run.generated_at)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {approved}", parameters)
        approved_count = cursor.fetchone()[0]
        cursor.execute(
            f"""
            INSERT INTO "{_RESULTS}" (run_id, ordinal, decision_id, delivery_id, approval_id, state, skipped)
            SELECT %s, row_number() OVER ({_OLDEST_DUE_FIRST}), c.id, c.delivery_id, a.id,
                   '{ResultState.REMAINING}', NULL
            {approved} {_OLDEST_DUE_FIRST} LIMIT %s
            """,
            [run.pk, *parameters, run.max_retry_deliveries],
        )
        selected = cursor.rowcount
    run.selected_retry_count = run.remaining_count = selected
    run.over_limit_count = approved_count - selected
    run.approval_pending_count = run.retry_plan.retryable_count - approved_count
    run.save(update_fields=["selected_retry_count", "remaining_count", "over_limit_count", "approval_pending_count"])


def _record(run: WorkerRun, *, actor: Actor) -> None:
    line = _receipt(run, signer=actor.name, at=run.generated_at)
    if not run.dry_run:
        line = ledger.row(
            MetadataKind.RUN_QUEUED,
            session_id=runs.queued_session_id(run.run_id),
            signer=actor.name,
            at=run.generated_at,
            record=runs.summary(run),
            decision_count=run.selected_retry_count,
            approval_required_count=run.approval_pending_count,
        )
    ledger.append([line])


def _receipt(run: WorkerRun, *, signer: str, at: datetime) -> HistoryRow:
    return ledger.row(
        MetadataKind.WORKER_RUN,
        session_id=run.run_id,
        signer=signer,
        at=at,
        record=runs.summary(run),
        decision_count=run.selected_retry_count,
        blocked_count=run.skipped_count,
        approval_required_count=run.approval_pending_count,
        cadence=run.cadence,
    )
