"""The worker's health: the facts, gathered without writing anything, and what the rules say of them."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from typing import NamedTuple

from django.db.models import Count, Max, Min

from rollback_audit.engine import clock, dashboards
from rollback_audit.engine.actors import Actor
from rollback_audit.errors import InvalidInput
from rollback_audit.models import Connector, Delivery, DrillSchedule, RetryPlan, WorkerRun, WorkerSchedule
from rollback_audit.planning import health as rules
from rollback_audit.planning.health import Condition, ConnectorFacts, DrillFacts, HealthFacts, ScheduleFacts
from rollback_audit.records.alerts import HealthConditionRecord, WorkerHealthRecord
from rollback_audit.states import AlertLevel, DeliveryState, Permission, ReasonCode

LONGEST_MINUTES = 10_080

_GIVEN_UP = frozenset({ReasonCode.RECEIVER_REJECTED.value, ReasonCode.ATTEMPTS_EXHAUSTED.value})


class Yardstick(NamedTuple):
    """What the worker is judged by, in minutes. Without an expected interval, that of the recurring dry run."""

    expected_interval_minutes: int | None = None
    stale_metadata_minutes: int = rules.STALE_METADATA_MINUTES


USUAL = Yardstick()


def read_health(*, actor: Actor, by: Yardstick = USUAL) -> WorkerHealthRecord:
    """How the worker stands now. Writes nothing. Raises InvalidInput for minutes out of bounds."""
    actor.require(Permission.VIEW_EVIDENCE)
    facts = gather()
    return record(facts, examine(facts, by=by), by=by)


def glance(*, actor: Actor) -> AlertLevel:
    """The level by what costs next to nothing to ask: runs, schedules, connectors' standings and drills."""
    actor.require(Permission.VIEW_EVIDENCE)
    return rules.alert_level(examine(_at_a_glance(clock.now()), by=USUAL))


def gather() -> HealthFacts:
    """Everything the rules ask for, as it is now."""
    now = clock.now()
    return _at_a_glance(now)._replace(
        last_plan_at=RetryPlan.objects.order_by("-id").values_list("generated_at", flat=True).first(),
        retryable_count=dashboards.open_standings(now=now).retryable_count,
        connectors=_with_deliveries(Connector.objects.order_by("name"), now=now),
    )


def examine(facts: HealthFacts, *, by: Yardstick) -> list[Condition]:
    """What is wrong. Raises InvalidInput for minutes out of bounds."""
    refused = [name for name, value in by._asdict().items() if value is not None and not 1 <= value <= LONGEST_MINUTES]
    if refused:
        raise InvalidInput({name: [f"Between 1 and {LONGEST_MINUTES} minutes."] for name in refused})
    return rules.conditions(
        facts,
        expected_interval_minutes=_expected_minutes(by),
        stale_metadata_minutes=by.stale_metadata_minutes,
    )


def record(facts: HealthFacts, found: list[Condition], *, by: Yardstick) -> WorkerHealthRecord:
    severities = Counter(condition.severity for condition in found)
    return WorkerHealthRecord(
        generated_at=facts.now,
        expected_interval_minutes=_expected_minutes(by),
        stale_metadata_minutes=by.stale_metadata_minutes,
        alert_level=rules.alert_level(found),
        latest_run_at=facts.last_run_at,
        latest_live_run_at=facts.live_run_at,
        latest_plan_at=facts.last_plan_at,
        retryable_count=facts.retryable_count,
        alert_count=len(found),
        critical_count=severities[AlertLevel.CRITICAL],
        warning_count=severities[AlertLevel.WARNING],
        alerts=[_condition(item) for item in found],
    )


def _condition(item: Condition) -> HealthConditionRecord:
    return HealthConditionRecord(
        key=item.key,
        code=item.code,
        subject=item.subject,
        severity=item.severity,
        message=item.message,
        recommendation=rules.RECOMMENDATIONS[item.code],
        level_percent=item.level_percent or None,
    )


def _expected_minutes(by: Yardstick) -> int:
    """As asked; else the usual, or the recurring dry run's own interval where that is longer."""
    if by.expected_interval_minutes is not None:
        return by.expected_interval_minutes
    shortest = WorkerSchedule.objects.filter(enabled=True).aggregate(least=Min("interval_minutes"))["least"]
    return max(rules.EXPECTED_INTERVAL_MINUTES, shortest or 0)


def _at_a_glance(now: datetime) -> HealthFacts:
    live_run, schedules = dashboards.last_live_run(), list(WorkerSchedule.objects.order_by("name"))
    drills = DrillSchedule.objects.filter(enabled=True, next_due_at__lte=now).annotate(told=Max("routes__created_at"))
    return HealthFacts(
        now=now,
        last_run_at=WorkerRun.objects.order_by("-id").values_list("generated_at", flat=True).first(),
        watched_since=min((row.updated_at for row in schedules), default=None),
        live_run_at=(live_run.completed_at or live_run.generated_at) if live_run else None,
        live_run_succeeded=live_run is not None and dashboards.succeeded(live_run),
        last_plan_at=None,
        retryable_count=0,
        schedules=[ScheduleFacts(row.name, row.enabled) for row in schedules],
        connectors=[ConnectorFacts(row.name, row.standing) for row in Connector.objects.order_by("name")],
        drills=[DrillFacts(row.schedule_id, row.next_due_at, row.told) for row in drills.order_by("schedule_id")],
    )


def _with_deliveries(connectors: Iterable[Connector], *, now: datetime) -> list[ConnectorFacts]:
    failing: Counter[int] = Counter()
    by_failures: dict[int, Counter[int]] = defaultdict(Counter)
    failed = Delivery.objects.filter(dashboards.OPEN_DELIVERIES, state=DeliveryState.FAILED.value).order_by()
    groups = failed.values_list("connector_id", "blocked_by", "failure_count").annotate(count=Count("*"))
    for connector_id, blocked_by, failures, count in groups:
        if blocked_by not in _GIVEN_UP:
            failing[connector_id] += count
        if blocked_by != ReasonCode.RECEIVER_REJECTED:
            by_failures[connector_id][failures] += count
    first_since = cache(_first_since)
    return [
        ConnectorFacts(
            name=row.name,
            standing=row.standing,
            failing_count=failing[row.pk],
            by_failures=by_failures[row.pk],
            sent_by_day=_sent_by_day(row, now=now, first_since=first_since),
        )
        for row in connectors
    ]


def _sent_by_day(connector: Connector, *, now: datetime, first_since: Callable[[datetime], int]) -> list[bool]:
    """Whether a delivery was begun in each of the last spans of 24 hours; as many of them as decide about silence.

    Nothing indexes when a delivery began. Looked at one by one and by their ids, the spans of a connector that works
    are over with the first row, and those of one that is idle after two of them.
    """
    found: list[bool] = []
    of_connector = Delivery.objects.filter(connector=connector)
    for number in range(rules.DAYS_OF_HABIT + 1):
        since = first_since(now - rules.DAY * (number + 1))
        span = of_connector.filter(id__gte=since)
        if number:
            span = span.filter(id__lt=first_since(now - rules.DAY * number))
        found.append(span.exists())
        if found[-1] is (number == 0):
            break
    return found


def _first_since(moment: datetime) -> int:
    """The id from which deliveries are as young as that. Found by halving, since ids and moments rise together."""
    deliveries = Delivery.objects.order_by("id").values_list("created_at", flat=True)
    low, high = 0, 1 + (Delivery.objects.order_by("-id").values_list("id", flat=True).first() or 0)
    while low < high:
        middle = (low + high) // 2
        created_at = deliveries.filter(id__gte=middle).first()
        if created_at is not None and created_at < moment:
            low = middle + 1
        else:
            high = middle
    return low
