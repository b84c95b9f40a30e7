"""What a person reads of an event in a chat, a ticket or a page: short, plain, and never more than its public summary.

Those receivers get a notice and not the record: it names the audit, the delivery and the event, by which the record is
found. Every part is bounded, so that a vendor's limits hold whatever the event says.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollback_audit.delivery.contract import Envelope
from rollback_audit.states import AlertLevel

MAX_HEADLINE = 150
MAX_VALUE = 200
MAX_FACTS = 10

_IDS = ("audit_id", "delivery_id")
_NAMESPACE = "cavra.go_backend."
_NOT_A_WORD = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """`headline` is letters, digits and a colon, at most MAX_HEADLINE. `facts` are at most MAX_FACTS names and values,
    single lines of printable text, in the order to show them. `level` is None for an event that has none.
    """

    headline: str
    level: AlertLevel | None
    facts: tuple[tuple[str, str], ...]

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(f"{name}: {value}" for name, value in self.facts)


def notice_of(envelope: Envelope) -> Notice:
    """The notice of an event. One without a summary, or that is no JSON object, is named by its type and ids alone."""
    summary = _summary(envelope.event)
    level = _level(summary)
    what = _NOT_A_WORD.sub(" ", envelope.event_type.removeprefix(_NAMESPACE)).strip()[: MAX_HEADLINE - 20]
    first = [("Alert level", level.value)] if level else []
    counts = _counts(summary)
    first += [("Counts", counts)] if counts else []
    ids = [(_label(name), _text(summary[name])) for name in _IDS if name in summary]
    # The idempotency key stands in every notice: by it a reader knows a repeat for what it is.
    ids.append(("Event", envelope.idempotency_key))
    others = [
        (_label(name), _text(value))
        for name, value in summary.items()
        if type(value) in {str, int} and value != "" and name not in {*_IDS, "alert_level"} and not _is_count(name)
    ]
    return Notice(
        headline=f"{what[:1].upper()}{what[1:]}: {level.value}" if level else f"{what[:1].upper()}{what[1:]}",
        level=level,
        facts=(*first, *others[: MAX_FACTS - len(first) - len(ids)], *ids),
    )


def event_or_size(envelope: Envelope, *, limit: int) -> str:
    """The event's own JSON where it has at most `limit` characters, else a line that says how long it is."""
    text = envelope.event.decode()
    if len(text) <= limit:
        return text
    return f"The event has {len(envelope.event)} bytes, too many to show here."


def _summary(event: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(event)
    except (ValueError, RecursionError):
        return {}
    summary = content.get("summary") if isinstance(content, dict) else None
    return summary if isinstance(summary, dict) else {}


def _level(summary: Mapping[str, Any]) -> AlertLevel | None:
    level = summary.get("alert_level")
    return AlertLevel(level) if isinstance(level, str) and level in set(AlertLevel) else None


def _counts(summary: Mapping[str, Any]) -> str:
    """The counts above zero in one line: `outstanding 2, route 3`."""
    counted = [
        f"{name.removesuffix('_count').replace('_', ' ')} {value}"
        for name, value in summary.items()
        if _is_count(name) and type(value) is int and value > 0
    ]
    return _text(", ".join(counted))


def _is_count(name: str) -> bool:
    return name.endswith("_count")


def _label(name: str) -> str:
    return _text(name.removesuffix("_id").replace("_", " ").capitalize())[:40]


def _text(value: object) -> str:
    text = "".join(character if character.isprintable() else " " for character in str(value))
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"
