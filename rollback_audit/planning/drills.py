"""Which drills want a notification now, and how urgently."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from rollback_audit.states import AlertLevel

DUE_SOON = timedelta(days=14)


class DrillCategory(StrEnum):
    """How a drill stands against its due moment. `scheduled` is neither due soon nor stale."""

    DUE_SOON = "due_soon"
    STALE = "stale"
    SCHEDULED = "scheduled"


class DrillAction(StrEnum):
    """What a route asks for: a stale drill goes to the escalation owner as well."""

    NOTIFY = "notify"
    ESCALATE = "escalate"


ACTION: dict[DrillCategory, DrillAction] = {
    DrillCategory.DUE_SOON: DrillAction.NOTIFY,
    DrillCategory.STALE: DrillAction.ESCALATE,
    DrillCategory.SCHEDULED: DrillAction.NOTIFY,
}
REASON: dict[DrillCategory, str] = {
    DrillCategory.DUE_SOON: "The drill is due within 14 days.",
    DrillCategory.STALE: "The drill is past its due moment.",
    DrillCategory.SCHEDULED: "Asked for before the drill is due.",
}


def category(next_due_at: datetime, *, now: datetime) -> DrillCategory:
    """`now` equal to the due moment is still due; 14 days ahead to the instant is due soon."""
    if next_due_at < now:
        return DrillCategory.STALE
    return DrillCategory.DUE_SOON if next_due_at - now <= DUE_SOON else DrillCategory.SCHEDULED


def alert_level(categories: Iterable[DrillCategory]) -> AlertLevel:
    """Critical if any drill is stale, else warning if any is due soon, else healthy."""
    found = set(categories)
    if DrillCategory.STALE in found:
        return AlertLevel.CRITICAL
    return AlertLevel.WARNING if DrillCategory.DUE_SOON in found else AlertLevel.HEALTHY
