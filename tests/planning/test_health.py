"""What is wrong, as a table of facts; and which of it is told now."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollback_audit.planning import health
from rollback_audit.planning.health import Condition, ConnectorFacts, DrillFacts, HealthFacts, Known, ScheduleFacts
from rollback_audit.states import AcknowledgementState, AlertLevel, ConnectorStanding, HealthCode

NOW = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
A_MOMENT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
HABIT = (False, *[True] * 7)
WELL = HealthFacts(
    now=NOW,
    last_run_at=NOW - timedelta(minutes=5),
    watched_since=NOW - timedelta(days=30),
    live_run_at=NOW - HOUR,
    live_run_succeeded=True,
    last_plan_at=NOW - timedelta(minutes=5),
    retryable_count=0,
    schedules=(ScheduleFacts("retry-worker-dry-run", True),),
    connectors=(ConnectorFacts("siem", sent_by_day=[True] * 8),),
    drills=(DrillFacts("payments", NOW - HOUR, NOW - timedelta(days=14)),),
)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def siem(**changes: Any) -> dict[str, Any]:
    return {"connectors": (ConnectorFacts("siem", **changes),)}


def found(**changes: Any) -> list[Condition]:
    return health.conditions(WELL._replace(**changes), expected_interval_minutes=30, stale_metadata_minutes=120)


def keys(**changes: Any) -> list[str]:
    return [condition.key for condition in found(**changes)]


def test_a_worker_that_does_its_work_is_healthy() -> None:
    assert found() == []
    assert health.alert_level(found()) is AlertLevel.HEALTHY


MISSED, FAILED = "missed_worker_run:retry-worker", "failed_worker_run:retry-worker"
RETRYABLE, STALE = "retryable_deliveries:retry-worker", "stale_retry_plan:retry-worker"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"last_run_at": ago(minutes=60) + A_MOMENT}, []),
        ({"last_run_at": ago(minutes=60)}, [MISSED]),
        ({"last_run_at": None, "watched_since": ago(minutes=59)}, []),
        ({"last_run_at": None, "watched_since": ago(minutes=60)}, [MISSED]),
        ({"last_run_at": None, "watched_since": None}, [MISSED]),
        ({"live_run_succeeded": False}, [FAILED]),
        ({"live_run_succeeded": False, "live_run_at": ago(hours=24) + A_MOMENT}, [FAILED]),
        ({"live_run_succeeded": False, "live_run_at": ago(hours=24)}, []),
        ({"live_run_succeeded": False, "live_run_at": None}, []),
        ({"retryable_count": 1}, [RETRYABLE]),
        ({"retryable_count": 1, "last_plan_at": ago(minutes=120) + A_MOMENT}, [RETRYABLE]),
        ({"retryable_count": 1, "last_plan_at": ago(minutes=120)}, [RETRYABLE, STALE]),
        ({"retryable_count": 1, "last_plan_at": None}, [RETRYABLE, STALE]),
        ({"last_plan_at": None}, []),
        ({"schedules": (ScheduleFacts("nightly", False),)}, ["disabled_schedule:nightly"]),
        (siem(standing=ConnectorStanding.CREDENTIAL_REFUSED), ["connector_failure:siem"]),
        (siem(standing=ConnectorStanding.ADDRESS_REFUSED), ["connector_failure:siem"]),
        (siem(standing=ConnectorStanding.MISCONFIGURED), ["connector_failure:siem"]),
        (siem(standing=ConnectorStanding.CIRCUIT_OPEN), ["connector_failure:siem"]),
        (siem(standing=ConnectorStanding.DISABLED), []),
        (siem(standing=ConnectorStanding.UNKNOWN), []),
        (siem(failing_count=1), []),
        (siem(failing_count=2), ["connector_failure:siem"]),
        (siem(sent_by_day=HABIT), ["silent_connector:siem"]),
        (siem(sent_by_day=[True]), []),
        (siem(sent_by_day=(*HABIT[:7], False)), []),
        (siem(sent_by_day=(*HABIT[:3], False, *HABIT[4:])), []),
        (siem(sent_by_day=HABIT[:7]), []),
        (siem(sent_by_day=HABIT, standing=ConnectorStanding.DISABLED), []),
        ({"drills": (DrillFacts("payments", NOW, None),)}, ["silent_drill:payments"]),
        ({"drills": (DrillFacts("payments", NOW + A_MOMENT, None),)}, []),
        ({"drills": (DrillFacts("payments", NOW, ago(days=14)),)}, []),
        ({"drills": (DrillFacts("payments", NOW, ago(days=14) - A_MOMENT),)}, ["silent_drill:payments"]),
    ],
)
def test_a_condition_holds_from_its_moment_on(changes: dict[str, Any], expected: list[str]) -> None:
    assert keys(**changes) == expected


@pytest.mark.parametrize(
    ("by_failures", "step", "severity"),
    [
        ({1: 9}, 0, None),
        ({1: 9, 2: 1}, 50, AlertLevel.WARNING),
        ({2: 1, 3: 1}, 100, AlertLevel.CRITICAL),
        ({7: 1}, 100, AlertLevel.CRITICAL),
    ],
)
def test_the_ladder_shows_its_highest_step(by_failures: dict[int, int], step: int, severity: AlertLevel | None) -> None:
    (reached,) = found(**siem(by_failures=by_failures)) or (None,)
    assert (reached.level_percent if reached else 0) == step
    assert (reached.severity if reached else None) is severity


@pytest.mark.parametrize(
    ("failures", "step"), [(4, 0), (5, 50), (6, 50), (7, 70), (8, 70), (9, 90), (10, 100), (11, 100)]
)
def test_every_step_of_the_ladder_is_taken(failures: int, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "DEFAULT_POLICY", health.DEFAULT_POLICY._replace(max_retry_attempts=10))
    (reached,) = found(**siem(by_failures={failures: 1})) or (None,)
    assert (reached.level_percent if reached else 0) == step


def test_conditions_come_gravest_first_then_by_key() -> None:
    everything = found(
        last_run_at=None, watched_since=None, retryable_count=3, last_plan_at=None, **siem(sent_by_day=HABIT)
    )
    assert [condition.key for condition in everything] == [MISSED, RETRYABLE, "silent_connector:siem", STALE]
    assert health.alert_level(everything) is AlertLevel.CRITICAL


@pytest.mark.parametrize("code", HealthCode)
def test_every_condition_says_what_to_do(code: HealthCode) -> None:
    assert health.RECOMMENDATIONS[code].endswith(".")


DOWN = Condition(HealthCode.CONNECTOR_FAILURE, "siem", AlertLevel.WARNING, "Down.")
UP_THE_LADDER = Condition(HealthCode.ATTEMPTS_NEARING_LIMIT, "siem", AlertLevel.WARNING, "Few left.", 70)
TOLD = Known(True, NOW - HOUR / 2, AlertLevel.WARNING, 0, None)


def told(condition: Condition, known: Known | None, *, force: bool = False) -> str:
    before = {condition.key: known} if known else {}
    verdict = health.tellings([condition], before, now=NOW, window=HOUR, force=force)
    (word,) = [name for name in ("begun", "again", "suppressed") if getattr(verdict, name)]
    return word


@pytest.mark.parametrize(
    ("known", "word"),
    [
        (None, "begun"),
        (TOLD, "suppressed"),
        (TOLD._replace(last_told_at=NOW - HOUR + A_MOMENT), "suppressed"),
        (TOLD._replace(last_told_at=NOW - HOUR), "again"),
        (TOLD._replace(is_open=False), "suppressed"),
        (TOLD._replace(is_open=False, last_told_at=NOW - HOUR), "begun"),
        *(
            (TOLD._replace(last_told_at=NOW - 9 * HOUR, acknowledgement_state=state), word)
            for state, word in {
                AcknowledgementState.ACKNOWLEDGED: "suppressed",
                AcknowledgementState.DISMISSED: "suppressed",
                AcknowledgementState.RESOLVED: "suppressed",
                AcknowledgementState.ESCALATED: "again",
            }.items()
        ),
    ],
)
def test_a_condition_is_told_once_for_each_window(known: Known | None, word: str) -> None:
    assert told(DOWN, known) == word


def test_what_got_worse_is_told_at_once_acknowledged_or_not() -> None:
    known = TOLD._replace(level_percent=50, acknowledgement_state=AcknowledgementState.DISMISSED)
    assert told(UP_THE_LADDER, known) == "again"
    assert told(UP_THE_LADDER, known._replace(level_percent=70)) == "suppressed"
    assert told(UP_THE_LADDER._replace(severity=AlertLevel.CRITICAL), known._replace(level_percent=90)) == "again"
    assert told(UP_THE_LADDER, known._replace(is_open=False)) == "begun"


def test_force_tells_it_again() -> None:
    assert told(DOWN, TOLD, force=True) == "again"
    assert told(DOWN, TOLD._replace(is_open=False), force=True) == "begun"


def test_an_end_is_told_of_what_was_open_only() -> None:
    known = {"b": TOLD, "a": TOLD, "gone": TOLD._replace(is_open=False), DOWN.key: TOLD}
    assert health.tellings([DOWN], known, now=NOW, window=HOUR).ended == ["a", "b"]


def test_a_silent_connector_is_not_said_to_fail() -> None:
    silent = DOWN._replace(code=HealthCode.SILENT_CONNECTOR, subject="chat")
    assert health.failing([DOWN, silent]) == {DOWN.subject}
