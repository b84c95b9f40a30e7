from dataclasses import dataclass
from datetime import datetime

from rollback_audit.states import AcknowledgementState, AlertLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillScheduleRecord:
    schedule_id: str
    owner: str
    escalation_owner: str
    providers: list[str]
    interval_days: int
    next_due_at: datetime
    acknowledgement_minutes: int
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRouteRecord:
    route_id: str
    created_at: datetime
    plan_id: str
    schedule_id: str
    provider: str
    owner: str
    escalation_owner: str
    action: str
    category: str
    reason: str
    acknowledgement_minutes: int
    next_due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationPlanRecord:
    plan_id: str
    generated_at: datetime
    generated_by: str
    alert_level: AlertLevel
    route_count: int
    routes: list[DrillRouteRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillAcknowledgementRecord:
    """A person's word on a route, without their notes."""

    acknowledgement_id: str
    schedule_id: str
    plan_id: str
    route_id: str
    provider: str
    acknowledgement_state: AcknowledgementState
    acknowledged_by: str
    acknowledged_at: datetime
    external_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRouteRecord:
    """A route inside an audit package. `acknowledgement_state` may be `outstanding`."""

    route_id: str
    schedule_id: str
    plan_id: str
    provider: str
    owner: str
    escalation_owner: str
    acknowledgement_state: str
    acknowledged: bool
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    external_ref: str | None
    acknowledgement_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPackageRecord:
    audit_id: str
    generated_at: datetime
    generated_by: str
    filters: dict[str, str]
    route_count: int
    acknowledgement_count: int
    acknowledged_count: int
    resolved_count: int
    escalated_count: int
    dismissed_count: int
    outstanding_count: int
    alert_level: AlertLevel
    digest: str
    routes: list[AuditRouteRecord]
