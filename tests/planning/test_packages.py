"""The rule behind a package's alert level, case by case."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_audit.planning.packages import (
    PackageCounts,
    RouteStanding,
    alert_level,
    counts,
    delivery_health,
    is_late,
    worst,
)
from rollback_audit.states import OUTSTANDING, AcknowledgementState, AlertLevel

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def route(state: str, *, minutes_ago: float = 10, acknowledgement_minutes: int = 60) -> RouteStanding:
    return RouteStanding(state, NOW - timedelta(minutes=minutes_ago), acknowledgement_minutes)


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([], AlertLevel.HEALTHY),
        ([route("acknowledged")], AlertLevel.HEALTHY),
        ([route("resolved")], AlertLevel.HEALTHY),
        ([route("dismissed")], AlertLevel.HEALTHY),
        ([route(OUTSTANDING)], AlertLevel.WARNING),
        ([route(OUTSTANDING, minutes_ago=59.999)], AlertLevel.WARNING),
        ([route(OUTSTANDING, minutes_ago=60)], AlertLevel.CRITICAL),
        ([route(OUTSTANDING, minutes_ago=61)], AlertLevel.CRITICAL),
        ([route("escalated")], AlertLevel.CRITICAL),
        ([route("acknowledged", minutes_ago=10_000)], AlertLevel.HEALTHY),
        ([route("resolved"), route(OUTSTANDING)], AlertLevel.WARNING),
        ([route(OUTSTANDING), route("escalated")], AlertLevel.CRITICAL),
        ([route(OUTSTANDING), route(OUTSTANDING, minutes_ago=61)], AlertLevel.CRITICAL),
    ],
)
def test_the_alert_level_of_a_package(routes: list[RouteStanding], expected: AlertLevel) -> None:
    assert alert_level(routes, now=NOW) is expected


def test_an_answered_route_is_never_late() -> None:
    assert not is_late(route("acknowledged", minutes_ago=10_000), now=NOW)


def test_no_routes_count_nothing() -> None:
    assert counts([]) == PackageCounts(0, 0, 0, 0, 0, 0, 0)


@given(st.lists(st.sampled_from([OUTSTANDING, *AcknowledgementState])))
def test_the_counts_add_up(states: list[str]) -> None:
    found = counts([route(state) for state in states])
    assert found.route_count == found.acknowledgement_count + found.outstanding_count
    answered = found.acknowledged_count + found.resolved_count + found.escalated_count + found.dismissed_count
    assert found.acknowledgement_count == answered


@pytest.mark.parametrize(
    ("delivered_count", "failed_count", "expected"),
    [
        (0, 0, AlertLevel.HEALTHY),
        (5, 0, AlertLevel.HEALTHY),
        (5, 1, AlertLevel.WARNING),
        (0, 1, AlertLevel.CRITICAL),
    ],
)
def test_the_health_of_deliveries(delivered_count: int, failed_count: int, expected: AlertLevel) -> None:
    assert delivery_health(delivered_count=delivered_count, failed_count=failed_count) is expected


def test_the_worst_level_wins() -> None:
    assert worst(AlertLevel.HEALTHY, AlertLevel.CRITICAL, AlertLevel.WARNING) is AlertLevel.CRITICAL
    assert worst() is AlertLevel.HEALTHY
