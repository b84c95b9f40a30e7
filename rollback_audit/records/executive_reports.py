from dataclasses import dataclass
from datetime import datetime

from rollback_audit.records.deliveries import DeliveryRecord
from rollback_audit.records.runs import WindowRecord
from rollback_audit.states import PRODUCT, SCHEMA_PREFIX, AlertLevel, Category, ConnectorStanding, ReportRisk

REPORT_SCHEMA = f"{SCHEMA_PREFIX}-recovery-executive-report.v1"
REPORT_RUN_SCHEMA = f"{SCHEMA_PREFIX}-recovery-executive-report-schedule-run.v1"
REPORT_CONTROLS = (
    "redacted_metadata_only",
    "stored_before_it_is_sent",
    "sent_to_connectors_that_work",
    "failed_deliveries_take_the_retry_plan",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutiveSummaryRecord:
    """Numbers. Rates are 0 to 1.

    Of the period: deliveries begun in it, executions of live runs begun in it, recoveries closed in it, escalations
    planned in it. As they stand: retryable, waiting, suppressed and in doubt, open recoveries, and their breaches.
    `mean_recovery_minutes` is from the first failure to the closure, None where nothing was closed.
    """

    delivery_count: int
    delivered_count: int
    open_count: int
    delivery_success_rate: float
    retryable_count: int
    waiting_count: int
    suppressed_count: int
    in_doubt_count: int
    execution_count: int
    execution_success_count: int
    execution_failed_count: int
    execution_unknown_count: int
    execution_skipped_count: int
    execution_success_rate: float
    recovery_open_count: int
    recovery_at_risk_count: int
    recovery_slo_breached_count: int
    recovery_closed_count: int
    recovery_closed_late_count: int
    mean_recovery_minutes: int | None
    escalation_count: int
    outstanding_escalation_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRiskRecord:
    code: ReportRisk
    risk: str
    alert_level: AlertLevel
    count: int
    recommended_action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSummaryRecord:
    """One connector: its deliveries of the period, what it still has to get, and whether a recovery of it is open."""

    provider: str
    category: Category
    standing: ConnectorStanding
    delivery_count: int
    delivered_count: int
    open_count: int
    delivery_success_rate: float
    recovery_open: bool
    recovery_slo_breached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryTrendRecord:
    """The deliveries begun on one day (UTC), as they stand now."""

    date: str
    delivery_count: int
    delivered_count: int
    open_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryTrendRecord:
    """The recoveries closed on one day (UTC)."""

    date: str
    closed_count: int
    late_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutiveReportRecord:
    """How delivery and recovery went from `since` to `until`. `report_id` is None until the report is stored."""

    schema_version: str = REPORT_SCHEMA
    product: str = PRODUCT
    report_id: str | None
    generated_at: datetime
    generated_by: str
    since: datetime
    until: datetime
    lookback_hours: int
    recovery_slo_minutes: int
    alert_level: AlertLevel
    executive_summary: ExecutiveSummaryRecord
    key_risks: list[KeyRiskRecord]
    provider_summary: list[ProviderSummaryRecord]
    delivery_trends: list[DeliveryTrendRecord]
    closure_trends: list[RecoveryTrendRecord]
    recommended_actions: list[str]
    controls: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRunSummaryRecord:
    """What lists show of a stored report."""

    executive_report_count: int
    risk_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRunRecord:
    """A stored report. `digest` is the SHA-256 of its package; `audit_id` and the report's id equal `run_id`."""

    schema_version: str = REPORT_RUN_SCHEMA
    product: str = PRODUCT
    run_id: str
    audit_id: str
    digest: str
    generated_at: datetime
    generated_by: str
    alert_level: AlertLevel
    schedule: WindowRecord
    summary: ReportRunSummaryRecord
    executive_report: ExecutiveReportRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRunDetailRecord:
    """A stored report, and how its deliveries stand."""

    run: ReportRunRecord
    deliveries: list[DeliveryRecord]
