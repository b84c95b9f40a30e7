"""Tables: constraints, indexes, one-row facts. What spans rows lives in the engine."""

from rollback_audit.models.access import Access, ApiToken, IdempotentRequest
from rollback_audit.models.alerts import HealthAlert, HealthAlertAcknowledgement
from rollback_audit.models.approvals import ApprovalDecision, ApprovalPlan, ApprovalPlanEntry, RetryAcknowledgement
from rollback_audit.models.connectors import Connector
from rollback_audit.models.deliveries import Delivery, DeliveryAttempt
from rollback_audit.models.drills import DrillAcknowledgement, DrillRoute, DrillSchedule, NotificationPlan
from rollback_audit.models.ledger import EvidenceEntry, LedgerCheckpoint, LedgerLeaf, LedgerNode
from rollback_audit.models.packages import DeliveryPlan, EvidencePackage
from rollback_audit.models.plans import RetryDecision, RetryPlan
from rollback_audit.models.recoveries import Recovery, RecoveryClosure, RecoveryPlaybook, RecoveryPlaybookEntry
from rollback_audit.models.reports import (
    EscalatedRecovery,
    EscalationAcknowledgement,
    ExecutiveReport,
    RecoveryEscalation,
)
from rollback_audit.models.retention import LegalHold, PrunedEntry, PrunedSpan
from rollback_audit.models.runs import RunLane, WorkerResult, WorkerRun, WorkerSchedule

__all__ = [
    "Access",
    "ApiToken",
    "ApprovalDecision",
    "ApprovalPlan",
    "ApprovalPlanEntry",
    "Connector",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryPlan",
    "DrillAcknowledgement",
    "DrillRoute",
    "DrillSchedule",
    "EscalatedRecovery",
    "EscalationAcknowledgement",
    "EvidenceEntry",
    "EvidencePackage",
    "ExecutiveReport",
    "HealthAlert",
    "HealthAlertAcknowledgement",
    "IdempotentRequest",
    "LedgerCheckpoint",
    "LedgerLeaf",
    "LedgerNode",
    "LegalHold",
    "NotificationPlan",
    "PrunedEntry",
    "PrunedSpan",
    "Recovery",
    "RecoveryClosure",
    "RecoveryEscalation",
    "RecoveryPlaybook",
    "RecoveryPlaybookEntry",
    "RetryAcknowledgement",
    "RetryDecision",
    "RetryPlan",
    "RunLane",
    "WorkerResult",
    "WorkerRun",
    "WorkerSchedule",
]
