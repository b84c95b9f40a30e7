"""The Retry-After header (RFC 9110, 10.2.3), as a bounded number of seconds."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_SECONDS = 43_200 * 60
_SECONDS = re.compile(r"[0-9]{1,20}")


def seconds_from(value: str, *, answer_date: str | None, now: datetime) -> int | None:
    """Seconds to wait, 0..MAX_SECONDS; None where the value is neither whole seconds nor an HTTP date.

    A date counts from the answer's own Date header, so that a receiver's wrong clock cancels out; without one, from
    `now`.
    """
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return min(int(text), MAX_SECONDS)
    until = _http_date(text)
    if until is None:
        return None
    since = _http_date(answer_date.strip()) if answer_date else None
    return max(0, min(int((until - (since or now)).total_seconds()), MAX_SECONDS))


def _http_date(text: str) -> datetime | None:
    if not text[:1].isalpha():
        return None
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
