"""The numbers of an executive report. One pass over the deliveries of its period; the rest are small tables."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import CharField, Count, Q, Sum
from django.db.models.functions import Cast, Substr

from rollback_audit.engine import dashboards
from rollback_audit.models import Connector, Delivery, Recovery, RecoveryEscalation, WorkerRun
from rollback_audit.models.deliveries import OPEN
from rollback_audit.planning import escalation, executive, recovery
from rollback_audit.planning.escalation import EscalationPolicy
from rollback_audit.planning.executive import RiskFigures
from rollback_audit.planning.recovery import SloState
from rollback_audit.records.executive_reports import (
    DeliveryTrendRecord,
    ExecutiveSummaryRecord,
    ProviderSummaryRecord,
    RecoveryTrendRecord,
)
from rollback_audit.states import Category, ConnectorStanding, DeliveryState, EscalationLevel, RecoveryState

_DAY = timedelta(days=1)
_OPEN_STATES = frozenset({DeliveryState.SENDING.value, DeliveryState.FAILED.value})
_NOT_MISSED = frozenset({ConnectorStanding.READY, ConnectorStanding.DISABLED, ConnectorStanding.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything a report says, before words and ids are put to it."""

    summary: ExecutiveSummaryRecord
    risks: RiskFigures
    providers: list[ProviderSummaryRecord]
    delivery_trends: list[DeliveryTrendRecord]
    closure_trends: list[RecoveryTrendRecord]


class _Counts(NamedTuple):
    """Deliveries; those that were closed by hand are neither delivered nor open."""

    total: int = 0
    delivered: int = 0
    open: int = 0


class _Closed(NamedTuple):
    """A recovery that was closed: how long it took from the first failure, on which day it ended, and whether late."""

    took: timedelta
    date: str
    late: bool


@dataclass(frozen=True, slots=True)
class _Recoveries:
    """Open ones, with the keys of those past or near their objective, and those closed in the period."""

    open: list[Recovery]
    breached: frozenset[int]
    at_risk: frozenset[int]
    closed: list[_Closed]


def gather(*, since: datetime, until: datetime, recovery_slo_minutes: int) -> Figures:
    """The figures from `since` to before `until`, which is now."""
    groups = _deliveries(since, until)
    recoveries = _recoveries(since, until, slo_minutes=recovery_slo_minutes)
    providers = _providers(groups, recoveries)
    summary = ExecutiveSummaryRecord(
        **_delivery_figures(groups, now=until),
        **_execution_figures(since, until),
        **_recovery_figures(recoveries),
        **_escalation_figures(since, until),
    )
    return Figures(
        summary=summary,
        risks=RiskFigures(
            breached_recovery_count=summary.recovery_slo_breached_count,
            at_risk_recovery_count=summary.recovery_at_risk_count,
            unavailable_connector_count=sum(row.standing not in _NOT_MISSED for row in providers),
            suppressed_count=summary.suppressed_count,
            retryable_count=summary.retryable_count,
            in_doubt_count=summary.in_doubt_count,
            outstanding_escalation_count=summary.outstanding_escalation_count,
            delivery_count=summary.delivery_count,
        ),
        providers=providers,
        delivery_trends=_delivery_trends(groups, since, until),
        closure_trends=_closure_trends(recoveries),
    )


_Groups = dict[tuple[str, str], _Counts]


def _deliveries(since: datetime, until: datetime) -> _Groups:
    """By connector and day (UTC) on which they began."""
    # As text both databases begin a moment alike, and SQLite need not call back into Python for each row.
    day = Substr(Cast("created_at", CharField()), 1, len("2026-01-31"))
    rows = (
        Delivery.objects.filter(created_at__gte=since, created_at__lt=until)
        .order_by()
        .values_list("provider", day, "state")
        .annotate(count=Count("*"))
    )
    found: _Groups = {}
    for provider, date, state, count in rows:
        counts = _Counts(count, count * (state == DeliveryState.DELIVERED), count * (state in _OPEN_STATES))
        found[provider, date] = _sum([found.get((provider, date), _Counts()), counts])
    return found


def _sum(counts: Sequence[_Counts]) -> _Counts:
    return _Counts(*(sum(column) for column in zip(*counts, strict=True))) if counts else _Counts()


def _delivery_figures(groups: _Groups, *, now: datetime) -> dict[str, Any]:
    counts, standings = _sum(list(groups.values())), dashboards.open_standings(now=now)
    return {
        "delivery_count": counts.total,
        "delivered_count": counts.delivered,
        "open_count": counts.open,
        "delivery_success_rate": executive.rate(counts.delivered, counts.total),
        "retryable_count": standings.retryable_count,
        "waiting_count": standings.waiting_count,
        "suppressed_count": standings.suppressed_count,
        "in_doubt_count": Delivery.objects.filter(OPEN, in_doubt=True).count(),
    }


def _execution_figures(since: datetime, until: datetime) -> dict[str, Any]:
    """From the receipts of live runs."""
    sums = WorkerRun.objects.filter(dry_run=False, generated_at__gte=since, generated_at__lt=until).aggregate(
        delivered=Sum("delivered_count", default=0),
        failed=Sum("failed_count", default=0),
        unknown=Sum("unknown_count", default=0),
        skipped=Sum("skipped_count", default=0),
    )
    tried = sums["delivered"] + sums["failed"] + sums["unknown"]
    return {
        "execution_count": tried + sums["skipped"],
        "execution_success_count": sums["delivered"],
        "execution_failed_count": sums["failed"],
        "execution_unknown_count": sums["unknown"],
        "execution_skipped_count": sums["skipped"],
        "execution_success_rate": executive.rate(sums["delivered"], tried),
    }


def _recoveries(since: datetime, until: datetime, *, slo_minutes: int) -> _Recoveries:
    still_open = list(Recovery.objects.filter(state=RecoveryState.OPEN.value))
    policy = EscalationPolicy(recovery_slo_minutes=slo_minutes)
    levels = {row.pk: escalation.level(row.first_failure_at, now=until, policy=policy) for row in still_open}
    return _Recoveries(
        open=still_open,
        breached=frozenset(pk for pk, level in levels.items() if level not in {None, EscalationLevel.AT_RISK}),
        at_risk=frozenset(pk for pk, level in levels.items() if level is EscalationLevel.AT_RISK),
        closed=_closed(since, until, slo_minutes=slo_minutes),
    )


def _closed(since: datetime, until: datetime, *, slo_minutes: int) -> list[_Closed]:
    rows = Recovery.objects.filter(closed_at__gte=since, closed_at__lt=until)
    return [
        _Closed(
            took=ended - began,
            date=ended.astimezone(UTC).date().isoformat(),
            late=recovery.slo_state(began, ended, slo_minutes=slo_minutes, now=until) is SloState.BREACHED,
        )
        for began, ended in rows.values_list("first_failure_at", "closed_at")
        if ended is not None
    ]


def _recovery_figures(recoveries: _Recoveries) -> dict[str, Any]:
    closed = recoveries.closed
    took = sum((row.took for row in closed), timedelta())
    return {
        "recovery_open_count": len(recoveries.open),
        "recovery_at_risk_count": len(recoveries.at_risk),
        "recovery_slo_breached_count": len(recoveries.breached),
        "recovery_closed_count": len(closed),
        "recovery_closed_late_count": sum(row.late for row in closed),
        "mean_recovery_minutes": took // len(closed) // timedelta(minutes=1) if closed else None,
    }


def _escalation_figures(since: datetime, until: datetime) -> dict[str, int]:
    return RecoveryEscalation.objects.filter(
        generated_at__gte=since, generated_at__lt=until, escalation_count__gt=0
    ).aggregate(
        escalation_count=Count("pk", distinct=True),
        outstanding_escalation_count=Count("pk", distinct=True, filter=Q(acknowledgements__isnull=True)),
    )


def _providers(groups: _Groups, recoveries: _Recoveries) -> list[ProviderSummaryRecord]:
    """Every connector, by name."""
    recovering = {row.connector_id: row.pk for row in recoveries.open}
    rows = []
    for row in Connector.objects.order_by("name"):
        counts = _sum([found for (name, _), found in groups.items() if name == row.name])
        rows.append(
            ProviderSummaryRecord(
                provider=row.name,
                category=Category(row.category),
                standing=row.standing,
                delivery_count=counts.total,
                delivered_count=counts.delivered,
                open_count=counts.open,
                delivery_success_rate=executive.rate(counts.delivered, counts.total),
                recovery_open=row.pk in recovering,
                recovery_slo_breached=recovering.get(row.pk) in recoveries.breached,
            )
        )
    return rows


def _delivery_trends(groups: _Groups, since: datetime, until: datetime) -> list[DeliveryTrendRecord]:
    """Every day that the period touches, oldest first."""
    first = since.astimezone(UTC).date()
    days = (until.astimezone(UTC).date() - first) // _DAY + 1
    trends = []
    for date in ((first + back * _DAY).isoformat() for back in range(days)):
        counts = _sum([found for (_, day), found in groups.items() if day == date])
        trends.append(
            DeliveryTrendRecord(
                date=date, delivery_count=counts.total, delivered_count=counts.delivered, open_count=counts.open
            )
        )
    return trends


def _closure_trends(recoveries: _Recoveries) -> list[RecoveryTrendRecord]:
    """The days on which recoveries were closed, oldest first."""
    closed = Counter(row.date for row in recoveries.closed)
    late = Counter(row.date for row in recoveries.closed if row.late)
    return [RecoveryTrendRecord(date=date, closed_count=closed[date], late_count=late[date]) for date in sorted(closed)]
