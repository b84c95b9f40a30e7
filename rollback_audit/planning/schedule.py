"""Schedule windows and alert levels."""

from datetime import datetime, timedelta
from typing import NamedTuple

from rollback_audit.states import AlertLevel

_HOUR = 60


class Window(NamedTuple):
    start: datetime
    end: datetime


def schedule_window(now: datetime, *, interval_minutes: int) -> Window:
    """The window that holds `now` (UTC).

    Under an hour the minute is floored inside its hour; from an hour on, intervals count from midnight.
    """
    if interval_minutes < _HOUR:
        start = now.replace(minute=now.minute // interval_minutes * interval_minutes, second=0, microsecond=0)
    else:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        whole = (now.hour * 60 + now.minute) // interval_minutes
        start = midnight + timedelta(minutes=whole * interval_minutes)
    return Window(start, start + timedelta(minutes=interval_minutes))


def plan_alert_level(*, retryable_count: int, waiting_count: int) -> AlertLevel:
    """Critical if anything may be retried, warning if anything waits."""
    if retryable_count:
        return AlertLevel.CRITICAL
    return AlertLevel.WARNING if waiting_count else AlertLevel.HEALTHY


def dashboard_alert_level(*, retryable_count: int, last_live_run_succeeded: bool | None) -> AlertLevel:
    """Critical while failures may be retried and the last live run is missing (None) or failed."""
    if not retryable_count:
        return AlertLevel.HEALTHY
    return AlertLevel.WARNING if last_live_run_succeeded else AlertLevel.CRITICAL
