"""One try on the wire: the claim that began it, the request it sends, and its settlement.

A claim is held by whoever raised the delivery's fence. Only that holder may settle; what comes later, after somebody
else has raised the fence, becomes a `late-result` line and changes nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction

from rollback_audit.delivery import registry
from rollback_audit.delivery.contract import ConnectorSettings, Envelope, PayloadTooLarge, Send, Settlement
from rollback_audit.engine import bulk, clock, connectors, ledger
from rollback_audit.engine.lines import AttemptFacts, ExecutionFacts, attempt_entry_id, attempt_line, execution_line
from rollback_audit.models import Delivery, DeliveryAttempt, EvidenceEntry, WorkerResult
from rollback_audit.planning.facts import DEFAULT_POLICY, DeliveryFacts
from rollback_audit.planning.retry import standing
from rollback_audit.states import (
    FAILURE_CLASS,
    AttemptState,
    ConnectorStanding,
    DeliveryState,
    FailureClass,
    FailureKind,
    MetadataKind,
    Outcome,
    ResultState,
)

LEASE_DEADLINES = 3
LEASE_FLOOR_SECONDS = 5.0


class RunFacts(NamedTuple):
    """The run, the decision and the approval behind a retry."""

    run_id: str
    result_pk: int
    ordinal: int
    retry_plan_id: str
    approval_pk: int
    approval_decision_id: str
    approval_plan_id: str


class Claim(NamedTuple):
    """A delivery this process may send once, as it was when claimed. `run` is None for a first attempt."""

    delivery_pk: int
    connector_pk: int
    delivery_id: str
    audit_id: str
    provider: str
    source: str
    event_id: str
    event_digest: str
    event: str
    event_type: str
    created_at: datetime
    drops_repeats: bool
    attempt_number: int
    failure_count: int
    failed_status_codes: str
    fence: int
    started_at: datetime
    actor: str
    run: RunFacts | None


def lease_seconds(timeout_seconds: float) -> float:
    """How long a claim is held unless renewed: at least three deadlines."""
    return max(LEASE_DEADLINES * timeout_seconds, LEASE_FLOOR_SECONDS)


def send_of(
    claim: Claim, settings: ConnectorSettings, *, timeout_seconds: float, start_by: float | None
) -> Send[Claim] | Settlement[Claim]:
    """The exchange that carries the claim, or its settlement where it cannot even be built."""
    envelope = Envelope(
        event=claim.event.encode(),
        event_type=claim.event_type,
        event_id=claim.event_id,
        idempotency_key=claim.event_id,
        occurred_at=claim.created_at,
    )
    try:
        request = registry.build(settings, envelope, now=claim.started_at)
    except PayloadTooLarge:
        return not_sent(claim, FailureKind.PAYLOAD_TOO_LARGE)
    return Send(
        key=claim,
        request=request,
        egress=settings.egress,
        judge=registry.CONNECTORS[settings.provider].judge,
        timeout_seconds=timeout_seconds,
        start_by=start_by,
    )


def not_sent(claim: Claim, failure_kind: FailureKind) -> Settlement[Claim]:
    """A settlement for a claim of which no byte left this machine."""
    return Settlement(
        key=claim,
        outcome=Outcome.NOT_SENT,
        failure_kind=failure_kind,
        status_code=None,
        retry_after_seconds=None,
        duration_ms=0,
    )


def worker_lost(claim: Claim) -> Settlement[Claim]:
    """A settlement for a claim whose holder never came back: nobody can tell whether bytes left."""
    return Settlement(
        key=claim,
        outcome=Outcome.UNKNOWN,
        failure_kind=FailureKind.WORKER_LOST,
        status_code=None,
        retry_after_seconds=None,
        duration_ms=0,
    )


def record_sending(claims: Sequence[Claim], *, after_unknown: Iterable[Claim]) -> None:
    """Write the attempts and their ledger lines before the first byte, inside the claiming transaction.

    A claim that follows an attempt of unknown outcome also leaves a `possible-duplicate` line, before it can arrive.
    """
    with connection.cursor() as cursor:
        bulk.insert(
            cursor,
            DeliveryAttempt,
            ("delivery_id", "number", "fence", "state", "approval_id", "result_id", "started_at"),
            [
                (
                    claim.delivery_pk,
                    claim.attempt_number,
                    claim.fence,
                    AttemptState.SENDING.value,
                    claim.run.approval_pk if claim.run else None,
                    claim.run.result_pk if claim.run else None,
                    bulk.moment(claim.started_at),
                )
                for claim in claims
            ],
        )
        lines = [line(MetadataKind.POSSIBLE_DUPLICATE, claim, at=claim.started_at) for claim in after_unknown]
        lines += [line(MetadataKind.ATTEMPT_SENDING, claim, at=claim.started_at) for claim in claims]
        bulk.insert(cursor, EvidenceEntry, ledger.COLUMNS, lines)


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
            ("state", "settled_at", "outcome", "failure_kind", "status_code", "retry_after_seconds", "duration_ms"),
            [_attempt_values(item, now=now) for item in settlements],
            keys=("delivery_id", "number"),
        )
        for state, pks in _results_by_state(settlements).items():
            bulk.update_alike(cursor, WorkerResult, "state = %s", [state.value], pks)
        bulk.insert(cursor, EvidenceEntry, ledger.COLUMNS, lines)
    _hold_refused(settlements, now=now)


def result_state(settlement: Settlement[Claim]) -> ResultState:
    """What a settlement makes of a run's result."""
    if settlement.outcome is Outcome.CONFIRMED:
        return ResultState.DELIVERED
    return ResultState.UNKNOWN if settlement.outcome is Outcome.UNKNOWN else ResultState.FAILED


_DELIVERED = (
    "state = %s, failure_kind = NULL, last_failed_at = NULL, not_before = NULL, blocked_by = NULL, due_at = NULL, "
    "lease_until = NULL, delivered_at = %s"
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
    reason_code, _, due_at = standing(facts, DEFAULT_POLICY, drops_repeats=claim.drops_repeats)
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
        failure_count=claim.failure_count + 1,
        failure_kind=item.failure_kind,
        last_attempt_at=claim.started_at,
        last_failed_at=now,
        not_before=None if held_back is None else now + timedelta(seconds=held_back),
        failed_status_codes=",".join(codes),
    )


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
    refused = Counter(
        (item.key.connector_pk, item.failure_kind)
        for item in settlements
        if item.failure_kind is not None and FAILURE_CLASS[item.failure_kind] is FailureClass.HOLD
    )
    for connector_pk, failure_kind in sorted(refused):
        is_credential = failure_kind is FailureKind.CREDENTIAL_REFUSED
        connectors.hold(
            connector_pk,
            ConnectorStanding.CREDENTIAL_REFUSED if is_credential else ConnectorStanding.ADDRESS_REFUSED,
            at=now,
        )


def line(
    kind: MetadataKind, claim: Claim, *, at: datetime, settlement: Settlement[Claim] | None = None
) -> tuple[object, ...]:
    """The ledger line of a claim's attempt (an EvidenceEntry row); with a settlement, of how it ended."""
    run, ended = claim.run, settlement
    facts = AttemptFacts(
        claim.event_id,
        claim.delivery_id,
        claim.audit_id,
        claim.provider,
        claim.source,
        claim.attempt_number,
        claim.fence,
        claim.started_at,
        *((at, ended.outcome, ended.failure_kind, ended.status_code) if ended else (None, None, None, None)),
        *((ended.retry_after_seconds, ended.duration_ms) if ended else (None, None)),
        *((run.run_id, run.approval_decision_id) if run else (None, None)),
    )
    return attempt_line(kind, facts, signer=claim.actor, at=at)


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
