"""What a drill schedule and a word on a route may hold. Checked here, so that every door obeys."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from rollback_audit.engine.providers import known
from rollback_audit.errors import InvalidInput, UnknownRecord
from rollback_audit.models import DrillSchedule
from rollback_audit.records.drills import DrillScheduleRecord
from rollback_audit.redaction import check_text
from rollback_audit.states import AcknowledgementState

MOST_NOTES = 2000
MOST_REFERENCE = 200
MOST_INTERVAL_DAYS = 3650
MOST_ACKNOWLEDGEMENT_MINUTES = 525_600

# Ids stand in paths and in digests: letters, digits and three marks, nothing that needs escaping.
_SCHEDULE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Leaves room on either side for time zones and windows.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
CHANGEABLE = frozenset(
    {
        "owner",
        "escalation_owner",
        "providers",
        "interval_days",
        "next_due_at",
        "acknowledgement_minutes",
        "enabled",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteWord:
    """One word of a bulk acknowledgement. An empty `plan_id` means the newest route."""

    schedule_id: str
    provider: str
    acknowledgement_state: AcknowledgementState
    external_ref: str = ""
    notes: str = ""
    plan_id: str = ""


def checked_schedule(schedule: DrillScheduleRecord, *, fields: Collection[str]) -> DrillScheduleRecord:
    """The schedule with these fields in their stored form, or InvalidInput naming every refused one."""
    refused: dict[str, list[str]] = {}
    checks: dict[str, Callable[[], object]] = {
        "schedule_id": lambda: _check_schedule_id(schedule.schedule_id),
        "owner": lambda: check_text("owner", schedule.owner, 128, required=True),
        "escalation_owner": lambda: check_text("escalation_owner", schedule.escalation_owner, 128),
        "providers": lambda: _check_providers(schedule.providers),
        "interval_days": lambda: _check_number("interval_days", schedule.interval_days, MOST_INTERVAL_DAYS),
        "next_due_at": lambda: _check_moment(schedule.next_due_at),
        "acknowledgement_minutes": lambda: _check_number(
            "acknowledgement_minutes", schedule.acknowledgement_minutes, MOST_ACKNOWLEDGEMENT_MINUTES
        ),
        "enabled": lambda: _check_flag(schedule.enabled),
    }
    values: dict[str, Any] = {}
    for name in fields:
        try:
            values[name] = checks[name]()
        except InvalidInput as problem:
            refused |= problem.fields
    if refused:
        raise InvalidInput(refused)
    return replace(schedule, **values)


def _check_schedule_id(value: object) -> str:
    if not isinstance(value, str) or not _SCHEDULE_ID.fullmatch(value):
        raise InvalidInput({"schedule_id": ["1 to 64 letters, digits, dots, dashes or underscores."]})
    return check_text("schedule_id", value, 64)


def _check_providers(value: object) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise InvalidInput({"providers": ["A list of at least one connector's name."]})
    return known("providers", value)


def find_schedule(schedule_id: str) -> DrillSchedule:
    """The schedule, locked until the caller's transaction ends. Raises UnknownRecord."""
    # What cannot be an id is not looked up: a database refuses some characters with an error of its own.
    known = _SCHEDULE_ID.fullmatch(schedule_id) is not None
    row = DrillSchedule.objects.select_for_update().filter(schedule_id=schedule_id).first() if known else None
    if row is None:
        raise UnknownRecord("No drill schedule with this id.")
    return row


def _check_number(field: str, value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise InvalidInput({field: [f"A whole number between 1 and {most}."]})
    return value


def _check_moment(value: object) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None or not _EARLIEST <= value <= _LATEST:
        raise InvalidInput({"next_due_at": ["A moment with its offset, between the years 2000 and 2200."]})
    return value.astimezone(UTC)


def _check_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput({"enabled": ["True or false."]})
    return value


def checked_word(word: RouteWord) -> RouteWord:
    """The word in its stored form, or InvalidInput naming the first refused field."""
    try:
        state = AcknowledgementState(word.acknowledgement_state)
    except ValueError:
        raise InvalidInput({"acknowledgement_state": ["Unknown state."]}) from None
    return replace(
        word,
        schedule_id=check_text("schedule_id", word.schedule_id, 64, required=True),
        provider=check_text("provider", word.provider, 63, required=True),
        plan_id=check_text("plan_id", word.plan_id, 64),
        acknowledgement_state=state,
        external_ref=check_text("external_ref", word.external_ref, MOST_REFERENCE),
        notes=check_text("notes", word.notes, MOST_NOTES, multiline=True),
    )
