"""What POST routes answer with: records of the engine, side by side, and who asked."""

from dataclasses import dataclass, fields
from typing import Any

from django.contrib.auth.models import AbstractUser

from rollback_audit.engine.dispatch import PackageDelivery
from rollback_audit.records.alerts import (
    HealthAlertAcknowledgementRecord,
    HealthAlertPlanRecord,
    WorkerHealthRecord,
)
from rollback_audit.records.approvals import ApprovalDecisionRecord, ApprovalPlanRecord, RetryAcknowledgementRecord
from rollback_audit.records.backtests import BackTestRecord
from rollback_audit.records.connectors import ConnectorRecord, ConnectorTestRecord
from rollback_audit.records.deliveries import ConnectorDeliveryRecord, DeliveryPlanRecord
from rollback_audit.records.drills import (
    AuditPackageRecord,
    DrillAcknowledgementRecord,
    DrillScheduleRecord,
    NotificationPlanRecord,
)
from rollback_audit.records.escalations import EscalationAcknowledgementRecord, EscalationPlanRecord
from rollback_audit.records.executive_reports import ExecutiveReportRecord, ReportRunRecord
from rollback_audit.records.history import HistoryRow
from rollback_audit.records.plans import RetryPlanRecord
from rollback_audit.records.recoveries import (
    RecoveryClosureRecord,
    RecoveryPlaybookRecord,
    RecoveryRecord,
    RecoveryReportRecord,
)
from rollback_audit.records.retention import LegalHoldRecord
from rollback_audit.records.runs import RetryResultRecord, WorkerRunRecord
from rollback_audit.states import PRODUCT

BULK_SCHEMA = "cavra.go-backend-pilot.rollback-drill-bulk-acknowledgement.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorRecord:
    """Who asked, as signed in. The form is CAVRA's; `repository` is always null here."""

    actor: str
    subject: str
    issuer: str = "cavra-rollback-audit"
    groups: list[str]
    repository: str | None = None


def actor_record(user: AbstractUser) -> ActorRecord:
    return ActorRecord(
        actor=user.get_username(),
        subject=f"user:{user.pk}",
        groups=list(user.groups.order_by("name").values_list("name", flat=True)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPlanAnswer:
    plan: RetryPlanRecord
    metadata: HistoryRow
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class BackTestAnswer:
    """`metadata` is always null: a back-test writes nothing."""

    back_test: BackTestRecord
    metadata: HistoryRow | None
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAcknowledgementAnswer:
    acknowledgement: RetryAcknowledgementRecord
    metadata: HistoryRow
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPlanAnswer:
    plan: ApprovalPlanRecord
    metadata: HistoryRow
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDecisionAnswer:
    """The first 1,000 of `decision_count` decisions; `decision` is the one, where one was named."""

    decision: ApprovalDecisionRecord | None
    decisions: list[ApprovalDecisionRecord]
    decision_count: int
    metadata: list[HistoryRow]
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryPlaybookAnswer:
    playbook: RecoveryPlaybookRecord
    metadata: HistoryRow
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryClosureAnswer:
    """The word, and the recovery after it."""

    closure: RecoveryClosureRecord
    recovery: RecoveryRecord
    metadata: HistoryRow
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRecoveryReportAnswer:
    """`metadata` is always null: looking writes nothing."""

    report: RecoveryReportRecord
    metadata: HistoryRow | None
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthAlertDeliveryAnswer:
    """What was found, and what was told of it: nothing where `suppressed`. `metadata` is as with audit deliveries."""

    health: WorkerHealthRecord
    plan: HealthAlertPlanRecord | None
    plan_metadata: HistoryRow | None
    suppressed: bool
    suppressed_count: int
    delivery_plan: DeliveryPlanRecord | None
    delivery: ConnectorDeliveryRecord | None
    metadata: HistoryRow | None
    delivery_metadata: list[HistoryRow]
    success: bool
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthAlertAcknowledgementAnswer:
    """A word for each alert that was named; `acknowledgement` and `metadata` are the first."""

    acknowledgement: HealthAlertAcknowledgementRecord
    acknowledgements: list[HealthAlertAcknowledgementRecord]
    metadata: HistoryRow
    acknowledgement_metadata: list[HistoryRow]
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRunAnswer:
    """A run with its first 1,000 results. Both lines of metadata are null once they were pruned."""

    run: WorkerRunRecord
    metadata: HistoryRow | None
    retry_metadata: HistoryRow | None
    retry_results: list[RetryResultRecord]
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorAnswer:
    connector: ConnectorRecord
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorTestAnswer:
    """What became of a test event; `success` says whether the receiver confirmed it."""

    test: ConnectorTestRecord
    success: bool
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillScheduleAnswer:
    schedule: DrillScheduleRecord
    metadata: HistoryRow
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillNotificationAnswer:
    """`deliveries` has an entry for each group of connectors told the same, `metadata` one for each attempt."""

    plan: NotificationPlanRecord
    plan_metadata: HistoryRow
    deliveries: list[ConnectorDeliveryRecord]
    metadata: list[HistoryRow]
    success: bool
    event_id: str
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillAcknowledgementAnswer:
    acknowledgement: DrillAcknowledgementRecord
    metadata: HistoryRow
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkAcknowledgementAnswer:
    schema_version: str = BULK_SCHEMA
    product: str = PRODUCT
    bulk_id: str
    acknowledgement_count: int
    acknowledgements: list[DrillAcknowledgementRecord]
    metadata: list[HistoryRow]
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPackageAnswer:
    audit_package: AuditPackageRecord
    metadata: HistoryRow
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditDeliveryAnswer:
    """`metadata` is the history row of the first failure, or of the first attempt; `delivery_metadata` has them all."""

    audit_package: AuditPackageRecord
    audit_metadata: HistoryRow
    delivery_plan: DeliveryPlanRecord
    plan_metadata: HistoryRow
    delivery: ConnectorDeliveryRecord
    metadata: HistoryRow
    delivery_metadata: list[HistoryRow]
    success: bool
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationPlanAnswer:
    plan: EscalationPlanRecord
    metadata: HistoryRow
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationAcknowledgementAnswer:
    acknowledgement: EscalationAcknowledgementRecord
    metadata: HistoryRow
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationDeliveryAnswer:
    """`metadata` is the history row of the first failure, or of the first attempt; `delivery_metadata` has them all."""

    plan: EscalationPlanRecord
    delivery_plan: DeliveryPlanRecord
    plan_metadata: HistoryRow
    delivery: ConnectorDeliveryRecord
    metadata: HistoryRow
    delivery_metadata: list[HistoryRow]
    success: bool
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutiveReportAnswer:
    """`metadata` is always null: looking writes nothing."""

    report: ExecutiveReportRecord
    metadata: HistoryRow | None
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRunAnswer:
    """A stored report. `created` is false where the window had it already."""

    run: ReportRunRecord
    metadata: HistoryRow
    created: bool
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDeliveryAnswer:
    """`metadata` is the history row of the first failure, or of the first attempt; `delivery_metadata` has them all."""

    run: ReportRunRecord
    delivery_plan: DeliveryPlanRecord
    plan_metadata: HistoryRow
    delivery: ConnectorDeliveryRecord
    metadata: HistoryRow
    delivery_metadata: list[HistoryRow]
    success: bool
    actor: ActorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHoldAnswer:
    hold: LegalHoldRecord
    metadata: HistoryRow
    actor: ActorRecord


def of_delivery(sent: PackageDelivery) -> dict[str, Any]:
    """What came of a delivery, as answers about one hold it."""
    return {item.name: getattr(sent, item.name) for item in fields(sent)}
