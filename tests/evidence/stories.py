"""What a ledger says of one delivery: it fails, is planned, approved by two people, retried by a run, and arrives.

Entries are made by the product's own records and lines, so that they are what a real ledger holds.
"""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from rollback_audit.engine import ledger
from rollback_audit.engine.lines import AttemptFacts, ExecutionFacts, attempt_entry_id, attempt_line, execution_line
from rollback_audit.records.approvals import ApprovalDecisionRecord
from rollback_audit.records.evidence import LedgerKeyRecord
from rollback_audit.records.runs import ConnectorReceiptRecord, RunSummaryRecord
from rollback_audit.states import ApprovalState, FailureKind, FourEyes, MetadataKind, Outcome, ResultState, Source
from tests.evidence.bundles import KEY, Signer, canonical

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PLAN, RUN = "gordackretry-00000000000000a1", "gordackworker-00000000000000b2"
AUDIT, APPROVAL = "gordackaudit-00000000000000c3", "gordackapprove-{:016x}"
DIGEST, DECISION = "d" * 64, "e" * 64
PARTS = ("delivered_count", "failed_count", "skipped_count", "unknown_count", "remaining_count")


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def row(kind: MetadataKind, session_id: str, record: Any, *, signer: str = "system", at: datetime = START) -> bytes:
    return canonical(ledger.jsonable(ledger.row(kind, session_id=session_id, signer=signer, at=at, record=record)))


def numbered(prefix: str, number: int) -> str:
    return f"{prefix}-{number:016x}"


def ledger_key(signer: Signer = KEY, *, replaces: Signer | None = None) -> bytes:
    record = LedgerKeyRecord(
        key_id=signer.key_id.hex(), vkey=signer.vkey, replaces=replaces.key_id.hex() if replaces else None
    )
    return row(MetadataKind.LEDGER_KEY, f"gordledgerkey-{signer.key_id.hex()}", record)


def attempt(
    kind: MetadataKind,
    *,
    delivery: int = 1,
    number: int = 1,
    fence: int | None = None,
    at: float = 0,
    outcome: Outcome | None = None,
    run_id: str | None = None,
    approval: str | None = None,
    digest: str | None = DIGEST,
) -> bytes:
    """A line about an attempt; with a run, about a retry."""
    facts = AttemptFacts(
        event_id=numbered("gordackevent", delivery),
        delivery_id=numbered("gordackdelivery", delivery),
        audit_id=AUDIT,
        provider="splunk",
        source=Source.ACKNOWLEDGEMENT_AUDIT,
        attempt_number=number,
        fence=number if fence is None else fence,
        started_at=minute(at),
        settled_at=minute(at) if outcome else None,
        outcome=outcome,
        failure_kind=FailureKind.UNAVAILABLE if outcome and outcome is not Outcome.CONFIRMED else None,
        status_code=None,
        retry_after_seconds=None,
        duration_ms=20 if outcome else None,
        already_held=False,
        run_id=run_id,
        approval_decision_id=approval,
        request_digest=digest if run_id else None,
    )
    return str(attempt_line(kind, facts, signer="casey", at=minute(at))[-1]).encode()


def sending(**changes: Any) -> bytes:
    return attempt(MetadataKind.ATTEMPT_SENDING, **changes)


def settled(outcome: Outcome = Outcome.ANSWERED_5XX, **changes: Any) -> bytes:
    return attempt(MetadataKind.CONNECTOR_DELIVERY, outcome=outcome, **changes)


def retry_plan(*, signer: str = "robin", plan_id: str = PLAN) -> bytes:
    record = {"retry_plan_id": plan_id, "plan_digest": "f" * 64, "decision_count": 1}
    return row(MetadataKind.RETRY_PLAN, plan_id, record, signer=signer, at=minute(60))


def approval(
    *,
    delivery: int = 1,
    name: str = APPROVAL.format(1),
    signer: str = "alex",
    second: bool = False,
    **changes: Any,
) -> bytes:
    """A word on the delivery's retry; `second` for the line of the person who completes it."""
    empty = {item.name: None for item in fields(ApprovalDecisionRecord)}
    record: dict[str, Any] = empty | {
        "approval_decision_id": name,
        "approval_plan_id": "gordackapproval-00000000000000f6",
        "retry_plan_id": PLAN,
        "delivery_id": numbered("gordackdelivery", delivery),
        "audit_id": AUDIT,
        "provider": "splunk",
        "approval_state": ApprovalState.APPROVED,
        "plan_digest": "f" * 64,
        "decision_digest": DECISION,
        "request_digest": DIGEST,
        "four_eyes": FourEyes.ON,
        "approver": "alex",
        "decided_at": minute(61),
        "approvals_needed": 1,
        "approvals_given": 1 + second,
        "expires_at": minute(120),
        "external_ref": "",
        "second_external_ref": "",
    }
    session_id = f"{name}-second" if second else name
    return row(MetadataKind.APPROVAL_DECISION, session_id, record | changes, signer=signer, at=minute(61))


def counts(**found: int) -> dict[str, int]:
    """The counts of a receipt, by part."""
    return dict.fromkeys(PARTS, 0) | {f"{part}_count": count for part, count in found.items()}


def run_record(*, state: str, dry_run: bool, parts: dict[str, dict[str, int]]) -> dict[str, Any]:
    """A run's record as far as a receipt goes, split by connector."""
    total = {part: sum(each[part] for each in parts.values()) for part in PARTS}
    summary = {item.name: 0 for item in fields(RunSummaryRecord)} | total
    summary["selected_retry_count"] = sum(total.values())
    empty = {item.name: None for item in fields(ConnectorReceiptRecord)}
    receipt = [empty | each | {"provider": name, "selected_count": sum(each.values())} for name, each in parts.items()]
    return {"run_id": RUN, "state": state, "dry_run": dry_run, "summary": summary, "receipt": receipt}


def queued(*, dry_run: bool = False) -> bytes:
    record = run_record(state="queued", dry_run=dry_run, parts={"splunk": counts(remaining=1)})
    return row(MetadataKind.RUN_QUEUED, f"{RUN}-queued", record, signer="casey", at=minute(70))


def receipt(*, state: str = "completed", dry_run: bool = False, **found: int) -> bytes:
    record = run_record(state=state, dry_run=dry_run, parts={"splunk": counts(**(found or {"delivered": 1}))})
    return row(MetadataKind.WORKER_RUN, RUN, record, signer="casey", at=minute(72))


def execution(
    *, delivery: int = 1, number: int = 2, status: ResultState = ResultState.DELIVERED, run_id: str = RUN
) -> bytes:
    event_id = numbered("gordackevent", delivery)
    facts = ExecutionFacts(
        run_id=run_id,
        ordinal=delivery,
        retry_plan_id=PLAN,
        approval_decision_id=APPROVAL.format(delivery),
        approval_plan_id="gordackapproval-00000000000000f6",
        delivery_id=numbered("gordackdelivery", delivery),
        audit_id=AUDIT,
        provider="splunk",
        source=Source.ACKNOWLEDGEMENT_AUDIT,
        status=status,
        skipped=None,
        executed_at=minute(71),
        executed_by="casey",
        delivery_metadata_id=attempt_entry_id(MetadataKind.CONNECTOR_DELIVERY, event_id, number),
    )
    return str(execution_line(facts, at=minute(71))[-1]).encode()


LIVE: dict[str, Any] = {"number": 2, "run_id": RUN, "approval": APPROVAL.format(1), "at": 71}


def loop() -> dict[str, bytes]:
    """The whole story, each entry by a name, in the ledger's order."""
    return {
        "key": ledger_key(),
        "first sending": sending(),
        "first settled": settled(Outcome.UNKNOWN),
        "plan": retry_plan(),
        "approval": approval(approvals_needed=2),
        "second": approval(signer="billie", second=True, approvals_needed=2),
        "queued": queued(),
        "notice": attempt(MetadataKind.POSSIBLE_DUPLICATE, **LIVE),
        "sending": sending(**LIVE),
        "settled": settled(Outcome.CONFIRMED, **LIVE),
        "execution": execution(),
        "receipt": receipt(),
    }


def many(count: int, *, first: int = 1) -> list[bytes]:
    """A clean ledger of this many entries: its key, then deliveries from `first` on that arrive at once."""
    entries = [ledger_key()]
    for delivery in range(first, first + count):
        entries += [sending(delivery=delivery), settled(Outcome.CONFIRMED, delivery=delivery)]
    return entries[:count]
