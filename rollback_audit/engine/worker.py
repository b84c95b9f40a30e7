"""The retry worker's verbs: start a run, look at it, pause, resume and abort it.

A dry run is finished when it is answered: it plans, selects and records, opens no socket and changes nothing but
its own record. A live run is queued with its selection in one transaction; any worker takes it from there
(engine/drain.py).
"""

import time
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from rollback_audit.engine import (
    approvers,
    circuits,
    claims,
    clock,
    connectors,
    doorbell,
    ledger,
    plans,
    receipts,
    runs,
    selection,
)
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.attempts import check_timeout
from rollback_audit.engine.labels import label
from rollback_audit.engine.receipts import FINISHED
from rollback_audit.engine.runs import RunAnswer
from rollback_audit.errors import InvalidInput, StateForbids
from rollback_audit.ids import new_id
from rollback_audit.models import RetryPlan, WorkerRun, WorkerSchedule
from rollback_audit.planning.facts import DEFAULT_POLICY, RetryPolicy
from rollback_audit.planning.schedule import schedule_window
from rollback_audit.redaction import check_text
from rollback_audit.states import MetadataKind, Permission, RunState, SkipReason

_POLL_SECONDS = 0.1


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
    says how many wait for one. Raises StateForbids (schedule_disabled, plan_digest_mismatch), NotAllowed (four_eyes).
    """
    actor.require(Permission.RUN_DRY if request.dry_run else Permission.EXECUTE_RETRY)
    if not request.enabled:
        raise StateForbids("The schedule is disabled; enable it to run.", code="schedule_disabled")
    reason = check_text("reason", request.reason, max_length=500, required=not request.dry_run)
    if not request.dry_run:
        connectors.sync()
        circuits.let_probe()
    with transaction.atomic():
        plan = _plan_for(actor=actor, request=request)
        if not request.dry_run:
            approvers.refuse_own_run(plan, actor=actor)
        run = _create(actor=actor, request=request, plan=plan, schedule=schedule, reason=reason)
        if request.dry_run:
            selection.select_dry(run)
        else:
            selection.select_live(run)
            doorbell.ring(run.run_id, result_count=run.selected_retry_count)
        receipts.record_start(run, actor=actor)
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
        run = _unfinished(run_id)
        run.aborted_by, run.abort_reason = actor.name, reason
        run.save(update_fields=["aborted_by", "abort_reason"])
        claims.skip_remaining(run, run.retry_plan, SkipReason.RUN_ABORTED)
        receipts.close_if_settled(run)
    return runs.answer(runs.find(run_id), most=1000)


def pause_run(*, actor: Actor, run_id: str, reason: str) -> RunAnswer:
    """Let a live run send nothing more until it is resumed; what is on the wire settles.

    Raises StateForbids for a run that has finished (run_finished) or is paused already (run_paused).
    """
    actor.require(Permission.EXECUTE_RETRY)
    reason = check_text("reason", reason, max_length=500, required=True)
    with transaction.atomic():
        run = _unfinished(run_id)
        if run.paused_at is not None:
            raise StateForbids("The run is paused already; resume or abort it.", code="run_paused")
        run.paused_by, run.pause_reason, run.paused_at = actor.name, reason, clock.now()
        run.save(update_fields=["paused_by", "pause_reason", "paused_at"])
        _record_change(run, "paused", actor=actor, reason=reason)
    return runs.answer(runs.find(run_id), most=1000)


def resume_run(*, actor: Actor, run_id: str, reason: str) -> RunAnswer:
    """Let a paused run go on where it stands. Raises StateForbids (run_finished, run_not_paused)."""
    actor.require(Permission.EXECUTE_RETRY)
    reason = check_text("reason", reason, max_length=500, required=True)
    with transaction.atomic():
        run = _unfinished(run_id)
        if run.paused_at is None:
            raise StateForbids("The run is not paused.", code="run_not_paused")
        run.paused_by, run.pause_reason, run.paused_at = "", "", None
        run.save(update_fields=["paused_by", "pause_reason", "paused_at"])
        _record_change(run, "resumed", actor=actor, reason=reason)
        doorbell.ring(run.run_id, result_count=run.selected_retry_count)
    return runs.answer(runs.find(run_id), most=1000)


def _unfinished(run_id: str) -> WorkerRun:
    """A live run's row, locked; the caller's transaction holds it."""
    pk = runs.find(run_id).pk
    run = WorkerRun.objects.select_for_update(of=("self",)).select_related("retry_plan").get(pk=pk)
    if run.state in FINISHED:
        raise StateForbids("The run has finished; there is nothing left to stop.", code="run_finished")
    return run


def _record_change(run: WorkerRun, change: str, *, actor: Actor, reason: str) -> None:
    line = ledger.row(
        MetadataKind.RUN_CHANGED,
        session_id=ledger.new_entry_id(),
        signer=actor.name,
        at=clock.now(),
        record={"change": change, "reason": reason, "run_id": run.run_id},
    )
    ledger.append([line])


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
        waves="" if request.dry_run else settings.CAVRA_CANARY_WAVES,
        generated_at=now,
    )
