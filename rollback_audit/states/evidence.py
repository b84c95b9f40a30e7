"""What is delivered, and the kinds of line that the ledger keeps of it."""

from enum import StrEnum

PRODUCT = "CAVRA"
METADATA_SCHEMA_VERSION = "cavra.evidence.metadata.v1"
KIND_PREFIX = "go-backend-rollback-drill-acknowledgement-audit-delivery"
SCHEMA_PREFIX = "cavra.go-backend-pilot.rollback-drill-acknowledgement-audit-delivery"


class AlertLevel(StrEnum):
    HEALTHY = "healthy"
    WARNING = "warning"
    CRITICAL = "critical"


class Source(StrEnum):
    """Which kind of evidence a delivery carries (`connector_delivery_source` on the wire)."""

    ACKNOWLEDGEMENT_AUDIT = "go_backend_rollback_drill_acknowledgement_audit"
    DRILL_NOTIFICATION = "go_backend_rollback_drill_notification"
    WORKER_HEALTH_ALERT = "go_backend_rollback_drill_acknowledgement_audit_worker_health_alert"
    RECOVERY_ESCALATION = "go_backend_rollback_drill_acknowledgement_audit_recovery_escalation"
    EXECUTIVE_REPORT = "go_backend_rollback_drill_acknowledgement_audit_recovery_executive_report"


class AcknowledgementState(StrEnum):
    ACKNOWLEDGED = "acknowledged"
    DISMISSED = "dismissed"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


OUTSTANDING = "outstanding"


class LedgerFault(StrEnum):
    """What a look over the whole ledger may find."""

    ENTRY_CHANGED = "entry_changed"
    ENTRY_MISSING = "entry_missing"
    COLUMN_CHANGED = "column_changed"
    LEAF_MISSING = "leaf_missing"
    NODE_CHANGED = "node_changed"
    CHECKPOINT_CHANGED = "checkpoint_changed"
    CHECKPOINT_UNSIGNED = "checkpoint_unsigned"
    FILE_AHEAD = "file_ahead"
    FILE_DIFFERS = "file_differs"
    GUARD_MISSING = "guard_missing"


class HoldScope(StrEnum):
    """What a legal hold keeps."""

    AUDIT = "audit"
    DELIVERY = "delivery"
    SCHEDULE = "schedule"
    EVERYTHING = "everything"


class MetadataKind(StrEnum):
    """`metadata_kind` of a history row."""

    NOTIFICATION_PLAN = "go-backend-rollback-drill-notification-plan"
    NOTIFICATION_ACK = "go-backend-rollback-drill-notification-ack"
    AUDIT_PACKAGE = "go-backend-rollback-drill-acknowledgement-audit-package"
    DELIVERY_PLAN = f"{KIND_PREFIX}-plan"
    CONNECTOR_DELIVERY = "release-connector-delivery"
    RETRY_PLAN = f"{KIND_PREFIX}-retry-plan"
    WORKER_RUN = f"{KIND_PREFIX}-worker-run"
    RETRY_ACK = f"{KIND_PREFIX}-retry-ack"
    APPROVAL_PLAN = f"{KIND_PREFIX}-retry-execution-approval-plan"
    APPROVAL_DECISION = f"{KIND_PREFIX}-retry-execution-approval-decision"
    EXECUTION_RECORD = f"{KIND_PREFIX}-retry-execution-record"
    RECOVERY_PLAYBOOK = f"{KIND_PREFIX}-connector-recovery-playbook"
    RECOVERY_CLOSURE = f"{KIND_PREFIX}-connector-recovery-closure"
    HEALTH_ALERT_PLAN = f"{KIND_PREFIX}-worker-health-alert-plan"
    HEALTH_ALERT_ACK = f"{KIND_PREFIX}-worker-health-alert-ack"
    RECOVERY_REPORT = f"{KIND_PREFIX}-retry-recovery-report"
    ESCALATION_PLAN = f"{KIND_PREFIX}-recovery-escalation-plan"
    ESCALATION_ACK = f"{KIND_PREFIX}-recovery-escalation-ack"
    EXECUTIVE_REPORT = f"{KIND_PREFIX}-recovery-executive-report"
    # Lines that only the ledger knows: no CAVRA record has them, `GET B` shows them when asked for by kind.
    SCHEDULE_CHANGED = "drill-schedule-changed"
    ATTEMPT_SENDING = "attempt-sending"
    POSSIBLE_DUPLICATE = "possible-duplicate"
    LATE_RESULT = "late-result"
    RUN_QUEUED = "worker-run-queued"
    RUN_CHANGED = "worker-run-changed"
    CONNECTOR_CHANGED = "connector-changed"
    CONNECTOR_TESTED = "connector-tested"
    LEDGER_KEY = "ledger-key"
    LEDGER_PRUNED = "ledger-pruned"
    LEGAL_HOLD_CHANGED = "legal-hold-changed"


# Lines that are never pruned: what the proof of all others rests on, and what says why some are gone.
KEPT_FOR_EVER = frozenset({MetadataKind.LEDGER_KEY, MetadataKind.LEDGER_PRUNED, MetadataKind.LEGAL_HOLD_CHANGED})
