from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rollback_audit.records.drills import AuditRouteRecord
from rollback_audit.states import PRODUCT, AlertLevel

DRILL_DASHBOARD_SCHEMA = "cavra.go-backend-pilot.rollback-drill-notification-dashboard.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillDashboardRecord:
    """The drills and their audit deliveries in numbers, as they stand at `generated_at`.

    `delivery_count` and `failed_delivery_count` are the notifications'; what begins with `acknowledgement_audit_` is
    the audit packages'. A delivery is one package to one connector, however often it was tried; `failed` ones are not
    yet delivered. Rates are 0 to 1. `latest` holds the newest history rows.
    """

    schema_version: str = DRILL_DASHBOARD_SCHEMA
    product: str = PRODUCT
    generated_at: datetime
    alert_level: AlertLevel
    plan_count: int
    delivery_count: int
    failed_delivery_count: int
    acknowledgement_count: int
    acknowledgement_audit_package_count: int
    acknowledgement_audit_delivery_plan_count: int
    acknowledgement_audit_delivery_count: int
    acknowledgement_audit_delivery_success_count: int
    acknowledgement_audit_delivery_success_rate: float
    acknowledgement_audit_delivery_providers: list[str]
    acknowledgement_audit_delivery_health: AlertLevel
    acknowledgement_audit_delivery_retry_plan_count: int
    acknowledgement_audit_delivery_retryable_count: int
    acknowledgement_audit_delivery_worker_run_count: int
    acknowledgement_audit_delivery_worker_dry_run_count: int
    acknowledgement_audit_delivery_worker_executed_count: int
    acknowledgement_audit_delivery_retry_ack_count: int
    acknowledgement_audit_delivery_retry_execution_approved_count: int
    acknowledgement_audit_delivery_retry_execution_record_count: int
    acknowledgement_audit_delivery_retry_execution_success_count: int
    acknowledgement_audit_delivery_retry_execution_failed_count: int
    acknowledgement_audit_delivery_connector_recovery_playbook_count: int
    acknowledgement_audit_delivery_connector_recovery_closure_count: int
    acknowledgement_audit_delivery_connector_recovery_closed_count: int
    failed_acknowledgement_audit_delivery_count: int
    outstanding_acknowledgement_count: int
    outstanding_acknowledgements: list[AuditRouteRecord]
    latest: list[dict[str, Any]]
