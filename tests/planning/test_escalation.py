"""Which recovery escalates, and to what level: a table of cases, to the microsecond."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_audit.planning import escalation
from rollback_audit.planning.escalation import DEFAULT_POLICY, EscalationPolicy
from rollback_audit.states import AlertLevel, EscalationLevel

FAILED_AT = datetime(2026, 3, 29, 0, 45, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
AT_RISK, BREACHED, OVERDUE = EscalationLevel


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


# What has passed, the objective, the share that is a risk, the least level asked for, and the level.
CASES = [
    (minutes(0), 240, 75, AT_RISK, None),
    (minutes(180) - MICROSECOND, 240, 75, AT_RISK, None),
    (minutes(180), 240, 75, AT_RISK, AT_RISK),
    (minutes(240) - MICROSECOND, 240, 75, AT_RISK, AT_RISK),
    (minutes(240), 240, 75, AT_RISK, BREACHED),
    (minutes(480) - MICROSECOND, 240, 75, AT_RISK, BREACHED),
    (minutes(480), 240, 75, AT_RISK, OVERDUE),
    (timedelta(days=400), 240, 75, AT_RISK, OVERDUE),
    # A share of 100 leaves no time between a risk and a breach; one of 1 is a risk almost at once.
    (minutes(240) - MICROSECOND, 240, 100, AT_RISK, None),
    (minutes(240), 240, 100, AT_RISK, BREACHED),
    (minutes(2.4), 240, 1, AT_RISK, AT_RISK),
    (minutes(2.4) - MICROSECOND, 240, 1, AT_RISK, None),
    # The shortest objective.
    (timedelta(seconds=45), 1, 75, AT_RISK, AT_RISK),
    (timedelta(seconds=60), 1, 75, AT_RISK, BREACHED),
    (timedelta(seconds=120), 1, 75, AT_RISK, OVERDUE),
    # Below the least level there is nothing.
    (minutes(200), 240, 75, BREACHED, None),
    (minutes(240), 240, 75, BREACHED, BREACHED),
    (minutes(240), 240, 75, OVERDUE, None),
    (minutes(480), 240, 75, OVERDUE, OVERDUE),
    # A clock that stands before the failure is no reason to escalate.
    (minutes(-5), 240, 75, AT_RISK, None),
]


@pytest.mark.parametrize(("passed", "slo", "percent", "least", "expected"), CASES)
def test_the_table(
    passed: timedelta, slo: int, percent: int, least: EscalationLevel, expected: EscalationLevel | None
) -> None:
    policy = EscalationPolicy(recovery_slo_minutes=slo, at_risk_percent=percent, minimum_level=least)
    assert escalation.level(FAILED_AT, now=FAILED_AT + passed, policy=policy) is expected


@given(st.integers(0, 10**10), st.integers(0, 10**10))
def test_a_recovery_that_stays_open_never_falls_to_a_milder_level(earlier: int, later: int) -> None:
    order = [None, *EscalationLevel]
    first, second = sorted((earlier, later))
    levels = [
        escalation.level(FAILED_AT, now=FAILED_AT + passed * MICROSECOND, policy=DEFAULT_POLICY)
        for passed in (first, second)
    ]
    assert order.index(levels[0]) <= order.index(levels[1])


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([], AlertLevel.HEALTHY),
        ([AT_RISK, AT_RISK], AlertLevel.WARNING),
        ([AT_RISK, BREACHED], AlertLevel.CRITICAL),
        ([OVERDUE], AlertLevel.CRITICAL),
    ],
)
def test_the_gravest_recovery_sets_the_alert(levels: list[EscalationLevel], expected: AlertLevel) -> None:
    assert escalation.alert_level(levels) is expected


def test_overdue_recoveries_are_breached_ones_too() -> None:
    assert escalation.counts([AT_RISK, BREACHED, OVERDUE, OVERDUE]) == (4, 1, 3, 2)


@pytest.mark.parametrize(
    ("passed", "expected"),
    [(minutes(-1), 0), (timedelta(seconds=59), 0), (minutes(61.5), 61), (timedelta(days=1), 1440)],
)
def test_minutes_are_whole_and_never_negative(passed: timedelta, expected: int) -> None:
    assert escalation.elapsed_minutes(FAILED_AT, now=FAILED_AT + passed) == expected


def test_every_level_has_its_sentence() -> None:
    assert set(escalation.REASONS) == set(EscalationLevel)
