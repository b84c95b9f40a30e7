"""Which drills want a notification."""

from datetime import UTC, datetime, timedelta

import pytest

from rollback_audit.planning.drills import ACTION, REASON, DrillAction, DrillCategory, alert_level, category
from rollback_audit.states import AlertLevel

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("next_due_at", "expected"),
    [
        (NOW - MOMENT, DrillCategory.STALE),
        (NOW, DrillCategory.DUE_SOON),
        (NOW + timedelta(days=14), DrillCategory.DUE_SOON),
        (NOW + timedelta(days=14) + MOMENT, DrillCategory.SCHEDULED),
        (NOW - timedelta(days=400), DrillCategory.STALE),
    ],
)
def test_how_a_drill_stands_against_its_due_moment(next_due_at: datetime, expected: DrillCategory) -> None:
    assert category(next_due_at, now=NOW) is expected


def test_only_a_stale_drill_escalates() -> None:
    assert [word for word, action in ACTION.items() if action is DrillAction.ESCALATE] == [DrillCategory.STALE]
    assert set(ACTION) == set(REASON) == set(DrillCategory)


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        ([], AlertLevel.HEALTHY),
        ([DrillCategory.SCHEDULED], AlertLevel.HEALTHY),
        ([DrillCategory.SCHEDULED, DrillCategory.DUE_SOON], AlertLevel.WARNING),
        ([DrillCategory.DUE_SOON, DrillCategory.STALE], AlertLevel.CRITICAL),
    ],
)
def test_the_alert_level_of_a_notification_plan(categories: list[DrillCategory], expected: AlertLevel) -> None:
    assert alert_level(categories) is expected
