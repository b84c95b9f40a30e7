"""Retry-After, as RFC 9110 writes it and as receivers do."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_audit.delivery.retry_after import MAX_SECONDS, seconds_from

NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
DATE = "Mon, 23 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "answer_date", "seconds"),
    [
        ("120", None, 120),
        (" 120 \r\n", DATE, 120),
        ("0", None, 0),
        ("0000000000000000000120", None, None),
        ("2592001", None, MAX_SECONDS),
        ("99999999999999999999", None, MAX_SECONDS),
        ("Mon, 23 Nov 2026 10:02:00 GMT", None, 120),
        ("Mon, 23 Nov 2026 12:02:00 GMT", DATE, 120),
        ("Mon, 23 Nov 2026 12:02:00 GMT", "no date", 7320),
        ("Monday, 23-Nov-26 10:02:00 GMT", None, 120),
        ("Mon Nov 23 10:02:00 2026", None, 120),
        ("Mon, 23 Nov 2026 09:00:00 GMT", None, 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None, MAX_SECONDS),
        ("Fri, 32 Dec 2026 23:59:59 GMT", None, None),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None, None),
        ("", None, None),
        ("-1", None, None),
        ("1.5", None, None),
        ("1e3", None, None),
        ("0x10", None, None),
        ("\u0661\u0662", None, None),
        ("soon", None, None),
        ("2026-11-23T10:02:00Z", None, None),
    ],
)
def test_seconds_and_dates_are_read_and_anything_else_is_ignored(
    value: str, answer_date: str | None, seconds: int | None
) -> None:
    assert seconds_from(value, answer_date=answer_date, now=NOW) == seconds


@given(value=st.text(max_size=60), answer_date=st.none() | st.text(max_size=60))
def test_no_text_raises_or_leads_out_of_bounds(value: str, answer_date: str | None) -> None:
    seconds = seconds_from(value, answer_date=answer_date, now=NOW)
    assert seconds is None or 0 <= seconds <= MAX_SECONDS
