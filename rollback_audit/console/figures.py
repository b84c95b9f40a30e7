"""What the pages count beside the engine's dashboards: pictures, groups, and how far a plan has come."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import CharField, Count, Prefetch, Q, QuerySet, prefetch_related_objects
from django.db.models.functions import Cast, Substr

from rollback_audit.console.charts import HourChart, Segment, hour_chart, hours_until, share_bar
from rollback_audit.console.flow import Progress
from rollback_audit.engine import present, queries, standings
from rollback_audit.models import ApprovalDecision, RetryAcknowledgement, RetryDecision, RetryPlan, WorkerRun
from rollback_audit.models.deliveries import OPEN
from rollback_audit.records.approvals import ApprovalDecisionRecord, RetryAcknowledgementRecord
from rollback_audit.records.plans import RetryDecisionRecord
from rollback_audit.states import (
    Action,
    ApprovalState,
    ConnectorStanding,
    DeliveryState,
    Outcome,
    RetryAcknowledgementState,
    RunState,
)

HOURS = 24
_UNFINISHED = [RunState.QUEUED.value, RunState.RUNNING.value]
OUTCOMES = (Outcome.CONFIRMED, Outcome.REFUSED, Outcome.ANSWERED_5XX, Outcome.NOT_SENT, Outcome.UNKNOWN)


def outcomes_by_hour(now: datetime) -> HourChart:
    """Settled attempts of the last 24 clock hours, by the hour they began and their outcome."""
    hours = hours_until(now, hours=HOURS)
    counts: dict[datetime, dict[str, int]] = defaultdict(dict)
    # As text both databases begin a moment alike, and SQLite need not call back into Python for each row.
    hour = Substr(Cast("started_at", CharField()), 1, len("2026-01-31 23"))
    rows = (
        queries.attempts()
        .filter(started_at__gte=hours[0], outcome__isnull=False)
        .order_by()
        .values_list(hour, "outcome")
        .annotate(count=Count("id"))
    )
    for start, outcome, count in rows:
        counts[datetime.fromisoformat(start).replace(tzinfo=UTC)][outcome] = count
    return hour_chart(counts, hours=hours, names=[outcome.value for outcome in OUTCOMES])


@dataclass(frozen=True, slots=True)
class Backlog:
    """What one connector still has to get."""

    name: str
    standing: ConnectorStanding
    retryable: int
    waiting: int
    suppressed: int
    bar: list[Segment]

    @property
    def total(self) -> int:
        return self.retryable + self.waiting + self.suppressed


def backlog_by_connector(now: datetime) -> list[Backlog]:
    """Every connector with its open deliveries, the longest backlog first; bars share one scale."""
    groups = (
        queries.deliveries()
        .filter(OPEN)
        .order_by()
        .values_list("provider")
        .annotate(
            retryable=Count("id", filter=standings.retryable(now)),
            waiting=Count("id", filter=standings.waiting(now)),
            suppressed=Count("id", filter=standings.suppressed()),
        )
    )
    counted = {name: tuple(counts) for name, *counts in groups}
    most = max((sum(counts) for counts in counted.values()), default=0)
    rows = []
    for connector in queries.connectors().order_by("name"):
        retryable, waiting, suppressed = counted.get(connector.name, (0, 0, 0))
        named = {"retryable": retryable, "waiting": waiting, "suppressed": suppressed}
        rows.append(Backlog(connector.name, connector.standing, **named, bar=share_bar(named, whole=most)))
    return sorted(rows, key=lambda row: -row.total)


@dataclass(frozen=True, slots=True)
class DecisionGroup:
    action: str
    reason_code: str
    count: int


def decision_groups(retry_plan_id: str) -> list[DecisionGroup]:
    """A plan's decisions by action and reason: retry first, then the larger groups."""
    rows = (
        queries.decisions()
        .filter(plan__retry_plan_id=retry_plan_id)
        .order_by()
        .values_list("action", "reason_code")
        .annotate(count=Count("id"))
    )
    groups = [DecisionGroup(*row) for row in rows]
    order = [action.value for action in Action]
    return sorted(groups, key=lambda group: (order.index(group.action), -group.count))


def newest_plan() -> RetryPlan | None:
    """The newest plan that a person made: the recurring dry run makes plans of its own and takes nothing further."""
    return queries.plans().filter(maker__isnull=False).first()


def newest_progress(plan: RetryPlan | None) -> Progress:
    """How far the newest plan has come; a plan that is done with counts no more once something else has failed."""
    failures = queries.deliveries().filter(OPEN).exists()
    progress = plan_progress(plan) if plan else Progress()
    spent = progress.delivered or not progress.due
    if plan is None or (failures and spent):
        return Progress(deliveries=int(queries.deliveries().exists()), failures=int(failures))
    return progress


def plan_progress(plan: RetryPlan) -> Progress:
    """How far one plan has come."""
    of_plan = Q(retry_decision__plan=plan)
    whole = Q(needs_second=False) | Q(second_approver__isnull=False)
    approvals = queries.approval_decisions().filter(
        of_plan, whole, approval_state=ApprovalState.APPROVED.value, revoked_at__isnull=True
    )
    asked = queries.approval_plans().filter(retry_plan=plan).first()
    live = queries.runs().filter(retry_plan=plan, dry_run=False, selected_retry_count__gt=0).first()
    undelivered = _due(plan).exclude(delivery__state=DeliveryState.DELIVERED.value).exists()
    return Progress(
        deliveries=1,
        failures=plan.decision_count,
        planned=plan.retryable_count > 0,
        due=plan.retryable_count,
        dry_run=plan.runs.filter(dry_run=True).exists(),
        reviewed=_reviewed(plan),
        review_skipped=asked is not None and not asked.require_retry_ack,
        approved=approvals.values("retry_decision").distinct().count(),
        begun=live is not None,
        executed=live is not None and live.state not in _UNFINISHED,
        delivered=plan.retryable_count > 0 and not undelivered,
    )


def _reviewed(plan: RetryPlan) -> int:
    """Due decisions that somebody has accepted."""
    return (
        queries.retry_acknowledgements()
        .filter(
            decision__plan=plan,
            decision__action=Action.RETRY.value,
            acknowledgement_state=RetryAcknowledgementState.ACCEPTED.value,
        )
        .order_by()
        .values("decision")
        .distinct()
        .count()
    )


@dataclass(frozen=True, slots=True)
class Ready:
    """What a live run of a plan would send: `by_connector` adds up to `count`; `approved` is before the limit."""

    count: int
    by_connector: Mapping[str, int]
    approved: int


def ready_to_send(plan: RetryPlan, *, most: int, now: datetime) -> Ready:
    """Approved, due decisions of a plan, oldest due first, up to `most`."""
    approved = queries.approval_decisions().filter(
        standings.usable_approvals(now), retry_decision__plan=plan, delivery__state=DeliveryState.FAILED.value
    )
    oldest_first = approved.order_by("retry_decision__next_retry_at", "delivery__delivery_id", "delivery__provider")
    by_connector = Counter(oldest_first.values_list("delivery__provider", flat=True)[:most])
    return Ready(by_connector.total(), dict(sorted(by_connector.items())), approved.count())


def live_run_under_way(plan: RetryPlan) -> WorkerRun | None:
    """A live run of the plan that has not finished: until it has, nobody can say what another one would send."""
    return queries.runs().filter(retry_plan=plan, dry_run=False, state__in=_UNFINISHED).first()


def due_and_failed(plan: RetryPlan) -> int:
    """How many deliveries that the plan would retry have still not arrived."""
    return _due(plan).filter(delivery__state=DeliveryState.FAILED.value).count()


@dataclass(frozen=True, slots=True)
class Considered:
    """A decision with the newest review and the newest word on approval. `number` is its place in the plan."""

    number: int
    decision: RetryDecisionRecord
    review: RetryAcknowledgementRecord | None
    approval: ApprovalDecisionRecord | None


def first_decisions(plan: RetryPlan, *, most: int) -> list[Considered]:
    """Retry before wait before suppress."""
    counts = {
        Action.RETRY: plan.retryable_count,
        Action.WAIT: plan.waiting_count,
        Action.SUPPRESS: plan.suppressed_count,
    }
    rows: list[RetryDecision] = []
    for action, count in counts.items():
        # One query an action: in the order of the plan each stops early, where sorting by action reads it all.
        wanted = min(count, most - len(rows))
        rows += _of_plan(plan).filter(action=action.value).order_by("ordinal")[:wanted] if wanted else []
    prefetch_related_objects(
        rows,
        Prefetch("acknowledgements", queries.retry_acknowledgements(), to_attr="reviews"),
        Prefetch("approval_decisions", queries.approval_decisions(), to_attr="words"),
    )
    return [_considered(row) for row in rows]


def _considered(row: RetryDecision) -> Considered:
    reviews: list[RetryAcknowledgement] = row.reviews  # type: ignore[attr-defined]
    words: list[ApprovalDecision] = row.words  # type: ignore[attr-defined]
    return Considered(
        number=row.ordinal,
        decision=present.decision(row),
        review=present.retry_acknowledgement(reviews[0]) if reviews else None,
        approval=present.approval_decision(words[0]) if words else None,
    )


def _of_plan(plan: RetryPlan) -> QuerySet[RetryDecision]:
    return queries.decisions().filter(plan=plan)


def _due(plan: RetryPlan) -> QuerySet[RetryDecision]:
    return _of_plan(plan).filter(action=Action.RETRY.value)
