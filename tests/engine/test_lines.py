"""The lines written by hand say exactly what the records and the general encoder would."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rfc8785
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_audit.engine import bulk, ledger
from rollback_audit.engine.lines import (
    AttemptFacts,
    ExecutionFacts,
    attempt_entry_id,
    attempt_line,
    execution_id,
    execution_line,
)
from rollback_audit.models import EvidenceEntry
from rollback_audit.records.approvals import ExecutionRecord
from rollback_audit.records.deliveries import AttemptRecord
from rollback_audit.records.history import HistoryRow
from rollback_audit.states import FailureKind, MetadataKind, Outcome, ResultState, SkipReason, Source

same = settings(derandomize=True, deadline=None, max_examples=200)
KINDS = [
    MetadataKind.ATTEMPT_SENDING,
    MetadataKind.CONNECTOR_DELIVERY,
    MetadataKind.POSSIBLE_DUPLICATE,
    MetadataKind.LATE_RESULT,
]

moments = st.integers(0, 10**15).map(lambda number: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(microseconds=number))
# Surrogates and NUL cannot be stored, and are refused before they get here.
signers = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=150)
hexadecimal = st.integers(0, 2**64 - 1).map("{:016x}".format)
names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True)


def ids(prefix: str) -> st.SearchStrategy[str]:
    return hexadecimal.map(f"{prefix}-{{}}".format)


@st.composite
def attempts(draw: st.DrawFn) -> AttemptFacts:
    outcome = draw(st.none() | st.sampled_from(Outcome))
    failed = outcome not in {None, Outcome.CONFIRMED}
    return AttemptFacts(
        event_id=draw(ids("gordackevent")),
        delivery_id=draw(ids("gordackdelivery")),
        audit_id=draw(ids("gordackaudit")),
        provider=draw(names),
        source=draw(st.sampled_from(Source)),
        attempt_number=draw(st.integers(1, 60)),
        fence=draw(st.integers(1, 10**9)),
        started_at=draw(moments),
        settled_at=draw(moments) if outcome else None,
        outcome=outcome,
        failure_kind=draw(st.sampled_from(FailureKind)) if failed else None,
        status_code=draw(st.none() | st.integers(100, 599)) if outcome else None,
        retry_after_seconds=draw(st.none() | st.integers(0, 10**9)) if failed else None,
        duration_ms=draw(st.integers(0, 60_000)) if outcome else None,
        already_held=draw(st.booleans()),
        run_id=draw(st.none() | ids("gordackworker")),
        approval_decision_id=draw(st.none() | ids("gordackapprove")),
        request_digest=draw(st.none() | hexadecimal),
    )


@st.composite
def executions(draw: st.DrawFn) -> ExecutionFacts:
    skipped = draw(st.none() | st.sampled_from(SkipReason))
    ended = st.sampled_from([ResultState.DELIVERED, ResultState.FAILED, ResultState.UNKNOWN])
    return ExecutionFacts(
        run_id=draw(ids("gordackworker")),
        ordinal=draw(st.integers(1, 10_000)),
        retry_plan_id=draw(ids("gordackretry")),
        approval_decision_id=draw(st.none() | ids("gordackapprove")),
        approval_plan_id=draw(st.none() | ids("gordackapproval")),
        delivery_id=draw(ids("gordackdelivery")),
        audit_id=draw(ids("gordackaudit")),
        provider=draw(names),
        source=draw(st.sampled_from(Source)),
        status=ResultState.SKIPPED if skipped else draw(ended),
        skipped=skipped,
        executed_at=draw(moments),
        executed_by=draw(signers),
        delivery_metadata_id=None if skipped else draw(ids("gordledger")),
    )


def expected_attempt(kind: MetadataKind, facts: AttemptFacts, *, signer: str, at: datetime) -> HistoryRow:
    shared = {name: getattr(facts, name) for name in AttemptRecord.__dataclass_fields__}
    success = None if facts.outcome is None else facts.outcome is Outcome.CONFIRMED
    return ledger.row(
        kind,
        session_id=attempt_entry_id(kind, facts.event_id, facts.attempt_number),
        signer=signer,
        at=at,
        record=AttemptRecord(**shared),
        connector_delivery_source=facts.source,
        provider=facts.provider,
        audit_id=facts.audit_id,
        delivery_id=facts.delivery_id,
        event_id=facts.event_id,
        delivery_success=success,
        providers=[facts.provider],
        failed_providers=[facts.provider] if success is False else [],
        status_codes=[] if facts.status_code is None else [facts.status_code],
        attempt_count=facts.attempt_number,
    )


def expected_execution(facts: ExecutionFacts, *, at: datetime) -> HistoryRow:
    record = ExecutionRecord(
        execution_id=execution_id(facts.run_id, facts.ordinal),
        execution_hash="",
        execution_status=facts.status,
        executed_at=facts.executed_at,
        executed_by=facts.executed_by,
        run_id=facts.run_id,
        retry_plan_id=facts.retry_plan_id,
        approval_decision_id=facts.approval_decision_id,
        approval_plan_id=facts.approval_plan_id,
        delivery_id=facts.delivery_id,
        audit_id=facts.audit_id,
        provider=facts.provider,
        skipped=facts.skipped,
        delivery_metadata_id=facts.delivery_metadata_id,
        delivery_success=facts.status is ResultState.DELIVERED,
        public_evidence_refs=[facts.delivery_metadata_id] if facts.delivery_metadata_id else [],
    )
    unhashed = {name: value for name, value in ledger.jsonable(record).items() if name != "execution_hash"}
    record = replace(record, execution_hash=hashlib.sha256(rfc8785.dumps(unhashed)).hexdigest())
    return ledger.row(
        MetadataKind.EXECUTION_RECORD,
        session_id=record.execution_id,
        signer=facts.executed_by,
        at=at,
        record=record,
        decision_count=1,
        connector_delivery_source=facts.source,
        provider=facts.provider,
        audit_id=facts.audit_id,
        delivery_id=facts.delivery_id,
        delivery_success=record.delivery_success,
    )


def as_stored(line: tuple[object, ...]) -> dict[str, Any]:
    return dict(zip(ledger.COLUMNS, line, strict=True))


def assert_says(line: tuple[object, ...], expected: HistoryRow) -> None:
    """The line's body is the record in RFC 8785 form, and its columns are what the general way would store."""
    body = as_stored(line)["body"]
    assert isinstance(body, str)
    assert body.encode() == rfc8785.dumps(ledger.jsonable(expected))
    assert as_stored(line) == as_stored(ledger._columns(expected))


@pytest.mark.django_db
@same
@given(kind=st.sampled_from(KINDS), facts=attempts(), signer=signers, at=moments)
def test_an_attempts_line_is_what_the_record_and_a_general_encoder_make(
    kind: MetadataKind, facts: AttemptFacts, signer: str, at: datetime
) -> None:
    assert_says(attempt_line(kind, facts, signer=signer, at=at), expected_attempt(kind, facts, signer=signer, at=at))


@pytest.mark.django_db
@same
@given(facts=executions(), at=moments)
def test_an_executions_line_is_what_the_record_and_a_general_encoder_make(facts: ExecutionFacts, at: datetime) -> None:
    assert_says(execution_line(facts, at=at), expected_execution(facts, at=at))


@pytest.mark.django_db
@settings(same, max_examples=30)
@given(kind=st.sampled_from(KINDS), attempt=attempts(), execution=executions(), signer=signers, at=moments)
def test_lines_come_back_as_they_were_written(
    kind: MetadataKind, attempt: AttemptFacts, execution: ExecutionFacts, signer: str, at: datetime
) -> None:
    wanted = [expected_attempt(kind, attempt, signer=signer, at=at), expected_execution(execution, at=at)]
    lines = [attempt_line(kind, attempt, signer=signer, at=at), execution_line(execution, at=at)]
    with transaction.atomic():
        with connection.cursor() as cursor:
            bulk.insert(cursor, EvidenceEntry, ledger.COLUMNS, lines)
        assert ledger.find([row.session_id for row in wanted]) == {row.session_id: row for row in wanted}
        transaction.set_rollback(True)


def test_a_line_is_named_after_what_it_says_so_that_it_can_be_said_once() -> None:
    named = {attempt_entry_id(kind, "gordackevent-1", number) for kind in KINDS for number in (1, 2)}
    assert len(named) == 8
    assert execution_id("gordackworker-1", 12) != execution_id("gordackworker-1", 2)
    assert execution_id("gordackworker-1", 12).startswith("gordackretryexec-")
