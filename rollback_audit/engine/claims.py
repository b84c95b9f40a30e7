"""Claim, lease, fence: how a batch of a run's results becomes this worker's to send.

The caller's transaction locks the results, their deliveries and approvals, judges each, spends the approvals, raises
the fences and writes the attempts. Nothing is sent before it has been committed. Rows that another worker holds are
passed over.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from django.db import connection

from rollback_audit.engine import attempts, bulk, clock, ledger
from rollback_audit.engine.attempts import Claim, RunFacts
from rollback_audit.engine.lanes import Turn, Usable
from rollback_audit.engine.lines import ExecutionFacts, execution_line
from rollback_audit.models import (
    ApprovalDecision,
    ApprovalPlan,
    Connector,
    Delivery,
    DeliveryPlan,
    EvidenceEntry,
    RetryDecision,
    RetryPlan,
    RunLane,
    WorkerResult,
    WorkerRun,
)
from rollback_audit.planning.approval import ApprovalFacts, complete, counts, why_not
from rollback_audit.planning.drift import Difference, differences, digest_of
from rollback_audit.planning.facts import SendFacts
from rollback_audit.states import (
    ConnectorStanding,
    DeliveryState,
    RepeatCheck,
    ResultState,
    RunMode,
    SkipReason,
)

# Word for word the condition of the index: SQLite sees no further.
_UNSETTLED = f"('{ResultState.REMAINING}', '{ResultState.SENDING}')"


class Claimed(NamedTuple):
    """What a lane's turn came to: the claims to send, and how many results were settled without sending."""

    claims: list[Claim]
    skipped_count: int


class _Candidate(NamedTuple):
    """A remaining result with all that is judged before it may be sent, in the order of the query's columns."""

    result_pk: int
    ordinal: int
    approval_pk: int
    approval_decision_id: str
    approved_decision_digest: str
    approved_request_digest: str
    expires_at: Any
    consumed_at: Any
    revoked_at: Any
    approver_id: int
    second_approver_id: int | None
    needs_second: bool
    approval_plan_id: str
    decision_digest: str
    approved_attempt_number: int
    delivery_pk: int
    delivery_id: str
    audit_id: str
    provider: str
    source: str
    event_id: str
    event_digest: str
    state: str
    attempt_count: int
    failure_count: int
    in_doubt: bool
    failed_status_codes: str
    fence: int
    created_at: Any
    event: str
    event_type: str
    connector_pk: int
    receipt: int | None


def _candidates(run: WorkerRun, *, lane: RunLane | None, limit: int, lock: str) -> list[_Candidate]:
    """Remaining results of the run, or those that one lane's waves have reached, in the lanes' order.

    Served by the index worker_result_unsettled; everything else is found by primary key.
    """
    within, parameters = ("", []) if lane is None else _reached(lane)
    a_expires, a_consumed, a_revoked, d_created = (
        bulk.moment_column(name) for name in ("a.expires_at", "a.consumed_at", "a.revoked_at", "d.created_at")
    )
    sql = f"""
        SELECT r.id, r.ordinal,
               a.id, a.approval_decision_id, a.decision_digest, a.request_digest,
               {a_expires}, {a_consumed}, {a_revoked},
               a.approver_id, a.second_approver_id, a.needs_second,
               ap.approval_plan_id, c.decision_digest, c.attempt_number,
               d.id, d.delivery_id, d.audit_id, d.provider, d.source, d.event_id, d.event_digest, d.state,
               d.attempt_count, d.failure_count, d.in_doubt, d.failed_status_codes, d.fence, {d_created},
               p.event, p.event_type, d.connector_id, d.receipt
        FROM "{WorkerResult._meta.db_table}" r
        JOIN "{RetryDecision._meta.db_table}" c ON c.id = r.decision_id
        JOIN "{Delivery._meta.db_table}" d ON d.id = r.delivery_id
        JOIN "{DeliveryPlan._meta.db_table}" p ON p.id = d.plan_id
        JOIN "{ApprovalDecision._meta.db_table}" a ON a.id = r.approval_id
        JOIN "{ApprovalPlan._meta.db_table}" ap ON ap.id = a.approval_plan_id
        WHERE r.run_id = %s AND r.state = '{ResultState.REMAINING}' AND r.state IN {_UNSETTLED} {within}
        ORDER BY r.connector_id, r.lane_ordinal
        LIMIT %s {lock}
    """  # noqa: S608 - names and enumerations
    with connection.cursor() as cursor:
        cursor.execute(sql, [run.pk, *parameters, limit])
        return [_Candidate._make(row) for row in cursor.fetchall()]


def claim(
    run: WorkerRun, plan: RetryPlan, turns: Sequence[Turn], usable: Mapping[int, Usable], *, approvers: frozenset[int]
) -> list[Claimed]:
    """Claim the lanes' turns, inside the caller's transaction: what each came to, in their order.

    `run` and `plan` need only what never changes. `approvers` are the users who may approve now: an approval of anybody
    else no longer counts.
    """
    now = clock.now()
    claimed: list[Claimed] = []
    skipped: list[_Skip] = []
    for turn in turns:
        connector = usable[turn.lane.connector_pk]
        claims, left = [], len(skipped)
        for item in _candidates(run, lane=turn.lane.row, limit=turn.most, lock=bulk.lock_rows("r", "d", "a")):
            skip = _why_skip(item, connector, run=run, plan=plan, approvers=approvers, now=now)
            if skip is None:
                claims.append(_claim(item, connector.row, run=run, plan=plan, now=now))
            else:
                skipped.append(skip)
        claimed.append(Claimed(claims, len(skipped) - left))
    every = [item for found in claimed for item in found.claims]
    if every:
        _begin(run, every, now=now)
        attempts.record_sending(every)
    if skipped:
        _skip(run, plan, skipped, now=now)
    return claimed


def skip_remaining(run: WorkerRun, plan: RetryPlan, reason: SkipReason, *, lane: RunLane | None = None) -> None:
    """Skip what the run, or one lane of it, has not sent, inside the caller's transaction."""
    whole = lane and RunLane(connector_id=lane.connector_id, open_until=lane.selected_count)
    lock = "FOR UPDATE OF r" if bulk.on_postgresql() else ""
    remaining = _candidates(run, lane=whole, limit=run.selected_retry_count, lock=lock)
    _skip(run, plan, [_Skip(item, reason) for item in remaining], now=clock.now())


def _reached(lane: RunLane) -> tuple[str, list[int]]:
    return "AND r.connector_id = %s AND r.lane_ordinal <= %s", [lane.connector_id, lane.open_until]


class _Skip(NamedTuple):
    """A result that is not sent after all, why, and what had moved where that is why."""

    item: _Candidate
    reason: SkipReason
    drift: tuple[Difference, ...] = ()


def _why_skip(
    item: _Candidate, usable: Usable, *, run: WorkerRun, plan: RetryPlan, approvers: frozenset[int], now: datetime
) -> _Skip | None:
    """Why a selected result is not sent after all; None where it may go. The approval is judged first."""
    approval = ApprovalFacts(
        decision_digest=item.approved_decision_digest,
        request_digest=item.approved_request_digest,
        expires_at=_aware(item.expires_at),
        consumed_at=bulk.read_moment(item.consumed_at),
        revoked_at=bulk.read_moment(item.revoked_at),
        approver_counts=counts(
            approver_id=item.approver_id, second_approver_id=item.second_approver_id, standing=approvers
        ),
        seconded=complete(needs_second=bool(item.needs_second), second_approver_id=item.second_approver_id),
    )
    if item.state == DeliveryState.SENDING:
        return _Skip(item, SkipReason.IN_FLIGHT)
    would_send = _send_facts(item, usable.row, run=run, plan=plan)
    digest = digest_of(would_send)
    reason = why_not(approval, decision_digest=item.decision_digest, request_digest_now=digest, now=now)
    if reason is None and item.state != DeliveryState.FAILED:
        reason = SkipReason.DRIFTED
    if reason is SkipReason.DRIFTED:
        return _Skip(item, reason, differences(_approved_facts(item, would_send, plan=plan), would_send))
    if reason is not None:
        return _Skip(item, reason)
    if usable.row.standing != ConnectorStanding.READY:
        return _Skip(item, SkipReason.CONNECTOR_ON_HOLD)
    # Another process wrote the connector's row from a configuration that this one does not see.
    return None if usable.settings else _Skip(item, SkipReason.DRIFTED)


def _send_facts(item: _Candidate, connector: Connector, *, run: WorkerRun, plan: RetryPlan) -> SendFacts:
    return SendFacts(
        event_digest=item.event_digest,
        connector=connector.name,
        connector_revision=connector.revision,
        attempt_number=item.attempt_count + 1,
        policy_digest=plan.policy_digest,
        mode=RunMode.DRY_RUN if run.dry_run else RunMode.LIVE,
        delivery_state=DeliveryState(item.state),
    )


def _approved_facts(item: _Candidate, now: SendFacts, *, plan: RetryPlan) -> SendFacts:
    """What the plan bound, from the plan's own row and decision."""
    return now._replace(
        connector_revision=plan.connector_revisions.get(item.provider, now.connector_revision),
        attempt_number=item.approved_attempt_number,
        mode=RunMode.LIVE,
        delivery_state=DeliveryState.FAILED,
    )


def _claim(item: _Candidate, connector: Connector, *, run: WorkerRun, plan: RetryPlan, now: datetime) -> Claim:
    return Claim(
        delivery_pk=item.delivery_pk,
        connector_pk=item.connector_pk,
        delivery_id=item.delivery_id,
        audit_id=item.audit_id,
        provider=item.provider,
        source=item.source,
        event_id=item.event_id,
        event_digest=item.event_digest,
        event=item.event,
        event_type=item.event_type,
        created_at=_aware(item.created_at),
        drops_repeats=connector.drops_repeats,
        repeat_check=RepeatCheck(connector.repeat_check),
        in_doubt=bool(item.in_doubt),
        receipt=item.receipt,
        attempt_number=item.attempt_count + 1,
        failure_count=item.failure_count,
        failed_status_codes=item.failed_status_codes,
        fence=item.fence + 1,
        started_at=now,
        actor=run.actor,
        run=RunFacts(
            run_id=run.run_id,
            result_pk=item.result_pk,
            ordinal=item.ordinal,
            retry_plan_id=plan.retry_plan_id,
            approval_pk=item.approval_pk,
            approval_decision_id=item.approval_decision_id,
            approval_plan_id=item.approval_plan_id,
            # Judged equal to that of what is sent.
            request_digest=item.approved_request_digest,
        ),
    )


def _begin(run: WorkerRun, claims: Sequence[Claim], *, now: datetime) -> None:
    """Raise fences, take leases, spend approvals."""
    moment = bulk.moment(now)
    until = bulk.moment(now + timedelta(seconds=attempts.lease_seconds(run.timeout_seconds)))
    runs_facts = [item.run for item in claims if item.run]
    with connection.cursor() as cursor:
        bulk.update_alike(
            cursor,
            Delivery,
            "state = %s, fence = fence + 1, attempt_count = attempt_count + 1, last_attempt_at = %s, lease_until = %s",
            [DeliveryState.SENDING.value, moment, until],
            [item.delivery_pk for item in claims],
        )
        bulk.update_alike(
            cursor, ApprovalDecision, "consumed_at = %s", [moment], [item.approval_pk for item in runs_facts]
        )
        bulk.update_alike(
            cursor,
            WorkerResult,
            "state = %s",
            [ResultState.SENDING.value],
            [item.result_pk for item in runs_facts],
        )


def _skip(run: WorkerRun, plan: RetryPlan, skipped: Sequence[_Skip], *, now: datetime) -> None:
    with connection.cursor() as cursor:
        bulk.update(
            cursor,
            WorkerResult,
            ("state", "skipped"),
            [(item.result_pk, ResultState.SKIPPED.value, reason.value) for item, reason, _ in skipped],
        )
        bulk.update(
            cursor,
            WorkerResult,
            ("drift",),
            [(item.result_pk, json.dumps([found._asdict() for found in drift])) for item, _, drift in skipped if drift],
        )
        bulk.insert(
            cursor,
            EvidenceEntry,
            ledger.COLUMNS,
            [execution_line(_skipped_facts(run, plan, item, reason, now=now), at=now) for item, reason, _ in skipped],
        )


def _skipped_facts(
    run: WorkerRun, plan: RetryPlan, item: _Candidate, reason: SkipReason, *, now: datetime
) -> ExecutionFacts:
    return ExecutionFacts(
        run_id=run.run_id,
        ordinal=item.ordinal,
        retry_plan_id=plan.retry_plan_id,
        approval_decision_id=item.approval_decision_id,
        approval_plan_id=item.approval_plan_id,
        delivery_id=item.delivery_id,
        audit_id=item.audit_id,
        provider=item.provider,
        source=item.source,
        status=ResultState.SKIPPED,
        skipped=reason,
        executed_at=now,
        executed_by=run.actor,
        delivery_metadata_id=None,
    )


def _aware(value: Any) -> datetime:
    return cast("datetime", bulk.read_moment(value))
