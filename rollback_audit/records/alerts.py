from dataclasses import dataclass
from datetime import datetime

from rollback_audit.states import (
    PRODUCT,
    SCHEMA_PREFIX,
    AcknowledgementState,
    AlertLevel,
    HealthAlertState,
    HealthCode,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthConditionRecord:
    """Something that is wrong now. `key` is the same as long as it is the same trouble.

    `subject` is a connector, a schedule or the worker; `level_percent` the step of the attempts' ladder, else null.
    """

    key: str
    code: HealthCode
    subject: str
    severity: AlertLevel
    message: str
    recommendation: str
    level_percent: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerHealthRecord:
    """The worker as it stands at `generated_at`, judged by the two intervals."""

    schema_version: str = f"{SCHEMA_PREFIX}-worker-health.v1"
    product: str = PRODUCT
    generated_at: datetime
    expected_interval_minutes: int
    stale_metadata_minutes: int
    alert_level: AlertLevel
    latest_run_at: datetime | None
    latest_live_run_at: datetime | None
    latest_plan_at: datetime | None
    retryable_count: int
    alert_count: int
    critical_count: int
    warning_count: int
    alerts: list[HealthConditionRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthAlertRecord:
    """A condition that was told of, as it was last told. `health_id` names the package that told it last."""

    alert_id: str
    health_id: str
    key: str
    code: HealthCode
    subject: str
    severity: AlertLevel
    message: str
    recommendation: str
    level_percent: int | None
    state: HealthAlertState
    opened_at: datetime
    last_told_at: datetime
    told_count: int
    recovered_at: datetime | None
    acknowledgement_state: AcknowledgementState | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthAlertPlanRecord:
    """What one package tells: conditions that hold, and conditions that have ended. `plan_id` is the `health_id`."""

    schema_version: str = f"{SCHEMA_PREFIX}-worker-health-alert-plan.v1"
    product: str = PRODUCT
    health_id: str
    plan_id: str
    generated_at: datetime
    generated_by: str
    alert_level: AlertLevel
    suppression_window_minutes: int
    selected_providers: list[str]
    alert_count: int
    recovered_count: int
    suppressed_count: int
    alerts: list[HealthAlertRecord]
    recovered: list[HealthAlertRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthAlertAcknowledgementRecord:
    """A person's word on an alert, without their notes."""

    acknowledgement_id: str
    alert_id: str
    health_id: str
    key: str
    code: HealthCode
    provider: str | None
    acknowledgement_state: AcknowledgementState
    acknowledged_by: str
    acknowledged_at: datetime
    external_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthAlertDashboardRecord:
    """The alerts in numbers. `outstanding_count` counts open ones that nobody has acknowledged.

    `failed_delivery_count` counts alert packages, by connector, that have not arrived yet.
    """

    schema_version: str = f"{SCHEMA_PREFIX}-worker-health-alert-dashboard.v1"
    product: str = PRODUCT
    generated_at: datetime
    alert_level: AlertLevel
    alert_count: int
    open_count: int
    critical_count: int
    warning_count: int
    recovered_count: int
    outstanding_count: int
    acknowledgement_count: int
    plan_count: int
    failed_delivery_count: int
    latest: list[HealthAlertRecord]
