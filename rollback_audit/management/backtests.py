"""What `cavra plan --what-if` reads and prints: a policy and a moment as people type them, a back-test as a table."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from rollback_audit.errors import InvalidInput
from rollback_audit.planning.facts import RetryPolicy
from rollback_audit.planning.policy import policy_from
from rollback_audit.records.backtests import (
    BackTestDifferenceRecord,
    BackTestRecord,
    PolicyFiguresRecord,
    RetryPolicyRecord,
)

_SPAN = re.compile(r"(\d{1,5})([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_NOT_A_POLICY = "Expected a JSON object, or names and values: max_retry_attempts=5,retry_delay_minutes=5"


def read_policy(text: str) -> RetryPolicy:
    """`{"retry_delay_minutes": 5}` or `retry_delay_minutes=5,max_retries=4`. Raises InvalidInput."""
    values = _json(text) if text.lstrip().startswith("{") else dict(_pairs(text))
    if not isinstance(values, dict):
        raise InvalidInput({"what-if": [_NOT_A_POLICY]})
    return policy_from(values)


def _pairs(text: str) -> Iterator[tuple[str, Any]]:
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = pair.partition("=")
        if not equals:
            raise InvalidInput({"what-if": [_NOT_A_POLICY]})
        yield name.strip(), _json(value.strip())


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput({"what-if": [_NOT_A_POLICY]}) from None


def read_since(text: str, *, now: datetime) -> datetime:
    """`7d`, `12h` or `30m` before now, or an ISO 8601 moment, which is UTC unless it says otherwise."""
    if span := _SPAN.fullmatch(text):
        return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput({"since": ["Expected 7d, 12h, 30m, or a moment such as 2026-01-31T12:00Z."]}) from None


def as_table(record: BackTestRecord) -> str:
    """The two policies side by side, then what the proposed one changes, then what the figures rest on."""
    policies, figures = (record.present_policy, record.proposed_policy), (record.present, record.proposed)
    changes = record.difference
    return "\n".join(
        [
            f"First failures since {record.since:%Y-%m-%d %H:%M} UTC: {record.delivery_count:,}",
            f"Outages of their connectors: {record.outage_count:,}",
            "",
            _line("", "present", "proposed"),
            *(_line(name, *(getattr(side, name) for side in policies)) for name in RetryPolicyRecord.__slots__),
            "",
            *(_line(name, *(getattr(side, name) for side in figures)) for name in PolicyFiguresRecord.__slots__),
            "",
            _line("", "", "difference"),
            *(_line(name, "", getattr(changes, name)) for name in BackTestDifferenceRecord.__slots__),
            "",
            *record.assumptions,
        ]
    )


def _line(name: str, *values: object) -> str:
    return (f"{name:<24}" + "".join(f"{_drawn(value):>14}" for value in values)).rstrip()


def _drawn(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}"
    return "-" if value is None else str(value)
