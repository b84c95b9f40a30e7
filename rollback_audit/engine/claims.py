"""Claim, lease, fence: how a batch of a run's results becomes this worker's to send.

One transaction locks the results, their deliveries and approvals, judges each, spends the approvals, raises the fences
and writes the attempts. Nothing is sent before it has been committed. Rows that another worker holds are passed over.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from django.db import connection, transaction

from rollback_audit.engine import attempts, bulk, clock, connectors, ledger
from rollback_audit.engine.attempts import Claim, RunFacts
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
    WorkerResult,
    WorkerRun,
)
from rollback_audit.planning.approval import ApprovalFacts, why_not
from rollback_audit.planning.digest import request_digest
from rollback_audit.states import (
    ConnectorStanding,
    DeliveryState,
    ResultState,
    SkipReason,
)


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
    approval_plan_id: str
    decision_digest: str
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


def _candidates(run: WorkerRun, *, limit: int, lock: str) -> list[_Candidate]:
    """Remaining results, served by the index worker_result_remaining; everything else is found by primary key."""
    a_expires, a_consumed, a_revoked, d_created = (
        bulk.moment_column(name) for name in ("a.expires_at", "a.consumed_at", "a.revoked_at", "d.created_at")
    )
    sql = f"""
        SELECT r.id, r.ordinal,
               a.id, a.approval_decision_id, a.decision_digest, a.request_digest,
               {a_expires}, {a_consumed}, {a_revoked},
               ap.approval_plan_id, c.decision_digest,
               d.id, d.delivery_id, d.audit_id, d.provider, d.source, d.event_id, d.event_digest, d.state,
               d.attempt_count, d.failure_count, d.in_doubt, d.failed_status_codes, d.fence, {d_created},
               p.event, p.event_type, d.connector_id
        FROM "{WorkerResult._meta.db_table}" r
        JOIN "{RetryDecision._meta.db_table}" c ON c.id = r.decision_id
        JOIN "{Delivery._meta.db_table}" d ON d.id = r.delivery_id
        JOIN "{DeliveryPlan._meta.db_table}" p ON p.id = d.plan_id
        JOIN "{ApprovalDecision._meta.db_table}" a ON a.id = r.approval_id
        JOIN "{ApprovalPlan._meta.db_table}" ap ON ap.id = a.approval_plan_id
        WHERE r.run_id = %s AND r.state = '{ResultState.REMAINING}'
        ORDER BY r.ordinal
        LIMIT %s {lock}
    """  # noqa: S608 - names and enumerations
    with connection.cursor() as cursor:
        cursor.execute(sql, [run.pk, limit])
        return [_Candidate._make(row) for row in cursor.fetchall()]


def claim(run: WorkerRun, plan: RetryPlan, *, limit: int) -> tuple[list[Claim], int]:
    """Claim up to `limit` of the run's remaining results.

    Returns the claims to send and how many results were settled without sending. `run` and `plan` need only what never
    changes.
    """
    with transaction.atomic():
        candidates = _candidates(run, limit=limit, lock=bulk.lock_rows("r", "d", "a"))
        if not candidates:
            return [], 0
        now = clock.now()
        usable = {row.pk: (row, connectors.settings_of(row) is not None) for row in Connector.objects.all()}
        claims: list[Claim] = []
        skipped: list[tuple[_Candidate, SkipReason]] = []
        for candidate in candidates:
            connector, is_configured_here = usable[candidate.connector_pk]
            reason = _why_skip(candidate, connector, is_configured_here=is_configured_here, plan=plan, now=now)
            if reason is None:
                claims.append(_claim(candidate, connector, run=run, plan=plan, now=now))
            else:
                skipped.append((candidate, reason))
        _begin(run, claims, now=now)
        attempts.record_sending(claims)
        _skip(run, plan, skipped, now=now)
    return claims, len(skipped)


def skip_remaining(run: WorkerRun, plan: RetryPlan, reason: SkipReason) -> None:
    """Skip everything the run has not sent, inside the caller's transaction."""
    lock = "FOR UPDATE OF r" if bulk.on_postgresql() else ""
    remaining = _candidates(run, limit=run.selected_retry_count, lock=lock)
    _skip(run, plan, [(item, reason) for item in remaining], now=clock.now())


def _why_skip(
    item: _Candidate, connector: Connector, *, is_configured_here: bool, plan: RetryPlan, now: datetime
) -> SkipReason | None:
    """Why a selected result is not sent after all; None where it may go. The approval is judged first."""
    approval = ApprovalFacts(
        decision_digest=item.approved_decision_digest,
        request_digest=item.approved_request_digest,
        expires_at=_aware(item.expires_at),
        consumed_at=bulk.read_moment(item.consumed_at),
        revoked_at=bulk.read_moment(item.revoked_at),
    )
    would_send = request_digest(
        event_digest=item.event_digest,
        connector=connector.name,
        connector_revision=connector.revision,
        attempt_number=item.attempt_count + 1,
        policy_digest=plan.policy_digest,
    )
    if item.state == DeliveryState.SENDING:
        return SkipReason.IN_FLIGHT
    reason = why_not(approval, decision_digest=item.decision_digest, request_digest_now=would_send, now=now)
    if reason is not None:
        return reason
    if item.state != DeliveryState.FAILED:
        return SkipReason.DRIFTED
    if connector.standing != ConnectorStanding.READY:
        return SkipReason.CONNECTOR_ON_HOLD
    # Another process wrote the connector's row from a configuration that this one does not see.
    return None if is_configured_here else SkipReason.DRIFTED


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
        in_doubt=bool(item.in_doubt),
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


def _skip(run: WorkerRun, plan: RetryPlan, skipped: Sequence[tuple[_Candidate, SkipReason]], *, now: datetime) -> None:
    with connection.cursor() as cursor:
        bulk.update(
            cursor,
            WorkerResult,
            ("state", "skipped"),
            [(item.result_pk, ResultState.SKIPPED.value, reason.value) for item, reason in skipped],
        )
        bulk.insert(
            cursor,
            EvidenceEntry,
            ledger.COLUMNS,
            [
                execution_line(
                    ExecutionFacts(
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
                    ),
                    at=now,
                )
                for item, reason in skipped
            ],
        )


def _aware(value: Any) -> datetime:
    return cast("datetime", bulk.read_moment(value))
