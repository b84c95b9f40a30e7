"""Leases: kept while their holder is at work, and taken over once it has gone."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction

from rollback_audit.engine import attempts, bulk, clock, ledger, settlement
from rollback_audit.engine.attempts import Claim, RunFacts
from rollback_audit.models import (
    Delivery,
    DeliveryAttempt,
    EvidenceEntry,
)
from rollback_audit.states import (
    AttemptState,
    DeliveryState,
    MetadataKind,
    RepeatCheck,
)


def renew(claims: Sequence[Claim], *, seconds: float) -> None:
    """Extend the leases of claims that are still on the wire and still this worker's."""
    if not claims:
        return
    with transaction.atomic():
        until = bulk.moment(clock.now() + timedelta(seconds=seconds))
        with connection.cursor() as cursor:
            bulk.update(
                cursor,
                Delivery,
                ("lease_until",),
                [(item.delivery_pk, item.fence, DeliveryState.SENDING.value, until) for item in claims],
                keys=("id", "fence", "state"),
            )


def reclaim_expired(*, limit: int = 500) -> int:
    """Settle attempts whose holder let its lease run out: outcome unknown, and a notice that they may arrive twice.

    Raising the fence comes first, so that the old holder can no longer settle. Returns how many there were.
    """
    with transaction.atomic():
        now = clock.now()
        query = DeliveryAttempt.objects.filter(
            state=AttemptState.SENDING,
            delivery__state=DeliveryState.SENDING,
            delivery__lease_until__lt=now,
        ).select_related(
            "delivery__connector",
            "approval__approval_plan",
            "result__run__retry_plan",
        )
        if bulk.on_postgresql():
            query = query.select_for_update(skip_locked=True, of=("self", "delivery"))
        lost = [_claim_of(attempt) for attempt in query.order_by("pk")[:limit]]
        if not lost:
            return 0
        with connection.cursor() as cursor:
            bulk.update(cursor, Delivery, ("fence",), [(item.delivery_pk, item.fence + 1) for item in lost])
            bulk.insert(cursor, EvidenceEntry, ledger.COLUMNS, _notices(lost, at=now))
        settlement.write([attempts.worker_lost(item) for item in lost], now=now)
    return len(lost)


def _notices(lost: Sequence[Claim], *, at: datetime) -> list[tuple[object, ...]]:
    """A possible-duplicate line for each lost attempt that has none: one after an unknown outcome began with it."""
    lines = [attempts.line(MetadataKind.POSSIBLE_DUPLICATE, item, at=at) for item in lost]
    known = EvidenceEntry.objects.filter(entry_id__in=[line[0] for line in lines])
    announced = set(known.values_list("entry_id", flat=True))
    return [line for line in lines if line[0] not in announced]


def _claim_of(attempt: DeliveryAttempt) -> Claim:
    """The claim a lost attempt was made under."""
    delivery, result, approval = attempt.delivery, attempt.result, attempt.approval
    run = None
    if result is not None and approval is not None:
        run = RunFacts(
            run_id=result.run.run_id,
            result_pk=result.pk,
            ordinal=result.ordinal,
            retry_plan_id=result.run.retry_plan.retry_plan_id,
            approval_pk=approval.pk,
            approval_decision_id=approval.approval_decision_id,
            approval_plan_id=approval.approval_plan.approval_plan_id,
            request_digest=approval.request_digest,
        )
    return Claim(
        delivery_pk=delivery.pk,
        connector_pk=delivery.connector_id,
        delivery_id=delivery.delivery_id,
        audit_id=delivery.audit_id,
        provider=delivery.provider,
        source=delivery.source,
        event_id=delivery.event_id,
        event_digest=delivery.event_digest,
        event="",
        event_type="",
        created_at=delivery.created_at,
        drops_repeats=delivery.connector.drops_repeats,
        repeat_check=RepeatCheck(delivery.connector.repeat_check),
        in_doubt=delivery.in_doubt,
        receipt=delivery.receipt,
        attempt_number=attempt.number,
        failure_count=delivery.failure_count,
        failed_status_codes=delivery.failed_status_codes,
        fence=attempt.fence,
        started_at=attempt.started_at,
        actor=result.run.actor if result is not None else "system",
        run=run,
    )
