from dataclasses import dataclass
from datetime import datetime

from rollback_audit.records.approvals import ExecutionRecord
from rollback_audit.states import PRODUCT, SCHEMA_PREFIX, Category, ClosureState, FailureKind, RecoveryState

PLAYBOOK_SCHEMA = f"{SCHEMA_PREFIX}-connector-recovery-playbook.v1"
CLOSURE_SCHEMA = f"{SCHEMA_PREFIX}-connector-recovery-closure.v1"
REPORT_SCHEMA = f"{SCHEMA_PREFIX}-retry-recovery-report.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryStepRecord:
    """One thing to do, by its stable code and in words that fit the receiver's category (planning.recovery)."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPlaybookRecord:
    """What a playbook says of one connector. The counts are those of the whole outage, also before the lookback."""

    recovery_id: str
    provider: str
    category: Category
    failure_count: int
    first_failure_at: datetime
    latest_failure_at: datetime
    status_codes: list[int]
    failure_kinds: list[FailureKind]
    recovery_steps: list[RecoveryStepRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryPlaybookRecord:
    schema_version: str = PLAYBOOK_SCHEMA
    product: str = PRODUCT
    playbook_id: str
    generated_at: datetime
    generated_by: str
    min_failure_count: int
    lookback_hours: int
    provider_count: int
    provider_playbooks: list[ProviderPlaybookRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryRecord:
    """One outage of one connector, and how it stands against `recovery_slo_minutes` at the moment of asking.

    `slo_state` is open, closed (in time) or breached. `playbook_id` is the newest playbook that lists it.
    """

    recovery_id: str
    playbook_id: str
    provider: str
    category: Category
    state: RecoveryState
    closure_state: ClosureState | None
    failure_count: int
    first_failure_at: datetime
    latest_failure_at: datetime
    status_codes: list[int]
    failure_kinds: list[FailureKind]
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None
    recovery_slo_minutes: int
    slo_due_at: datetime
    slo_state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryClosureRecord:
    """A word on a recovery, without its notes."""

    schema_version: str = CLOSURE_SCHEMA
    product: str = PRODUCT
    closure_id: str
    playbook_id: str
    recovery_id: str
    provider: str
    closure_state: ClosureState
    external_ref: str
    verification_refs: list[str]
    closed_by: str
    actor: str
    closed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRecoverySummaryRecord:
    """The recoveries of one connector: recovery_count = open_count + closed_count, breached ones among them."""

    provider: str
    category: Category
    recovery_count: int
    open_count: int
    closed_count: int
    breached_count: int
    failure_count: int
    latest_failure_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosureTrendRecord:
    """The words said on one day (UTC). closed_count = resolved_count + mitigated_count."""

    date: str
    closed_count: int
    resolved_count: int
    mitigated_count: int
    deferred_count: int
    escalated_count: int
    reopened_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryReportRecord:
    """Retries and recoveries in numbers.

    `execution_status_counts` (delivered, failed, skipped, unknown) add up to execution_count, and
    `execution_success_rate` is the share of what was sent, 0 to 1. recovery_count = recovery_open_count +
    recovery_closed_count; breached ones are among both. `recovery_rows` holds what is open and the newest closed ones,
    200 in all. `closure_trends` covers the days of the last 30 that had a closure, newest first;
    `closure_state_counts` covers all time.
    """

    schema_version: str = REPORT_SCHEMA
    product: str = PRODUCT
    generated_at: datetime
    generated_by: str
    recovery_slo_minutes: int
    execution_count: int
    execution_success_count: int
    execution_failed_count: int
    execution_success_rate: float
    execution_status_counts: dict[str, int]
    recovery_playbook_provider_count: int
    recovery_count: int
    recovery_open_count: int
    recovery_closed_count: int
    recovery_slo_breached_count: int
    closure_state_counts: dict[str, int]
    provider_summary: list[ProviderRecoverySummaryRecord]
    recovery_rows: list[RecoveryRecord]
    closure_trends: list[ClosureTrendRecord]
    latest_executions: list[ExecutionRecord]
