"""The ledger's general way in and out: canonical, once only, in the caller's transaction."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import rfc8785
from django.db import IntegrityError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_audit.engine import ledger
from rollback_audit.models import EvidenceEntry
from rollback_audit.records.history import HistoryRow
from rollback_audit.states import AlertLevel, MetadataKind

AT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
ascii_keys = st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ascii_keys, inner, max_size=4)
)


def row(session_id: str = "gordackretry-1", **index: Any) -> HistoryRow:
    record = {"alert_level": AlertLevel.WARNING, "at": AT, "ratio": 2.0, "share": 0.5, "list": (1, None)}
    return ledger.row(MetadataKind.RETRY_PLAN, session_id=session_id, signer="owner", at=AT, record=record, **index)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(value=st.dictionaries(ascii_keys, values, max_size=5))
def test_the_quick_encoder_gives_the_bytes_of_a_general_one(value: dict[str, Any]) -> None:
    assert ledger.canonical_text(value).encode() == rfc8785.dumps(value)


@pytest.mark.parametrize("ratio", [0.1, 0.25, 1.1, 1.5, 2.5, 3.14, 9.99, 0.001])
def test_short_decimals_are_written_alike(ratio: float) -> None:
    assert ledger.canonical_text({"ratio": ratio}).encode() == rfc8785.dumps({"ratio": ratio})


def test_what_is_not_a_number_is_refused() -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON compliant"):
            ledger.canonical_text({"ratio": value})


def test_records_become_json_types() -> None:
    assert row().record == {
        "alert_level": "warning",
        "at": "2026-03-29T01:30:00+00:00",
        "ratio": 2,
        "share": 0.5,
        "list": [1, None],
    }
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert ledger.jsonable(elsewhere) == ledger.jsonable(AT)


@pytest.mark.django_db
def test_a_row_comes_back_as_it_was_appended() -> None:
    index = {"provider": "webhook", "delivery_success": False, "status_codes": [503], "cadence": "daily"}
    rows = [row("gordackretry-1"), row("gordackretry-2", **index)]
    ledger.append(rows)
    found = ledger.find(["gordackretry-1", "gordackretry-2", "gordackretry-3"])
    assert found == {item.session_id: item for item in rows}
    stored = EvidenceEntry.objects.get(entry_id="gordackretry-2")
    assert (stored.provider, stored.delivery_success, stored.cadence) == ("webhook", False, "daily")
    assert rfc8785.dumps(json.loads(stored.body)).decode() == stored.body


@pytest.mark.django_db
def test_the_database_takes_a_session_id_once() -> None:
    ledger.append([row()])
    with pytest.raises(IntegrityError), transaction.atomic():
        ledger.append([row()])


@pytest.mark.django_db
def test_a_change_that_is_taken_back_leaves_no_line() -> None:
    with transaction.atomic():
        ledger.append([row()])
        transaction.set_rollback(True)
    assert not EvidenceEntry.objects.exists()


def test_new_ids_are_new() -> None:
    assert len({ledger.new_entry_id() for _ in range(1_000)}) == 1_000
