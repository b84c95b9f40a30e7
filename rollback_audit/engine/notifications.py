"""Drill notifications: which schedules want a word now, the routes that ask for it, and their delivery."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from rollback_audit.engine import clock, connectors, dispatch, ledger, packages, present_drills, providers
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.attempts import check_timeout
from rollback_audit.engine.drill_input import find_schedule
from rollback_audit.engine.labels import label
from rollback_audit.errors import InvalidInput
from rollback_audit.ids import new_id
from rollback_audit.models import Connector, DrillRoute, DrillSchedule, EvidencePackage, NotificationPlan
from rollback_audit.planning import drills
from rollback_audit.planning.drills import DrillCategory
from rollback_audit.records.deliveries import ConnectorDeliveryRecord
from rollback_audit.records.drills import DrillRouteRecord, NotificationPlanRecord
from rollback_audit.records.history import HistoryRow
from rollback_audit.states import MetadataKind, Permission, Source

EVENT_TYPE = "cavra.go_backend.rollback_drill.notification"

RoutingPolicy = Mapping[DrillCategory, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationAnswer:
    """The plan and one delivery for each group of connectors; `success` unless a delivery failed."""

    plan: NotificationPlanRecord
    metadata: HistoryRow
    deliveries: list[ConnectorDeliveryRecord]
    delivery_metadata: list[HistoryRow]
    success: bool


@dataclass(frozen=True, slots=True)
class _Group:
    """Connectors that are told of the same schedules, and what they are told."""

    providers: list[str]
    routes: list[DrillRouteRecord]


def deliver_notifications(
    *,
    actor: Actor,
    provider: str = providers.ALL,
    schedule_id: str = "",
    force: bool = False,
    timeout_seconds: float = 10.0,
    routing_policy: Mapping[str, Any] | None = None,
    generated_by: str = "",
) -> NotificationAnswer:
    """Notify of enabled drills that are due within 14 days or stale; with `force`, of those that are not due too.

    `provider` is "all" or a comma list and narrows each schedule's connectors; `routing_policy` maps a category to the
    connectors that drills of it go to instead of the schedule's own. Each connector is told of its own routes only.
    Raises InvalidInput and UnknownRecord before anything is stored; a failed delivery is an answer, not an error.
    """
    actor.require(Permission.DELIVER_EVIDENCE)
    by = label("generated_by", generated_by, actor=actor)
    check_timeout(timeout_seconds)
    connectors.sync()
    only = None if provider == providers.ALL else frozenset(providers.known("provider", providers.listed(provider)))
    policy = _checked_policy(routing_policy or {})
    with transaction.atomic():
        now = clock.now()
        schedules = _wanted(schedule_id=schedule_id, force=force, now=now)
        plan = _store(schedules, policy=policy, only=only, actor=actor, by=by, at=now)
        line = _plan_line(plan, actor=actor)
        ledger.append([line])
        prepared = [
            _prepare(plan, group, actor=actor, timeout_seconds=timeout_seconds) for group in _groups(plan.routes)
        ]
    sent = [dispatch.send(item, timeout_seconds=timeout_seconds) for item in prepared]
    return NotificationAnswer(
        plan=plan,
        metadata=line,
        deliveries=[item.delivery for item in sent],
        delivery_metadata=[line for item in sent for line in item.delivery_metadata],
        success=all(item.success for item in sent),
    )


def _checked_policy(given: Mapping[str, Any]) -> RoutingPolicy:
    policy: dict[DrillCategory, list[str]] = {}
    for category, names in given.items():
        if category not in set(DrillCategory):
            expected = ", ".join(DrillCategory)
            raise InvalidInput({"routing_policy": [f"Expected only these categories: {expected}."]})
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InvalidInput({"routing_policy": ["Each category has a list of connectors' names."]})
        policy[DrillCategory(category)] = providers.known("routing_policy", names)
    return policy


def _wanted(*, schedule_id: str, force: bool, now: datetime) -> list[DrillSchedule]:
    """Enabled schedules, one or all, in the order of their ids."""
    every = DrillSchedule.objects.order_by("schedule_id")
    found = [find_schedule(schedule_id)] if schedule_id else every
    return [
        row
        for row in found
        if row.enabled and (force or drills.category(row.next_due_at, now=now) is not DrillCategory.SCHEDULED)
    ]


def _store(
    schedules: Sequence[DrillSchedule],
    *,
    policy: RoutingPolicy,
    only: Collection[str] | None,
    actor: Actor,
    by: str,
    at: datetime,
) -> NotificationPlanRecord:
    """The plan and its routes, one for each schedule and connector."""
    categories = {row.schedule_id: drills.category(row.next_due_at, now=at) for row in schedules}
    pairs = [
        (row, name)
        for row in schedules
        for name in policy.get(categories[row.schedule_id], row.providers)
        if only is None or name in only
    ]
    plan = NotificationPlan.objects.create(
        plan_id=new_id("gordnotify"),
        generated_by=by,
        actor=actor.name,
        route_count=len(pairs),
        alert_level=drills.alert_level(categories[row.schedule_id] for row, _ in pairs).value,
        created_at=at,
    )
    rows = [_route(plan, row, name, categories[row.schedule_id]) for row, name in pairs]
    DrillRoute.objects.bulk_create(rows)
    return present_drills.notification_plan(plan, [present_drills.route(row) for row in rows])


def _route(plan: NotificationPlan, schedule: DrillSchedule, provider: str, category: DrillCategory) -> DrillRoute:
    return DrillRoute(
        route_id=new_id("gordroute"),
        plan=plan,
        schedule=schedule,
        provider=provider,
        owner=schedule.owner,
        escalation_owner=schedule.escalation_owner,
        action=drills.ACTION[category].value,
        category=category.value,
        reason=drills.REASON[category],
        acknowledgement_minutes=schedule.acknowledgement_minutes,
        next_due_at=schedule.next_due_at,
        created_at=plan.created_at,
    )


def _plan_line(plan: NotificationPlanRecord, *, actor: Actor) -> HistoryRow:
    stale = sum(route.category == DrillCategory.STALE for route in plan.routes)
    return ledger.row(
        MetadataKind.NOTIFICATION_PLAN,
        session_id=plan.plan_id,
        signer=actor.name,
        at=plan.generated_at,
        record=plan,
        decision_count=plan.route_count,
        blocked_count=stale,
        alert_level=plan.alert_level,
    )


def _groups(routes: Sequence[DrillRouteRecord]) -> list[_Group]:
    """Connectors that are told of the same schedules share a delivery, which goes out to them at once."""
    told: dict[str, list[str]] = defaultdict(list)
    for route in routes:
        told[route.provider].append(route.schedule_id)
    together: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for provider, schedule_ids in told.items():
        together[tuple(schedule_ids)].append(provider)
    return [
        _Group(providers, [route for route in routes if route.provider in providers]) for providers in together.values()
    ]


def _package(plan: NotificationPlanRecord, group: _Group, *, actor: Actor) -> EvidencePackage:
    categories = [DrillCategory(route.category) for route in group.routes]
    audit_id = new_id("gordnotice")
    return packages.store(
        actor=actor,
        source=Source.DRILL_NOTIFICATION,
        audit_id=audit_id,
        alert_level=drills.alert_level(categories),
        route_count=len(group.routes),
        generated_by=plan.generated_by,
        at=plan.generated_at,
        content={"audit_id": audit_id, "plan_id": plan.plan_id, "routes": ledger.jsonable(group.routes)},
    )


def _prepare(plan: NotificationPlanRecord, group: _Group, *, actor: Actor, timeout_seconds: float) -> dispatch.Prepared:
    counts = Counter(route.category for route in group.routes)
    package = _package(plan, group, actor=actor)
    return dispatch.prepare(
        actor=actor,
        package=package,
        chosen=list(Connector.objects.filter(name__in=group.providers).order_by("name")),
        event_type=EVENT_TYPE,
        summary={
            "audit_id": package.audit_id,
            "plan_id": plan.plan_id,
            "alert_level": package.alert_level,
            "route_count": len(group.routes),
            "stale_count": counts[DrillCategory.STALE],
            "due_soon_count": counts[DrillCategory.DUE_SOON],
        },
        routes=ledger.jsonable(group.routes),
        terms=dispatch.Terms(timeout_seconds=timeout_seconds, generated_by=plan.generated_by),
    )
