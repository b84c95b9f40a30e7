from dataclasses import dataclass
from datetime import datetime

from rollback_audit.records.deliveries import DeliveryRecord
from rollback_audit.states import (
    PRODUCT,
    SCHEMA_PREFIX,
    AlertLevel,
    Category,
    EscalationAcknowledgementState,
    EscalationLevel,
)

ESCALATION_SCHEMA = f"{SCHEMA_PREFIX}-recovery-escalation-plan.v1"
ESCALATION_CONTROLS = (
    "redacted_metadata_only",
    "sent_to_connectors_that_work",
    "sent_once_to_each_connector",
    "failed_deliveries_take_the_retry_plan",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalatedRecoveryRecord:
    """An open recovery as it stood. `slo_due_at` is its first failure plus the objective."""

    recovery_id: str
    provider: str
    category: Category
    level: EscalationLevel
    reason: str
    elapsed_minutes: int
    slo_due_at: datetime
    slo_breached: bool
    failure_count: int
    first_failure_at: datetime
    latest_failure_at: datetime
    status_codes: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationPlanRecord:
    """The open recoveries near or past their objective, gravest first.

    `provider` is the connector it was narrowed to, if any. `failing_providers` are the connectors it is about,
    `selected_providers` those it would have gone to when it was planned. `audit_id` equals `plan_id`.
    """

    schema_version: str = ESCALATION_SCHEMA
    product: str = PRODUCT
    plan_id: str
    audit_id: str
    digest: str
    generated_at: datetime
    generated_by: str
    recovery_slo_minutes: int
    at_risk_percent: int
    minimum_level: EscalationLevel
    provider: str | None
    alert_level: AlertLevel
    escalation_count: int
    at_risk_count: int
    slo_breached_count: int
    overdue_count: int
    failing_providers: list[str]
    selected_providers: list[str]
    controls: list[str]
    escalations: list[EscalatedRecoveryRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationAcknowledgementRecord:
    """A person's word on an escalation, without their notes. `provider` is None where it is about all of it."""

    acknowledgement_id: str
    plan_id: str
    provider: str | None
    acknowledgement_state: EscalationAcknowledgementState
    acknowledged_by: str
    acknowledged_at: datetime
    external_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationDetailRecord:
    """An escalation with what was said of it, newest first, and how its deliveries stand."""

    plan: EscalationPlanRecord
    acknowledgements: list[EscalationAcknowledgementRecord]
    deliveries: list[DeliveryRecord]
