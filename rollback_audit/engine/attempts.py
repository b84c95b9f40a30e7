"""One try on the wire: the claim that began it, the request it sends, and its settlement.

A claim is held by whoever raised the delivery's fence. Only that holder may settle; what comes later, after somebody
else has raised the fence, becomes a `late-result` line and changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from rollback_audit.delivery import registry
from rollback_audit.delivery.contract import ConnectorSettings, Envelope, PayloadTooLarge, Send, Settlement, Step
from rollback_audit.engine import bulk, ledger
from rollback_audit.engine.lines import AttemptFacts, attempt_line
from rollback_audit.errors import InvalidInput
from rollback_audit.models import DeliveryAttempt, EvidenceEntry
from rollback_audit.states import (
    AttemptState,
    FailureKind,
    MetadataKind,
    Outcome,
    RepeatCheck,
)

SHORTEST_SECONDS, LONGEST_SECONDS = 0.1, 60.0
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
    request_digest: str


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
    repeat_check: RepeatCheck
    in_doubt: bool
    receipt: int | None
    attempt_number: int
    failure_count: int
    failed_status_codes: str
    fence: int
    started_at: datetime
    actor: str
    run: RunFacts | None


def check_timeout(timeout_seconds: float) -> float:
    """The deadline of one whole exchange, if it is one. Raises InvalidInput."""
    if not SHORTEST_SECONDS <= timeout_seconds <= LONGEST_SECONDS:
        raise InvalidInput({"timeout_seconds": [f"Between {SHORTEST_SECONDS} and {LONGEST_SECONDS} seconds."]})
    return timeout_seconds


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

    def opening() -> Step:
        return registry.opening(
            settings, envelope, now=claim.started_at, in_doubt=claim.in_doubt, receipt=claim.receipt
        )

    try:
        step = opening()
    except PayloadTooLarge:
        return not_sent(claim, FailureKind.PAYLOAD_TOO_LARGE)
    return Send(
        key=claim,
        step=step,
        egress=settings.egress,
        timeout_seconds=timeout_seconds,
        start_by=start_by,
        reopen=opening,
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


def record_sending(claims: Sequence[Claim]) -> None:
    """Write the attempts and their ledger lines before the first byte, inside the claiming transaction.

    A claim on a delivery in doubt also leaves a `possible-duplicate` line, before it can arrive.
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
        lines = [
            line(MetadataKind.POSSIBLE_DUPLICATE, claim, at=claim.started_at) for claim in claims if claim.in_doubt
        ]
        lines += [line(MetadataKind.ATTEMPT_SENDING, claim, at=claim.started_at) for claim in claims]
        bulk.insert(cursor, EvidenceEntry, ledger.COLUMNS, lines)


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
        *((ended.retry_after_seconds, ended.duration_ms, ended.already_held) if ended else (None, None, False)),
        *((run.run_id, run.approval_decision_id, run.request_digest) if run else (None, None, None)),
    )
    return attempt_line(kind, facts, signer=claim.actor, at=at)
