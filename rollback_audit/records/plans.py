from dataclasses import dataclass
from datetime import datetime

from rollback_audit.states import PRODUCT, SCHEMA_PREFIX, Action, AlertLevel, ReasonCode

PLAN_CONTROLS = (
    "redacted_metadata_only",
    "immutable_plan_digest",
    "approval_bound_execution",
    "dry_run_default",
    "operator_review_required",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryDecisionRecord:
    """One decision of a plan. Delays in whole minutes; `next_retry_at` is None where no clock decides."""

    delivery_id: str
    audit_id: str
    provider: str
    source: str
    action: Action
    reason_code: ReasonCode
    reason: str
    retry_count: int
    max_retry_attempts: int
    retry_delay_minutes: int
    latest_delivery_id: str
    latest_delivery_at: datetime
    next_retry_at: datetime | None
    failed_status_codes: list[int]
    attempt_number: int
    request_digest: str
    decision_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPlanRecord:
    """A plan with its first decisions; `decisions_next` leads to the rest."""

    schema_version: str = f"{SCHEMA_PREFIX}-retry-plan.v1"
    product: str = PRODUCT
    retry_plan_id: str
    plan_digest: str
    generated_at: datetime
    generated_by: str
    alert_level: AlertLevel
    decision_count: int
    retryable_count: int
    waiting_count: int
    suppressed_count: int
    max_retry_attempts: int
    base_retry_delay_minutes: int
    backoff_multiplier: float
    max_delay_minutes: int
    jitter_ratio: float
    allow_immediate_retry: bool
    retry_unknown_outcome: bool
    source: str | None
    provider: str | None
    controls: list[str]
    retry_decisions: list[RetryDecisionRecord]
    decisions_next: str | None = None
