"""A back-test as a page draws it: the two policies side by side, and their retries as bars of one scale."""

from dataclasses import dataclass
from typing import Any

from rollback_audit.console.charts import Segment, share_bar
from rollback_audit.records.backtests import BackTestRecord, PolicyFiguresRecord, RetryPolicyRecord

_POLICY = {
    "max_retry_attempts": "Most failures",
    "retry_delay_minutes": "First delay (min)",
    "backoff_multiplier": "Multiplier",
    "max_delay_minutes": "Longest delay (min)",
    "jitter_ratio": "Jitter",
    "allow_immediate_retry": "Retry at once",
    "retry_unknown_outcome": "Retry unknown outcomes",
}
_FIGURES = {
    "retry_count": "Retries",
    "wasted_retry_count": "Wasted retries",
    "unproven_retry_count": "Unproven of these",
    "recovered_count": "Recovered",
    "given_up_count": "Given up",
    "waiting_count": "Waiting",
    "median_recovery_minutes": "Median recovery (min)",
    "p95_recovery_minutes": "95th percentile (min)",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison. `change` is proposed minus present, empty where there is none to tell."""

    label: str
    present: str
    proposed: str
    change: str


@dataclass(frozen=True, slots=True)
class RetryBar:
    """One policy's retries: those that recovered something, then those that were wasted."""

    label: str
    figures: PolicyFiguresRecord
    bar: list[Segment]


def policies(record: BackTestRecord) -> list[Row]:
    return _rows(_POLICY, record.present_policy, record.proposed_policy)


def figures(record: BackTestRecord) -> list[Row]:
    return _rows(_FIGURES, record.present, record.proposed)


def retries(record: BackTestRecord) -> list[RetryBar]:
    sides = {"Present": record.present, "Proposed": record.proposed}
    most = max(side.retry_count for side in sides.values())
    return [RetryBar(label, side, _bar(side, most)) for label, side in sides.items()]


def _bar(side: PolicyFiguresRecord, most: int) -> list[Segment]:
    return share_bar({"delivered": side.recovered_count, "open": side.wasted_retry_count}, whole=most)


def _rows(
    labels: dict[str, str],
    present: RetryPolicyRecord | PolicyFiguresRecord,
    proposed: RetryPolicyRecord | PolicyFiguresRecord,
) -> list[Row]:
    pairs = [(label, getattr(present, name), getattr(proposed, name)) for name, label in labels.items()]
    return [Row(label, _drawn(was), _drawn(would_be), _change(was, would_be)) for label, was, would_be in pairs]


def _drawn(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "\N{EN DASH}" if value is None else f"{value:,}"


def _change(was: Any, would_be: Any) -> str:
    if None in (was, would_be) or isinstance(was, bool) or was == would_be:
        return ""
    difference = would_be - was
    return f"{difference:+,}" if isinstance(difference, int) else f"{difference:+,.1f}"
