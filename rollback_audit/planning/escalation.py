"""Which open recoveries are escalated, and to what level.

The clock of a recovery starts at the first failure of its outage. First match wins:

| time since the first failure | level |
|---|---|
| twice the SLO or more | overdue |
| the SLO or more | breached |
| `at_risk_percent` of the SLO or more | at_risk |
| less | not escalated |
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from rollback_audit.planning.recovery import DEFAULT_SLO_MINUTES
from rollback_audit.states import AlertLevel, EscalationLevel

_ORDER = tuple(EscalationLevel)
_OVERDUE_FACTOR = 2
_MINUTE = timedelta(minutes=1)

REASONS: dict[EscalationLevel, str] = {
    EscalationLevel.AT_RISK: "The recovery is open and nears its objective.",
    EscalationLevel.BREACHED: "The recovery is open past its objective.",
    EscalationLevel.OVERDUE: "The recovery is open for twice its objective or longer.",
}


class EscalationPolicy(NamedTuple):
    """From when on a recovery is escalated. `at_risk_percent` is a share of the SLO, 1 to 100."""

    recovery_slo_minutes: int = DEFAULT_SLO_MINUTES
    at_risk_percent: int = 75
    minimum_level: EscalationLevel = EscalationLevel.AT_RISK


class LevelCounts(NamedTuple):
    """escalation_count = the three levels' sum; slo_breached_count counts the overdue ones too."""

    escalation_count: int
    at_risk_count: int
    slo_breached_count: int
    overdue_count: int


DEFAULT_POLICY = EscalationPolicy()


def level(first_failure_at: datetime, *, now: datetime, policy: EscalationPolicy) -> EscalationLevel | None:
    """The level of an open recovery; None below the policy's `minimum_level`."""
    found = _level(now - first_failure_at, policy)
    return found if found and _ORDER.index(found) >= _ORDER.index(policy.minimum_level) else None


def elapsed_minutes(first_failure_at: datetime, *, now: datetime) -> int:
    """Whole minutes since the first failure, never below 0."""
    return max((now - first_failure_at) // _MINUTE, 0)


def counts(levels: Iterable[EscalationLevel]) -> LevelCounts:
    found = Counter(levels)
    return LevelCounts(
        escalation_count=found.total(),
        at_risk_count=found[EscalationLevel.AT_RISK],
        slo_breached_count=found[EscalationLevel.BREACHED] + found[EscalationLevel.OVERDUE],
        overdue_count=found[EscalationLevel.OVERDUE],
    )


def alert_level(levels: Iterable[EscalationLevel]) -> AlertLevel:
    """Critical if any objective is breached, else warning if any is at risk, else healthy."""
    found = set(levels)
    if found & {EscalationLevel.BREACHED, EscalationLevel.OVERDUE}:
        return AlertLevel.CRITICAL
    return AlertLevel.WARNING if found else AlertLevel.HEALTHY


def _level(elapsed: timedelta, policy: EscalationPolicy) -> EscalationLevel | None:
    objective = timedelta(minutes=policy.recovery_slo_minutes)
    if elapsed >= _OVERDUE_FACTOR * objective:
        return EscalationLevel.OVERDUE
    if elapsed >= objective:
        return EscalationLevel.BREACHED
    # In whole microseconds: a share of a minute must not depend on how floats round.
    return EscalationLevel.AT_RISK if 100 * elapsed >= policy.at_risk_percent * objective else None
