"""Settling: what came back changes the delivery, the attempt, the result and the connector, in one transaction.

Only the holder of a delivery's fence settles it. What comes after somebody else has raised the fence becomes a
`late-result` line and changes nothing.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from rollback_audit.delivery.contract import Settlement
from rollback_audit.engine import bulk, circuits, clock, connectors, ledger
from rollback_audit.engine.attempts import Claim, RunFacts, line
from rollback_audit.engine.lines import ExecutionFacts, attempt_entry_id, execution_line
from rollback_audit.models import Delivery, DeliveryAttempt, EvidenceEntry, WorkerResult
from rollback_audit.planning.facts import DEFAULT_POLICY, DeliveryFacts
from rollback_audit.planning.retry import standing
from rollback_audit.states import (
    AttemptState,
    ConnectorStanding,
    DeliveryState,
    FailureClass,
    FailureKind,
    MetadataKind,
    Outcome,
    ResultState,
)


def settle(settlements: Sequence[Settlement[Claim]]) -> None:
    """Record outcomes in one transaction: delivery, attempt, result, connector and ledger. Keys are claims.

    A settlement whose fence is no longer the delivery's is recorded as late and changes nothing else.
    """
    if not settlements:
        return
    with transaction.atomic():
        now = clock.now()
        mine, late = _by_fence(settlements)
        write(mine, now=now)
        with connection.cursor() as cursor:
            bulk.insert(
                cursor,
                EvidenceEntry,
                ledger.COLUMNS,
                [line(MetadataKind.LATE_RESULT, item.key, at=now, settlement=item) for item in late],
            )


def write(settlements: Sequence[Settlement[Claim]], *, now: datetime) -> None:
    """Write settlements of deliveries whose rows the caller's transaction holds."""
    lines: list[tuple[object, ...]] = []
    for item in settlements:
        lines.append(line(MetadataKind.CONNECTOR_DELIVERY, item.key, at=now, settlement=item))
        if item.key.run is not None:
            lines.append(_execution_line(item.key, item.key.run, item, now=now))
    with connection.cursor() as cursor:
        kept = [(item.key.delivery_pk, item.receipt) for item in settlements if item.receipt is not None]
        bulk.update(cursor, Delivery, ("receipt",), kept)
        bulk.update_alike(
            cursor,
            Delivery,
            _DELIVERED,
            [DeliveryState.DELIVERED.value, bulk.moment(now)],
            [item.key.delivery_pk for item in settlements if item.outcome is Outcome.CONFIRMED],
        )
        failed = [item for item in settlements if item.outcome is not Outcome.CONFIRMED]
        bulk.update(cursor, Delivery, _FAILED_COLUMNS, [_failed_values(item, now=now) for item in failed])
        bulk.update(
            cursor,
            DeliveryAttempt,
            _ATTEMPT_COLUMNS,
            [_attempt_values(item, now=now) for item in settlements],
            keys=("delivery_id", "number"),
        )
        for state, pks in _results_by_state(settlements).items():
            bulk.update_alike(cursor, WorkerResult, "state = %s", [state.value], pks)
        bulk.insert(cursor, EvidenceEntry, ledger.COLUMNS, lines)
        held = [item for item in settlements if item.already_held]
        bulk.update_alike(cursor, DeliveryAttempt, "already_held = TRUE", [], _attempt_pks(held))
    circuits.count(settlements, now=now)
    _hold_refused(settlements, now=now)


def result_state(settlement: Settlement[Claim]) -> ResultState:
    """What a settlement makes of a run's result."""
    if settlement.outcome is Outcome.CONFIRMED:
        return ResultState.DELIVERED
    return ResultState.UNKNOWN if settlement.outcome is Outcome.UNKNOWN else ResultState.FAILED


_DELIVERED = (
    "state = %s, failure_kind = NULL, last_failed_at = NULL, not_before = NULL, blocked_by = NULL, due_at = NULL, "
    "in_doubt = FALSE, "
    "lease_until = NULL, delivered_at = %s"
)
_ATTEMPT_COLUMNS = (
    "state",
    "settled_at",
    "outcome",
    "failure_kind",
    "status_code",
    "retry_after_seconds",
    "duration_ms",
)
_FAILED_COLUMNS = (
    "state",
    "failure_count",
    "failure_kind",
    "failed_status_codes",
    "last_failed_at",
    "not_before",
    "blocked_by",
    "due_at",
    "lease_until",
    "in_doubt",
)


def _results_by_state(settlements: Sequence[Settlement[Claim]]) -> dict[ResultState, list[int]]:
    found: dict[ResultState, list[int]] = defaultdict(list)
    for item in settlements:
        if item.key.run is not None:
            found[result_state(item)].append(item.key.run.result_pk)
    return found


def _by_fence(settlements: Sequence[Settlement[Claim]]) -> tuple[list[Settlement[Claim]], list[Settlement[Claim]]]:
    """Lock the deliveries and split their settlements into those that still hold the fence and those that came late."""
    condition, parameters = bulk.any_of([item.key.delivery_pk for item in settlements])
    lock = "FOR UPDATE" if bulk.on_postgresql() else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT id, fence FROM "{Delivery._meta.db_table}" WHERE state = %s AND id {condition} ORDER BY id {lock}',  # noqa: S608
            [DeliveryState.SENDING.value, *parameters],
        )
        held = dict(cursor.fetchall())
    mine = [item for item in settlements if held.get(item.key.delivery_pk) == item.key.fence]
    late = [item for item in settlements if held.get(item.key.delivery_pk) != item.key.fence]
    return mine, late


def _failed_values(item: Settlement[Claim], *, now: datetime) -> tuple[Any, ...]:
    claim = item.key
    facts = _facts_after(claim, item, now=now)
    reason_code, _, due_at = standing(
        facts, DEFAULT_POLICY, drops_repeats=claim.drops_repeats, repeat_check=claim.repeat_check
    )
    return (
        claim.delivery_pk,
        DeliveryState.FAILED.value,
        facts.failure_count,
        item.failure_kind.value if item.failure_kind else None,
        facts.failed_status_codes,
        bulk.moment(now),
        bulk.moment(facts.not_before),
        reason_code.value if reason_code else None,
        bulk.moment(due_at),
        None,
        facts.in_doubt,
    )


def _facts_after(claim: Claim, item: Settlement[Claim], *, now: datetime) -> DeliveryFacts:
    codes = [claim.failed_status_codes] if claim.failed_status_codes else []
    if item.status_code is not None:
        codes.append(str(item.status_code))
    held_back = item.retry_after_seconds
    return DeliveryFacts(
        delivery_id=claim.delivery_id,
        audit_id=claim.audit_id,
        provider=claim.provider,
        source=claim.source,
        event_digest=claim.event_digest,
        in_flight=False,
        attempt_count=claim.attempt_number,
        failure_count=claim.failure_count + (not _was_told_to_wait(item)),
        failure_kind=item.failure_kind,
        last_attempt_at=claim.started_at,
        last_failed_at=now,
        not_before=None if held_back is None else now + timedelta(seconds=held_back),
        failed_status_codes=",".join(codes),
        in_doubt=claim.in_doubt or item.outcome is Outcome.UNKNOWN,
        has_receipt=item.receipt is not None or claim.receipt is not None,
    )


def _was_told_to_wait(item: Settlement[Claim]) -> bool:
    """An overloaded receiver that says when to come back has not refused anything: it uses up no attempt."""
    return item.failure_class is FailureClass.OVERLOAD and item.retry_after_seconds is not None


def _attempt_pks(settlements: Sequence[Settlement[Claim]]) -> list[int]:
    if not settlements:
        return []
    number_of = {item.key.delivery_pk: item.key.attempt_number for item in settlements}
    tries = DeliveryAttempt.objects.filter(delivery_id__in=number_of).values_list("pk", "delivery_id", "number")
    return [pk for pk, delivery_pk, number in tries if number_of[delivery_pk] == number]


def _attempt_values(item: Settlement[Claim], *, now: datetime) -> tuple[Any, ...]:
    claim = item.key
    return (
        claim.delivery_pk,
        claim.attempt_number,
        AttemptState.SETTLED.value,
        bulk.moment(now),
        item.outcome.value,
        item.failure_kind.value if item.failure_kind else None,
        item.status_code,
        item.retry_after_seconds,
        item.duration_ms,
    )


def _hold_refused(settlements: Sequence[Settlement[Claim]], *, now: datetime) -> None:
    """A receiver that refuses credential or address holds its connector: every other delivery would be refused too."""
    refused = {
        (item.key.connector_pk, item.failure_kind) for item in settlements if item.failure_class is FailureClass.HOLD
    }
    for connector_pk, failure_kind in sorted(refused):
        is_credential = failure_kind is FailureKind.CREDENTIAL_REFUSED
        connectors.hold(
            connector_pk,
            ConnectorStanding.CREDENTIAL_REFUSED if is_credential else ConnectorStanding.ADDRESS_REFUSED,
            at=now,
        )


def _execution_line(claim: Claim, run: RunFacts, item: Settlement[Claim], *, now: datetime) -> tuple[object, ...]:
    facts = ExecutionFacts(
        run_id=run.run_id,
        ordinal=run.ordinal,
        retry_plan_id=run.retry_plan_id,
        approval_decision_id=run.approval_decision_id,
        approval_plan_id=run.approval_plan_id,
        delivery_id=claim.delivery_id,
        audit_id=claim.audit_id,
        provider=claim.provider,
        source=claim.source,
        status=result_state(item),
        skipped=None,
        executed_at=now,
        executed_by=claim.actor,
        delivery_metadata_id=attempt_entry_id(MetadataKind.CONNECTOR_DELIVERY, claim.event_id, claim.attempt_number),
    )
    return execution_line(facts, at=now)
