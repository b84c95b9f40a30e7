"""The numbers on the two dashboards. Each is one aggregate over a small table or over an index; none reads attempts."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, Count, F, Max, Q, Sum
from django.db.models.expressions import RawSQL

from rollback_audit.engine import clock, ledger, packages, present_drills, queries, runs
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.standings import retryable, usable_approvals
from rollback_audit.models import (
    ApprovalDecision,
    Connector,
    Delivery,
    DeliveryPlan,
    DrillAcknowledgement,
    EvidencePackage,
    NotificationPlan,
    Recovery,
    RecoveryClosure,
    RecoveryPlaybook,
    RetryAcknowledgement,
    RetryPlan,
    WorkerRun,
    WorkerSchedule,
)
from rollback_audit.planning import packages as rules
from rollback_audit.planning.schedule import dashboard_alert_level, schedule_window
from rollback_audit.records.dashboards import DrillDashboardRecord
from rollback_audit.records.runs import WorkerDashboardRecord
from rollback_audit.states import (
    AlertLevel,
    ApprovalState,
    ConnectorStanding,
    DeliveryState,
    Permission,
    ReasonCode,
    RecoveryState,
    RunState,
    Source,
)

MOST_LATEST = 10
MOST_OUTSTANDING = 20

_SUPPRESSING = frozenset({ReasonCode.RECEIVER_REJECTED, ReasonCode.ATTEMPTS_EXHAUSTED})
# Written out, because SQLite does not see that bound values match the condition of a partial index.
OPEN_DELIVERIES = RawSQL(  # noqa: S611 - the words are ours
    f"\"{Delivery._meta.db_table}\".state IN ('{DeliveryState.SENDING}', '{DeliveryState.FAILED}')",
    (),
    output_field=BooleanField(),
)
_FINISHED = [RunState.COMPLETED.value, RunState.ABORTED.value, RunState.ABANDONED.value]


@dataclass(frozen=True, slots=True)
class Standings:
    """How many open deliveries a plan made now under the default policy would retry, leave waiting and give up."""

    retryable_count: int = 0
    waiting_count: int = 0
    suppressed_count: int = 0


def open_standings(*, now: datetime, source: str = "") -> Standings:
    """What the table of planning.retry says of every open delivery, counted without planning.

    Served by the index delivery_open_standing alone, unless one source is asked for.
    """
    ready = {row.pk for row in Connector.objects.all() if row.standing is ConnectorStanding.READY}
    deliveries = Delivery.objects.filter(OPEN_DELIVERIES, **({"source": source} if source else {}))
    groups = (
        deliveries.order_by()
        .values_list("connector_id", "state", "blocked_by")
        .annotate(count=Count("*"), due_count=Count("state", filter=Q(due_at__lte=now)))
    )
    retryable_count = waiting_count = suppressed_count = 0
    for connector_id, state, blocked_by, count, due_count in groups:
        if state == DeliveryState.FAILED and blocked_by in _SUPPRESSING:
            suppressed_count += count
        elif state == DeliveryState.FAILED and blocked_by is None and connector_id in ready:
            retryable_count += due_count
            waiting_count += count - due_count
        else:
            waiting_count += count
    return Standings(retryable_count, waiting_count, suppressed_count)


def worker_dashboard(*, actor: Actor) -> WorkerDashboardRecord:
    """The retry worker in numbers, with its ten newest runs."""
    actor.require(Permission.VIEW_EVIDENCE)
    now = clock.now()
    standings, last_live = open_standings(now=now), last_live_run()
    dry, live = _run_totals(dry_run=True), _run_totals(dry_run=False)
    newest = WorkerRun.objects.select_related("retry_plan", "worker_schedule").order_by("-id")[:MOST_LATEST]
    return WorkerDashboardRecord(
        generated_at=now,
        run_count=dry["run_count"] + live["run_count"],
        dry_run_count=dry["run_count"],
        executed_count=live["run_count"],
        retryable_count=standings.retryable_count,
        selected_retry_count=dry["selected_count"] + live["selected_count"],
        delivered_count=live["delivered_count"],
        failed_count=live["failed_count"],
        waiting_count=standings.waiting_count,
        suppressed_count=standings.suppressed_count,
        approval_pending_count=standings.retryable_count - _approved_count(now) if standings.retryable_count else 0,
        last_dry_run_at=dry["last_at"],
        last_executed_at=live["last_at"],
        next_scheduled_at=_next_scheduled_at(now),
        alert_level=dashboard_alert_level(
            retryable_count=standings.retryable_count,
            last_live_run_succeeded=succeeded(last_live) if last_live else None,
        ),
        latest=[runs.summary(row) for row in newest],
    )


def drill_dashboard(*, actor: Actor) -> DrillDashboardRecord:
    """The drills, their acknowledgements and their audit deliveries in numbers."""
    actor.require(Permission.VIEW_EVIDENCE)
    now = clock.now()
    routes: list[Any] = list(packages.current_routes())
    outstanding = [row for row in routes if row.answer_pk is None]
    deliveries = _deliveries()
    notices, audits = deliveries[Source.DRILL_NOTIFICATION], deliveries[Source.ACKNOWLEDGEMENT_AUDIT]
    standing = rules.alert_level([packages.standing(row) for row in routes], now=now)
    return DrillDashboardRecord(
        generated_at=now,
        alert_level=rules.worst(standing, notices.health, audits.health),
        plan_count=NotificationPlan.objects.count(),
        delivery_count=notices.total,
        failed_delivery_count=notices.failed,
        acknowledgement_count=DrillAcknowledgement.objects.count(),
        failed_acknowledgement_audit_delivery_count=audits.failed,
        outstanding_acknowledgement_count=len(outstanding),
        outstanding_acknowledgements=[present_drills.audit_route(row, None) for row in outstanding[:MOST_OUTSTANDING]],
        latest=_latest_history(),
        **_audit_counts(audits, now=now),
    )


def _run_totals(*, dry_run: bool) -> dict[str, Any]:
    """Sums over receipts. Runs are few beside deliveries: one an hour makes 87,600 in ten years."""
    totals = WorkerRun.objects.filter(dry_run=dry_run).aggregate(
        run_count=Count("*"),
        selected_count=Sum("selected_retry_count", default=0),
        delivered_count=Sum("delivered_count", default=0),
        failed_count=Sum("failed_count", default=0),
        other_count=Sum(F("skipped_count") + F("unknown_count"), default=0),
        last_at=Max("completed_at"),
    )
    return dict(totals)


def _approved_count(now: datetime) -> int:
    """Deliveries that may be retried now and hold an approval to spend."""
    # From the approvals, which are few, to their deliveries: the index approval_live_once serves it.
    approved = ApprovalDecision.objects.filter(usable_approvals(now)).values("delivery")
    return Delivery.objects.filter(retryable(now), id__in=approved).count()


def last_live_run() -> WorkerRun | None:
    """The newest live run that has finished."""
    return WorkerRun.objects.filter(dry_run=False, state__in=_FINISHED).order_by("-id").first()


def succeeded(run: WorkerRun) -> bool:
    """Whether a finished live run completed and left nothing failed or unknown."""
    return run.state == RunState.COMPLETED and not run.failed_count and not run.unknown_count


def _next_scheduled_at(now: datetime) -> datetime | None:
    """The start of the next window that no run has taken; of the present one while its run is still to come."""
    schedules = WorkerSchedule.objects.filter(enabled=True).annotate(newest=Max("runs__window_start"))
    moments = []
    for row in schedules:
        window = schedule_window(now, interval_minutes=row.interval_minutes)
        taken = row.newest is not None and row.newest >= window.start
        moments.append(window.end if taken else window.start)
    return min(moments, default=None)


@dataclass(slots=True)
class _Deliveries:
    """Deliveries of one source."""

    total: int = 0
    delivered: int = 0
    failed: int = 0
    providers: set[str] = field(default_factory=set)

    @property
    def health(self) -> AlertLevel:
        return rules.delivery_health(delivered_count=self.delivered, failed_count=self.failed)

    @property
    def success_rate(self) -> float:
        return round(self.delivered / self.total, 4) if self.total else 0.0


def _deliveries() -> dict[str, _Deliveries]:
    """Every source's deliveries, in one pass over the table."""
    found: dict[str, _Deliveries] = defaultdict(_Deliveries)
    groups = Delivery.objects.order_by().values_list("source", "provider", "state").annotate(count=Count("*"))
    for source, provider, state, count in groups:
        of_source = found[source]
        of_source.total += count
        of_source.delivered += count if state == DeliveryState.DELIVERED else 0
        of_source.failed += count if state == DeliveryState.FAILED else 0
        of_source.providers.add(provider)
    return found


def _audit_counts(audits: _Deliveries, *, now: datetime) -> dict[str, Any]:
    audit = Source.ACKNOWLEDGEMENT_AUDIT.value
    dry, live = _run_totals(dry_run=True), _run_totals(dry_run=False)
    counts = {
        "package_count": EvidencePackage.objects.filter(source=audit).count(),
        "delivery_plan_count": DeliveryPlan.objects.filter(package__source=audit).count(),
        "delivery_count": audits.total,
        "delivery_success_count": audits.delivered,
        "delivery_success_rate": audits.success_rate,
        "delivery_providers": sorted(audits.providers),
        "delivery_health": audits.health,
        "delivery_retry_plan_count": RetryPlan.objects.count(),
        "delivery_retryable_count": open_standings(now=now, source=audit).retryable_count,
        "delivery_worker_run_count": dry["run_count"] + live["run_count"],
        "delivery_worker_dry_run_count": dry["run_count"],
        "delivery_worker_executed_count": live["run_count"],
        "delivery_retry_ack_count": RetryAcknowledgement.objects.count(),
        "delivery_retry_execution_approved_count": _given_approval_count(),
        "delivery_retry_execution_record_count": (live["delivered_count"] + live["failed_count"] + live["other_count"]),
        "delivery_retry_execution_success_count": live["delivered_count"],
        "delivery_retry_execution_failed_count": live["failed_count"],
        **_recovery_counts(),
    }
    return {f"acknowledgement_audit_{name}": value for name, value in counts.items()}


def _given_approval_count() -> int:
    return ApprovalDecision.objects.filter(approval_state=ApprovalState.APPROVED.value).count()


def _recovery_counts() -> dict[str, int]:
    return {
        "delivery_connector_recovery_playbook_count": RecoveryPlaybook.objects.count(),
        "delivery_connector_recovery_closure_count": RecoveryClosure.objects.count(),
        "delivery_connector_recovery_closed_count": Recovery.objects.filter(state=RecoveryState.CLOSED.value).count(),
    }


def _latest_history() -> list[dict[str, Any]]:
    shown = queries.records_only(queries.history())[:MOST_LATEST]
    return [ledger.read(entry) for entry in shown]
