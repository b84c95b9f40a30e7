"""Whether the worker does its work: frozen facts in, conditions out; and which of them are worth telling now.

docs/states.md has the table of conditions, tests/planning/test_health.py its cases. A condition is known by its code
and subject, so that the same trouble is the same condition however often it is looked at.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from rollback_audit.planning.drills import DUE_SOON
from rollback_audit.planning.facts import DEFAULT_POLICY
from rollback_audit.planning.packages import worst
from rollback_audit.states import AcknowledgementState, AlertLevel, ConnectorStanding, HealthCode

EXPECTED_INTERVAL_MINUTES = 30
STALE_METADATA_MINUTES = 120
SUPPRESSION_WINDOW_MINUTES = 60
LIVE_RUN_COUNTS_FOR = timedelta(hours=24)
DAY = timedelta(hours=24)
DAYS_OF_HABIT = 7
FAILURES_OF_A_CONNECTOR = 2
LADDER = (50, 70, 90, 100)
CRITICAL_FROM_PERCENT = 90
WORKER = "retry-worker"

_FAILING = frozenset(ConnectorStanding) - {
    ConnectorStanding.READY,
    ConnectorStanding.DISABLED,
    ConnectorStanding.UNKNOWN,
}
_SEVERITY = tuple(AlertLevel)


class ScheduleFacts(NamedTuple):
    """A recurring dry run."""

    name: str
    is_enabled: bool


class ConnectorFacts(NamedTuple):
    """A connector and what is open over it.

    `failing_count` counts failed deliveries that are not given up; `by_failures` maps a number of failures to the open
    deliveries that have as many; `sent_by_day` says whether a delivery was begun in each of the last eight spans of 24
    hours, the present one first, and ends where the rest cannot matter.
    """

    name: str
    standing: ConnectorStanding = ConnectorStanding.READY
    failing_count: int = 0
    by_failures: Mapping[int, int] = {}
    sent_by_day: Sequence[bool] = ()


class DrillFacts(NamedTuple):
    """An enabled drill schedule; `last_notified_at` is its newest route's moment."""

    schedule_id: str
    next_due_at: datetime
    last_notified_at: datetime | None


class HealthFacts(NamedTuple):
    """What there is to judge by. `watched_since` is when a worker was first expected to run, None if never."""

    now: datetime
    last_run_at: datetime | None
    watched_since: datetime | None
    live_run_at: datetime | None
    live_run_succeeded: bool
    last_plan_at: datetime | None
    retryable_count: int
    schedules: Sequence[ScheduleFacts] = ()
    connectors: Sequence[ConnectorFacts] = ()
    drills: Sequence[DrillFacts] = ()


class Condition(NamedTuple):
    """Something that is wrong now. `level_percent` is the step of the ladder, 0 for what has none."""

    code: HealthCode
    subject: str
    severity: AlertLevel
    message: str
    level_percent: int = 0

    @property
    def key(self) -> str:
        return f"{self.code}:{self.subject}"


RECOMMENDATIONS: dict[HealthCode, str] = {
    HealthCode.MISSED_WORKER_RUN: "Start a worker, or look at its logs.",
    HealthCode.FAILED_WORKER_RUN: "Look at the run's results, then plan again.",
    HealthCode.RETRYABLE_DELIVERIES: "Plan, have it approved, and run the worker live.",
    HealthCode.CONNECTOR_FAILURE: "Test the connector; mend its secret, its address or its receiver.",
    HealthCode.STALE_RETRY_PLAN: "Plan again.",
    HealthCode.DISABLED_SCHEDULE: "Enable the schedule again, or make sure that something else plans.",
    HealthCode.SILENT_DRILL: "Send drill notifications, or move the drill's due moment.",
    HealthCode.SILENT_CONNECTOR: "Find out why nothing is sent to it any more; disable it if that is meant.",
    HealthCode.ATTEMPTS_NEARING_LIMIT: "Look at these deliveries before the next retry: few attempts are left.",
}


def conditions(facts: HealthFacts, *, expected_interval_minutes: int, stale_metadata_minutes: int) -> list[Condition]:
    """Everything that is wrong at `facts.now`, gravest first. A span that is over to the instant is over."""
    found = [
        *_of_runs(facts, timedelta(minutes=expected_interval_minutes)),
        *_of_plans(facts, timedelta(minutes=stale_metadata_minutes)),
        *_of_schedules(facts.schedules),
        *(condition for row in facts.connectors for condition in _of_connector(row)),
        *_of_drills(facts.drills, now=facts.now),
    ]
    return sorted(found, key=lambda condition: (-_SEVERITY.index(condition.severity), condition.key))


def alert_level(found: Iterable[Condition]) -> AlertLevel:
    """The gravest severity; healthy without a condition."""
    return worst(*(condition.severity for condition in found))


def _of_runs(facts: HealthFacts, expected: timedelta) -> Iterator[Condition]:
    reference = facts.last_run_at or facts.watched_since
    if reference is None:
        yield Condition(HealthCode.MISSED_WORKER_RUN, WORKER, AlertLevel.CRITICAL, "The retry worker has never run.")
    elif facts.now - reference >= 2 * expected:
        minutes = expected // timedelta(minutes=1)
        said = f"The retry worker has not run for twice the {minutes} minutes expected."
        yield Condition(HealthCode.MISSED_WORKER_RUN, WORKER, AlertLevel.CRITICAL, said)
    recent = facts.live_run_at is not None and facts.now - facts.live_run_at < LIVE_RUN_COUNTS_FOR
    if recent and not facts.live_run_succeeded:
        said = "The newest live run was stopped, or left something that is not delivered."
        yield Condition(HealthCode.FAILED_WORKER_RUN, WORKER, AlertLevel.CRITICAL, said)


def _of_plans(facts: HealthFacts, stale: timedelta) -> Iterator[Condition]:
    if not facts.retryable_count:
        return
    said = f"{_deliveries(facts.retryable_count)} may be retried now."
    yield Condition(HealthCode.RETRYABLE_DELIVERIES, WORKER, AlertLevel.WARNING, said)
    if facts.last_plan_at is None:
        said = "Deliveries may be retried, and nobody has planned it."
        yield Condition(HealthCode.STALE_RETRY_PLAN, WORKER, AlertLevel.WARNING, said)
    elif facts.now - facts.last_plan_at >= stale:
        said = f"Deliveries may be retried, and the newest plan is over {stale // timedelta(minutes=1)} minutes old."
        yield Condition(HealthCode.STALE_RETRY_PLAN, WORKER, AlertLevel.WARNING, said)


def _of_schedules(schedules: Iterable[ScheduleFacts]) -> Iterator[Condition]:
    for row in schedules:
        if not row.is_enabled:
            said = f"The recurring dry run {row.name} is switched off."
            yield Condition(HealthCode.DISABLED_SCHEDULE, row.name, AlertLevel.WARNING, said)


def _of_connector(row: ConnectorFacts) -> Iterator[Condition]:
    if row.standing in _FAILING:
        said = f"The connector {row.name} cannot be sent to: {row.standing.replace('_', ' ')}."
        yield Condition(HealthCode.CONNECTOR_FAILURE, row.name, AlertLevel.WARNING, said)
    elif row.failing_count >= FAILURES_OF_A_CONNECTOR:
        said = f"{_deliveries(row.failing_count)} to {row.name} failed and did not arrive since."
        yield Condition(HealthCode.CONNECTOR_FAILURE, row.name, AlertLevel.WARNING, said)
    if row.standing is ConnectorStanding.READY and _fell_silent(row.sent_by_day):
        said = f"Nothing was sent to {row.name} in the last 24 hours, after {DAYS_OF_HABIT} days with deliveries."
        yield Condition(HealthCode.SILENT_CONNECTOR, row.name, AlertLevel.WARNING, said)
    steps = {step: _at_step(row.by_failures, step) for step in LADDER}
    reached = max((step for step, count in steps.items() if count), default=0)
    if reached:
        severity = AlertLevel.CRITICAL if reached >= CRITICAL_FROM_PERCENT else AlertLevel.WARNING
        attempts = DEFAULT_POLICY.max_retry_attempts
        have = "has" if steps[reached] == 1 else "have"
        said = f"{_deliveries(steps[reached])} to {row.name} {have} used {reached} % or more of {attempts} attempts."
        yield Condition(HealthCode.ATTEMPTS_NEARING_LIMIT, row.name, severity, said, reached)


def _fell_silent(sent_by_day: Sequence[bool]) -> bool:
    present, *habit = sent_by_day or (True,)
    return not present and len(habit) == DAYS_OF_HABIT and all(habit)


def _at_step(by_failures: Mapping[int, int], step: int) -> int:
    """How many deliveries have used this share of the default policy's attempts."""
    most = DEFAULT_POLICY.max_retry_attempts
    return sum(count for failures, count in by_failures.items() if failures * 100 >= step * most)


def _of_drills(drills: Iterable[DrillFacts], *, now: datetime) -> Iterator[Condition]:
    for row in drills:
        told = row.last_notified_at is not None and row.last_notified_at >= row.next_due_at - DUE_SOON
        if row.next_due_at <= now and not told:
            said = f"The drill {row.schedule_id} is past its due moment, and nobody was notified of it."
            yield Condition(HealthCode.SILENT_DRILL, row.schedule_id, AlertLevel.WARNING, said)


def _deliveries(count: int) -> str:
    return "1 delivery" if count == 1 else f"{count:,} deliveries"


class Known(NamedTuple):
    """What was last told of a condition."""

    is_open: bool
    last_told_at: datetime
    severity: AlertLevel
    level_percent: int
    acknowledgement_state: AcknowledgementState | None


class Tellings(NamedTuple):
    """What to tell now. `begun`, `again` and `suppressed` have every condition once; `ended` has keys."""

    begun: list[Condition]
    again: list[Condition]
    suppressed: list[Condition]
    ended: list[str]


def tellings(
    found: Sequence[Condition], known: Mapping[str, Known], *, now: datetime, window: timedelta, force: bool = False
) -> Tellings:
    """One alert for each condition and window, an earlier one where it got worse, and a word once it has ended.

    `known` holds the newest telling of each key, of conditions that ended too: what comes and goes is told no oftener.
    """
    told = [
        condition
        for condition in found
        if force or _is_news(condition, known.get(condition.key), now=now, window=window)
    ]
    is_open = {key for key, row in known.items() if row.is_open}
    return Tellings(
        begun=[condition for condition in told if condition.key not in is_open],
        again=[condition for condition in told if condition.key in is_open],
        suppressed=[condition for condition in found if condition not in told],
        ended=sorted(is_open - {condition.key for condition in found}),
    )


def is_worse(condition: Condition, known: Known) -> bool:
    """Whether it is graver than when it was last told, or a step further up the ladder."""
    return _gravity(condition.severity, condition.level_percent) > _gravity(known.severity, known.level_percent)


def _gravity(severity: AlertLevel, level_percent: int) -> tuple[int, int]:
    return _SEVERITY.index(severity), level_percent


def _is_news(condition: Condition, known: Known | None, *, now: datetime, window: timedelta) -> bool:
    if known is None or is_worse(condition, known):
        return True
    if known.is_open and known.acknowledgement_state not in {None, AcknowledgementState.ESCALATED}:
        return False
    return now - known.last_told_at >= window


def failing(found: Iterable[Condition]) -> frozenset[str]:
    """Names of the connectors that are said to fail."""
    return frozenset(condition.subject for condition in found if condition.code is HealthCode.CONNECTOR_FAILURE)
