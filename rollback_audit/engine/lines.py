"""The ledger lines that every attempt leaves, thousands a second.

Written out by hand in key order, because building records and encoding them costs ten times as much; a test holds each
line against the record and the general encoder. Every value is a number, an enumeration word, a digest or an id of our
own making; the one free text, the actor's name, is encoded as JSON.
"""

import hashlib
import json
from datetime import datetime
from functools import cache
from typing import NamedTuple

from rollback_audit.engine import bulk
from rollback_audit.states import (
    METADATA_SCHEMA_VERSION,
    PRODUCT,
    FailureKind,
    MetadataKind,
    Outcome,
    ResultState,
    SkipReason,
)


class AttemptFacts(NamedTuple):
    """An attempt as a ledger line tells it; nulls while it is on the wire."""

    event_id: str
    delivery_id: str
    audit_id: str
    provider: str
    source: str
    attempt_number: int
    fence: int
    started_at: datetime
    settled_at: datetime | None
    outcome: Outcome | None
    failure_kind: FailureKind | None
    status_code: int | None
    retry_after_seconds: int | None
    duration_ms: int | None
    already_held: bool
    run_id: str | None
    approval_decision_id: str | None
    request_digest: str | None


class ExecutionFacts(NamedTuple):
    """One live result as its execution record tells it."""

    run_id: str
    ordinal: int
    retry_plan_id: str
    approval_decision_id: str | None
    approval_plan_id: str | None
    delivery_id: str
    audit_id: str
    provider: str
    source: str
    status: ResultState
    skipped: SkipReason | None
    executed_at: datetime
    executed_by: str
    delivery_metadata_id: str | None


_WORDS = {
    MetadataKind.ATTEMPT_SENDING: "sending",
    MetadataKind.CONNECTOR_DELIVERY: "settled",
    MetadataKind.POSSIBLE_DUPLICATE: "notice",
    MetadataKind.LATE_RESULT: "late",
}


def attempt_entry_id(kind: MetadataKind, event_id: str, attempt_number: int) -> str:
    """The id of an attempt's line. Derived, so that the database refuses to record the same thing twice."""
    return f"{event_id}-{attempt_number}-{_WORDS[kind]}"


def execution_id(run_id: str, ordinal: int) -> str:
    """The id of a live result's execution record."""
    return f"gordackretryexec-{run_id.rpartition('-')[2]}-{ordinal}"


def attempt_line(kind: MetadataKind, facts: AttemptFacts, *, signer: str, at: datetime) -> tuple[object, ...]:
    """An EvidenceEntry row (ledger.COLUMNS) about one attempt."""
    entry_id = attempt_entry_id(kind, facts.event_id, facts.attempt_number)
    success = None if facts.outcome is None else facts.outcome is Outcome.CONFIRMED
    provider = f'["{facts.provider}"]'
    body = (
        f'{{"acknowledgement_state":null,"alert_level":null,"approval_required_count":0,'
        f'"attempt_count":{facts.attempt_number},"audit_id":"{facts.audit_id}","blocked_count":0,"cadence":null,'
        f'"connector_delivery_source":"{facts.source}","created_at":"{at.isoformat()}","decision_count":0,'
        f'"delivery_id":"{facts.delivery_id}","delivery_success":{_WORD[success]},"event_id":"{facts.event_id}",'
        f'"failed_providers":{provider if success is False else "[]"},"metadata_kind":"{kind}","product":"{PRODUCT}",'
        f'"provider":"{facts.provider}","providers":{provider},"record":{_attempt_record(facts)},"schedule_id":null,'
        f'"schema_version":"{METADATA_SCHEMA_VERSION}","session_id":"{entry_id}",'
        f'"signer":{_name(signer)},'
        f'"status_codes":[{"" if facts.status_code is None else facts.status_code}]}}'
    )
    return _entry(facts, entry_id=entry_id, kind=kind, at=at, signer=signer, success=success, body=body)


def execution_line(facts: ExecutionFacts, *, at: datetime) -> tuple[object, ...]:
    """An EvidenceEntry row that holds a live result's execution record."""
    record_id = execution_id(facts.run_id, facts.ordinal)
    success = facts.status is ResultState.DELIVERED
    body = (
        f'{{"acknowledgement_state":null,"alert_level":null,"approval_required_count":0,"attempt_count":null,'
        f'"audit_id":"{facts.audit_id}","blocked_count":0,"cadence":null,"connector_delivery_source":"{facts.source}",'
        f'"created_at":"{at.isoformat()}","decision_count":1,"delivery_id":"{facts.delivery_id}",'
        f'"delivery_success":{_WORD[success]},"event_id":null,"failed_providers":null,'
        f'"metadata_kind":"{MetadataKind.EXECUTION_RECORD}","product":"{PRODUCT}","provider":"{facts.provider}",'
        f'"providers":null,"record":{_execution_record(record_id, facts)},"schedule_id":null,'
        f'"schema_version":"{METADATA_SCHEMA_VERSION}","session_id":"{record_id}",'
        f'"signer":{_name(facts.executed_by)},"status_codes":null}}'
    )
    return _entry(
        facts,
        entry_id=record_id,
        kind=MetadataKind.EXECUTION_RECORD,
        at=at,
        signer=facts.executed_by,
        success=success,
        body=body,
    )


_WORD = {None: "null", True: "true", False: "false"}


@cache
def _name(actor: str) -> str:
    return json.dumps(actor, ensure_ascii=False)


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def _text(value: str | None) -> str:
    return "null" if value is None else f'"{value}"'


def _moment(value: datetime | None) -> str:
    return "null" if value is None else f'"{value.isoformat()}"'


def _attempt_record(facts: AttemptFacts) -> str:
    return (
        f'{{"already_held":{_WORD[facts.already_held]},"approval_decision_id":{_text(facts.approval_decision_id)},'
        f'"attempt_number":{facts.attempt_number},"audit_id":"{facts.audit_id}","delivery_id":"{facts.delivery_id}",'
        f'"duration_ms":{_number(facts.duration_ms)},"event_id":"{facts.event_id}",'
        f'"failure_kind":{_text(facts.failure_kind)},"fence":{facts.fence},"outcome":{_text(facts.outcome)},'
        f'"provider":"{facts.provider}","request_digest":{_text(facts.request_digest)},'
        f'"retry_after_seconds":{_number(facts.retry_after_seconds)},'
        f'"run_id":{_text(facts.run_id)},"settled_at":{_moment(facts.settled_at)},'
        f'"started_at":"{facts.started_at.isoformat()}","status_code":{_number(facts.status_code)}}}'
    )


def _execution_record(record_id: str, facts: ExecutionFacts) -> str:
    """The record, with its hash over the RFC 8785 form of everything else in it."""
    refs = "" if facts.delivery_metadata_id is None else f'"{facts.delivery_metadata_id}"'
    head = (
        f'{{"approval_decision_id":{_text(facts.approval_decision_id)},'
        f'"approval_plan_id":{_text(facts.approval_plan_id)},"audit_id":"{facts.audit_id}",'
        f'"delivery_id":"{facts.delivery_id}","delivery_metadata_id":{_text(facts.delivery_metadata_id)},'
        f'"delivery_success":{_WORD[facts.status is ResultState.DELIVERED]},'
        f'"executed_at":"{facts.executed_at.isoformat()}",'
        f'"executed_by":{_name(facts.executed_by)},'
    )
    tail = (
        f'"execution_id":"{record_id}","execution_status":"{facts.status}","provider":"{facts.provider}",'
        f'"public_evidence_refs":[{refs}],"retry_plan_id":"{facts.retry_plan_id}","run_id":"{facts.run_id}",'
        f'"skipped":{_text(facts.skipped)}}}'
    )
    digest = hashlib.sha256((head + tail).encode()).hexdigest()
    return f'{head}"execution_hash":"{digest}",{tail}'


def _entry(
    facts: AttemptFacts | ExecutionFacts,
    *,
    entry_id: str,
    kind: MetadataKind,
    at: datetime,
    signer: str,
    success: bool | None,
    body: str,
) -> tuple[object, ...]:
    place = (facts.source, facts.provider, "", facts.audit_id, facts.delivery_id)
    # An integer on the way to either database: SQLite's driver looks up an adapter for every boolean.
    flag = None if success is None else int(success)
    return (entry_id, kind.value, bulk.moment(at), signer, *place, "", flag, "", "", body)
