"""What an acknowledgement audit package says of its routes: counts and alert level."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from rollback_audit.states import OUTSTANDING, AcknowledgementState, AlertLevel

_SEVERITY = (AlertLevel.HEALTHY, AlertLevel.WARNING, AlertLevel.CRITICAL)


class RouteStanding(NamedTuple):
    """A route as it stands: its latest acknowledgement's state, or `outstanding` since `waiting_since`."""

    acknowledgement_state: str
    waiting_since: datetime
    acknowledgement_minutes: int


class PackageCounts(NamedTuple):
    """route_count = acknowledgement_count + outstanding_count; acknowledgement_count = the four states' sum."""

    route_count: int
    acknowledgement_count: int
    acknowledged_count: int
    resolved_count: int
    escalated_count: int
    dismissed_count: int
    outstanding_count: int


def counts(routes: Sequence[RouteStanding]) -> PackageCounts:
    """How many routes stand in each state."""
    states = Counter(route.acknowledgement_state for route in routes)
    return PackageCounts(
        route_count=len(routes),
        acknowledgement_count=len(routes) - states[OUTSTANDING],
        acknowledged_count=states[AcknowledgementState.ACKNOWLEDGED],
        resolved_count=states[AcknowledgementState.RESOLVED],
        escalated_count=states[AcknowledgementState.ESCALATED],
        dismissed_count=states[AcknowledgementState.DISMISSED],
        outstanding_count=states[OUTSTANDING],
    )


def is_late(route: RouteStanding, *, now: datetime) -> bool:
    """Whether an outstanding route has waited for its acknowledgement_minutes; `now` equal to the end is late."""
    if route.acknowledgement_state != OUTSTANDING:
        return False
    return now - route.waiting_since >= timedelta(minutes=route.acknowledgement_minutes)


def alert_level(routes: Iterable[RouteStanding], *, now: datetime) -> AlertLevel:
    """Critical if any route is escalated or late, else warning if any is outstanding, else healthy."""
    level = AlertLevel.HEALTHY
    for route in routes:
        if route.acknowledgement_state == AcknowledgementState.ESCALATED or is_late(route, now=now):
            return AlertLevel.CRITICAL
        if route.acknowledgement_state == OUTSTANDING:
            level = AlertLevel.WARNING
    return level


def delivery_health(*, delivered_count: int, failed_count: int) -> AlertLevel:
    """Healthy while nothing stands failed, critical if nothing got through at all, else warning."""
    if not failed_count:
        return AlertLevel.HEALTHY
    return AlertLevel.WARNING if delivered_count else AlertLevel.CRITICAL


def worst(*levels: AlertLevel) -> AlertLevel:
    """The gravest of the levels."""
    return max(levels, key=_SEVERITY.index, default=AlertLevel.HEALTHY)
