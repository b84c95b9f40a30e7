"""Drill rows to public records."""

import json
from datetime import datetime
from typing import Any

from rollback_audit.models import DrillAcknowledgement, DrillRoute, DrillSchedule, EvidencePackage, NotificationPlan
from rollback_audit.records.drills import (
    AuditPackageRecord,
    AuditRouteRecord,
    DrillAcknowledgementRecord,
    DrillRouteRecord,
    DrillScheduleRecord,
    NotificationPlanRecord,
)
from rollback_audit.states import OUTSTANDING, AcknowledgementState, AlertLevel


def schedule(row: DrillSchedule) -> DrillScheduleRecord:
    return DrillScheduleRecord(
        schedule_id=row.schedule_id,
        owner=row.owner,
        escalation_owner=row.escalation_owner,
        providers=list(row.providers),
        interval_days=row.interval_days,
        next_due_at=row.next_due_at,
        acknowledgement_minutes=row.acknowledgement_minutes,
        enabled=row.enabled,
    )


def route(row: DrillRoute) -> DrillRouteRecord:
    """A route; `row.plan` and `row.schedule` must be loaded."""
    return DrillRouteRecord(
        route_id=row.route_id,
        created_at=row.created_at,
        plan_id=row.plan.plan_id,
        schedule_id=row.schedule.schedule_id,
        provider=row.provider,
        owner=row.owner,
        escalation_owner=row.escalation_owner,
        action=row.action,
        category=row.category,
        reason=row.reason,
        acknowledgement_minutes=row.acknowledgement_minutes,
        next_due_at=row.next_due_at,
    )


def notification_plan(row: NotificationPlan, routes: list[DrillRouteRecord]) -> NotificationPlanRecord:
    return NotificationPlanRecord(
        plan_id=row.plan_id,
        generated_at=row.created_at,
        generated_by=row.generated_by,
        alert_level=AlertLevel(row.alert_level),
        route_count=row.route_count,
        routes=routes,
    )


def acknowledgement(row: DrillAcknowledgement) -> DrillAcknowledgementRecord:
    """A person's word on a route, without its notes; `row.route.plan` and `row.route.schedule` must be loaded."""
    return DrillAcknowledgementRecord(
        acknowledgement_id=row.acknowledgement_id,
        schedule_id=row.route.schedule.schedule_id,
        plan_id=row.route.plan.plan_id,
        route_id=row.route.route_id,
        provider=row.route.provider,
        acknowledgement_state=AcknowledgementState(row.acknowledgement_state),
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        external_ref=row.external_ref,
    )


def audit_route(row: DrillRoute, answer: DrillAcknowledgement | None) -> AuditRouteRecord:
    """A route with its latest acknowledgement; `row.plan` and `row.schedule` must be loaded."""
    return AuditRouteRecord(
        route_id=row.route_id,
        schedule_id=row.schedule.schedule_id,
        plan_id=row.plan.plan_id,
        provider=row.provider,
        owner=row.owner,
        escalation_owner=row.escalation_owner,
        acknowledgement_state=answer.acknowledgement_state if answer else OUTSTANDING,
        acknowledged=answer is not None,
        acknowledged_by=answer.acknowledged_by if answer else None,
        acknowledged_at=answer.acknowledged_at if answer else None,
        external_ref=answer.external_ref if answer else None,
        acknowledgement_id=answer.acknowledgement_id if answer else None,
    )


def package(row: EvidencePackage) -> AuditPackageRecord:
    """The audit package as it was made, from its own canonical record. For source ACKNOWLEDGEMENT_AUDIT only."""
    stored: dict[str, Any] = json.loads(row.record)
    routes = [
        AuditRouteRecord(**{**item, "acknowledged_at": _moment(item["acknowledged_at"])})
        for item in stored.pop("routes")
    ]
    stored["generated_at"] = _moment(stored["generated_at"])
    stored["alert_level"] = AlertLevel(stored["alert_level"])
    return AuditPackageRecord(**stored, routes=routes, digest=row.digest)


def _moment(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None
