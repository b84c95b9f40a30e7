from dataclasses import dataclass
from datetime import datetime

from rollback_audit.records.approvals import ExecutionRecord
from rollback_audit.records.deliveries import AttemptRecord, DeliveryPlanRecord
from rollback_audit.records.history import HistoryRow
from rollback_audit.records.plans import RetryDecisionRecord, RetryPlanRecord
from rollback_audit.states import (
    PRODUCT,
    SCHEMA_PREFIX,
    AlertLevel,
    DriftField,
    FollowUpApproval,
    RunState,
    SkipReason,
    StopReason,
)

RUN_CONTROLS = (
    "dry_run_default",
    "approval_bound_execution",
    "single_use_approval",
    "lease_and_fence",
    "redacted_metadata_only",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRecord:
    interval_minutes: int
    window_start: datetime
    window_end: datetime
    enabled: bool
    cadence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummaryRecord:
    """The receipt: selected = delivered + failed + skipped + unknown + remaining."""

    retry_plan_count: int
    retryable_count: int
    waiting_retry_count: int
    suppressed_retry_count: int
    selected_retry_count: int
    approval_pending_count: int
    over_limit_count: int
    follow_up_action_count: int
    delivered_count: int
    failed_count: int
    skipped_count: int
    unknown_count: int
    remaining_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorReceiptRecord:
    """One connector's part of the receipt: selected = delivered + failed + skipped + unknown + remaining.

    `skip_reasons` counts what was skipped by its reason. `wave` is the canary wave that a live run has reached over it;
    `stop_reason` says why nothing more was sent.
    """

    provider: str
    selected_count: int
    delivered_count: int
    failed_count: int
    skipped_count: int
    unknown_count: int
    remaining_count: int
    skip_reasons: dict[str, int]
    wave: int | None
    wave_count: int | None
    stop_reason: StopReason | None
    stopped_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpActionRecord:
    action: str
    provider: str
    audit_id: str
    delivery_id: str
    reason: str
    approval_state: FollowUpApproval


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRunRecord:
    """A run. `receipt` splits the summary by connector; lists leave it, the plan's decisions and the selection out."""

    schema_version: str = f"{SCHEMA_PREFIX}-worker-run.v1"
    product: str = PRODUCT
    run_id: str
    state: RunState
    generated_at: datetime
    generated_by: str
    dry_run: bool
    reason: str
    aborted_by: str | None
    abort_reason: str | None
    paused_by: str | None
    pause_reason: str | None
    paused_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    schedule: WindowRecord
    summary: RunSummaryRecord
    receipt: list[ConnectorReceiptRecord]
    retry_plan: RetryPlanRecord
    selected_retries: list[RetryDecisionRecord]
    follow_up_actions: list[FollowUpActionRecord]
    controls: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRecord:
    """One thing that moved between the approval and the send. Digests and revisions by their first 8 characters."""

    field: DriftField
    approved: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryResultRecord:
    """What became of one selected decision. `delivery` is the attempt; nulls where nothing was sent.

    `drift` says what had moved since the approval, where that kept it from being sent.
    """

    decision: RetryDecisionRecord
    delivery_plan: DeliveryPlanRecord
    plan_metadata: HistoryRow | None
    delivery: AttemptRecord | None
    delivery_metadata: HistoryRow | None
    execution_record: ExecutionRecord | None
    execution_metadata: HistoryRow | None
    skipped: SkipReason | None
    drift: list[DriftRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDashboardRecord:
    schema_version: str = f"{SCHEMA_PREFIX}-worker-dashboard.v1"
    product: str = PRODUCT
    generated_at: datetime
    run_count: int
    dry_run_count: int
    executed_count: int
    retryable_count: int
    selected_retry_count: int
    delivered_count: int
    failed_count: int
    waiting_count: int
    suppressed_count: int
    approval_pending_count: int
    last_dry_run_at: datetime | None
    last_executed_at: datetime | None
    next_scheduled_at: datetime | None
    alert_level: AlertLevel
    latest: list[WorkerRunRecord]
