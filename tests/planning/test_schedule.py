"""Windows of a schedule, and how loud a plan and the dashboard are."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_audit.planning.schedule import dashboard_alert_level, plan_alert_level, schedule_window
from rollback_audit.states import AlertLevel
from tests.planning.given import moments


def at(hour: int, minute: int, second: int = 0, microsecond: int = 0, *, day: int = 29) -> datetime:
    return datetime(2026, 3, day, hour, minute, second, microsecond, tzinfo=UTC)


@pytest.mark.parametrize(
    ("interval", "now", "start", "end"),
    [
        (1, at(13, 7, 59, 999_999), at(13, 7), at(13, 8)),
        (7, at(13, 13), at(13, 7), at(13, 14)),
        (7, at(13, 14), at(13, 14), at(13, 21)),
        # Under an hour the minute is floored inside its hour, so the hour's last window reaches into the next.
        (7, at(13, 59), at(13, 56), at(14, 3)),
        (7, at(14, 0), at(14, 0), at(14, 7)),
        (30, at(13, 29, 59), at(13, 0), at(13, 30)),
        (30, at(13, 30), at(13, 30), at(14, 0)),
        (45, at(13, 44), at(13, 0), at(13, 45)),
        (45, at(13, 45), at(13, 45), at(14, 30)),
        (59, at(13, 58), at(13, 0), at(13, 59)),
        (59, at(13, 59), at(13, 59), at(14, 58)),
        (60, at(13, 59, 59), at(13, 0), at(14, 0)),
        # From an hour on, intervals count from midnight.
        (90, at(1, 29), at(0, 0), at(1, 30)),
        (90, at(1, 30), at(1, 30), at(3, 0)),
        (90, at(23, 59), at(22, 30), at(0, 0, day=30)),
        (1_440, at(23, 59, 59), at(0, 0), at(0, 0, day=30)),
        (1_440, at(0, 0, day=30), at(0, 0, day=30), at(0, 0, day=31)),
        (10_080, at(17, 12), at(0, 0), at(0, 0) + timedelta(days=7)),
    ],
)
def test_the_window_that_holds_a_moment(interval: int, now: datetime, start: datetime, end: datetime) -> None:
    assert schedule_window(now, interval_minutes=interval) == (start, end)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(now=moments, interval=st.integers(1, 10_080))
def test_a_window_holds_its_moment_and_begins_where_it_is_asked_from(now: datetime, interval: int) -> None:
    window = schedule_window(now, interval_minutes=interval)
    assert window.start <= now < window.end
    assert window.end - window.start == timedelta(minutes=interval)
    assert schedule_window(window.start, interval_minutes=interval) == window


@pytest.mark.parametrize(
    ("retryable", "waiting", "level"),
    [
        (0, 0, AlertLevel.HEALTHY),
        (0, 1, AlertLevel.WARNING),
        (1, 0, AlertLevel.CRITICAL),
        (1, 1, AlertLevel.CRITICAL),
    ],
)
def test_a_plan_is_as_loud_as_its_most_pressing_decision(retryable: int, waiting: int, level: AlertLevel) -> None:
    assert plan_alert_level(retryable_count=retryable, waiting_count=waiting) is level


@pytest.mark.parametrize(
    ("retryable", "succeeded", "level"),
    [
        (0, None, AlertLevel.HEALTHY),
        (0, False, AlertLevel.HEALTHY),
        (1, None, AlertLevel.CRITICAL),
        (1, False, AlertLevel.CRITICAL),
        (1, True, AlertLevel.WARNING),
    ],
)
def test_the_dashboard_is_critical_while_failures_may_be_retried_and_nobody_has(
    retryable: int, succeeded: bool | None, level: AlertLevel
) -> None:
    assert dashboard_alert_level(retryable_count=retryable, last_live_run_succeeded=succeeded) is level
