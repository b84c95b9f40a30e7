"""Every stored word of the system, in one leaf module.

The values are what the database holds and what the wire shows. A move that `MOVES` does not list is forbidden; the
diagrams in docs/states.md are checked against it.
"""

from enum import StrEnum

PRODUCT = "CAVRA"
METADATA_SCHEMA_VERSION = "cavra.evidence.metadata.v1"
KIND_PREFIX = "go-backend-rollback-drill-acknowledgement-audit-delivery"
SCHEMA_PREFIX = "cavra.go-backend-pilot.rollback-drill-acknowledgement-audit-delivery"


class DeliveryState(StrEnum):
    """Where one package stands on its way to one connector."""

    SENDING = "sending"
    FAILED = "failed"
    DELIVERED = "delivered"
    CLOSED = "closed"


class AttemptState(StrEnum):
    """An attempt is written before its first byte and settled once."""

    SENDING = "sending"
    SETTLED = "settled"


class Outcome(StrEnum):
    """What is known of an exchange once it is over."""

    CONFIRMED = "confirmed"
    NOT_SENT = "not_sent"
    REFUSED = "refused"
    ANSWERED_5XX = "answered_5xx"
    UNKNOWN = "unknown"


class FailureClass(StrEnum):
    """What a failure means for a retry."""

    RETRYABLE = "retryable"
    OVERLOAD = "overload"
    HOLD = "hold"
    FINAL = "final"
    UNKNOWN = "unknown"


class FailureKind(StrEnum):
    """Why an attempt failed: the only words about a failure that are ever stored, logged or shown."""

    # Nothing left this machine.
    NAME_UNRESOLVED = "name_unresolved"
    ADDRESS_FORBIDDEN = "address_forbidden"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_FAILED = "tls_failed"
    TLS_UNTRUSTED = "tls_untrusted"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    REQUEST_INVALID = "request_invalid"
    CONNECTOR_UNAVAILABLE = "connector_unavailable"
    LEASE_LOST = "lease_lost"
    # The receiver answered.
    PAYLOAD_REFUSED = "payload_refused"
    REDIRECT_REFUSED = "redirect_refused"
    CREDENTIAL_REFUSED = "credential_refused"
    ADDRESS_UNKNOWN = "address_unknown"
    RATE_LIMITED = "rate_limited"
    TRY_LATER = "try_later"
    UNAVAILABLE = "unavailable"
    GATEWAY_FAILED = "gateway_failed"
    SERVER_ERROR = "server_error"
    ANSWER_REJECTED = "answer_rejected"
    # Bytes left, and nobody can tell what became of them.
    ANSWER_TIMEOUT = "answer_timeout"
    CONNECTION_LOST = "connection_lost"
    ANSWER_MALFORMED = "answer_malformed"
    ANSWER_TOO_LARGE = "answer_too_large"
    WORKER_LOST = "worker_lost"


FAILURE_CLASS: dict[FailureKind, FailureClass] = {
    FailureKind.NAME_UNRESOLVED: FailureClass.RETRYABLE,
    FailureKind.ADDRESS_FORBIDDEN: FailureClass.HOLD,
    FailureKind.CONNECT_REFUSED: FailureClass.RETRYABLE,
    FailureKind.CONNECT_TIMEOUT: FailureClass.RETRYABLE,
    FailureKind.TLS_FAILED: FailureClass.RETRYABLE,
    FailureKind.TLS_UNTRUSTED: FailureClass.RETRYABLE,
    FailureKind.PAYLOAD_TOO_LARGE: FailureClass.FINAL,
    FailureKind.REQUEST_INVALID: FailureClass.FINAL,
    FailureKind.CONNECTOR_UNAVAILABLE: FailureClass.RETRYABLE,
    FailureKind.LEASE_LOST: FailureClass.RETRYABLE,
    FailureKind.PAYLOAD_REFUSED: FailureClass.FINAL,
    FailureKind.REDIRECT_REFUSED: FailureClass.FINAL,
    FailureKind.CREDENTIAL_REFUSED: FailureClass.HOLD,
    FailureKind.ADDRESS_UNKNOWN: FailureClass.HOLD,
    FailureKind.RATE_LIMITED: FailureClass.OVERLOAD,
    FailureKind.TRY_LATER: FailureClass.RETRYABLE,
    FailureKind.UNAVAILABLE: FailureClass.OVERLOAD,
    FailureKind.GATEWAY_FAILED: FailureClass.RETRYABLE,
    FailureKind.SERVER_ERROR: FailureClass.RETRYABLE,
    FailureKind.ANSWER_REJECTED: FailureClass.RETRYABLE,
    FailureKind.ANSWER_TIMEOUT: FailureClass.UNKNOWN,
    FailureKind.CONNECTION_LOST: FailureClass.UNKNOWN,
    FailureKind.ANSWER_MALFORMED: FailureClass.UNKNOWN,
    FailureKind.ANSWER_TOO_LARGE: FailureClass.UNKNOWN,
    FailureKind.WORKER_LOST: FailureClass.UNKNOWN,
}


class ConnectorStanding(StrEnum):
    """Whether a connector may be sent to now, and if not, why."""

    READY = "ready"
    DISABLED = "disabled"
    UNKNOWN = "unknown"
    MISCONFIGURED = "misconfigured"
    CIRCUIT_OPEN = "circuit_open"
    CREDENTIAL_REFUSED = "credential_refused"
    ADDRESS_REFUSED = "address_refused"


class CircuitState(StrEnum):
    """A connector's breaker: open while its receiver is in trouble, half open while one probe asks."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class RepeatCheck(StrEnum):
    """By what a receiver can be asked whether it already holds an event."""

    NEVER = "never"
    BY_KEY = "by_key"
    BY_RECEIPT = "by_receipt"


class Category(StrEnum):
    SIEM = "siem"
    ITSM = "itsm"
    CHATOPS = "chatops"
    WEBHOOK = "webhook"


class Action(StrEnum):
    """What a retry decision says."""

    RETRY = "retry"
    WAIT = "wait"
    SUPPRESS = "suppress"


class ReasonCode(StrEnum):
    """Why; one per row of the contract's table, in its order."""

    IN_FLIGHT = "in_flight"
    RECEIVER_REJECTED = "receiver_rejected"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    CONNECTOR_ON_HOLD = "connector_on_hold"
    OUTCOME_UNKNOWN = "outcome_unknown"
    RETRY_AFTER = "retry_after"
    BACKOFF = "backoff"
    DUE = "due"


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    ABORTED = "aborted"
    ABANDONED = "abandoned"


class RunMode(StrEnum):
    """What a run may do, as digests bind it."""

    LIVE = "live"
    DRY_RUN = "dry_run"


class ResultState(StrEnum):
    """What became of one selected decision. `remaining` and `sending` are not terminal."""

    REMAINING = "remaining"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


class StopReason(StrEnum):
    """Why a connector's part of a live run stopped before its end."""

    FAILURE_RATE = "failure_rate"
    CONSECUTIVE_FAILURES = "consecutive_failures"


class SkipReason(StrEnum):
    DRY_RUN = "dry_run"
    APPROVAL_MISSING = "approval_missing"
    APPROVAL_EXPIRED = "approval_expired"
    APPROVAL_REVOKED = "approval_revoked"
    DRIFTED = "drifted"
    CONNECTOR_ON_HOLD = "connector_on_hold"
    IN_FLIGHT = "in_flight"
    RUN_ABORTED = "run_aborted"


class DriftField(StrEnum):
    """What moved between an approval and the send it was given for."""

    EVENT = "event"
    CONNECTOR = "connector"
    CONNECTOR_REVISION = "connector_revision"
    ATTEMPT_NUMBER = "attempt_number"
    POLICY = "policy"
    MODE = "mode"
    DELIVERY_STATE = "delivery_state"


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


class RetryAcknowledgementState(StrEnum):
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"


class ApprovalAction(StrEnum):
    """What an approval plan asks for each decision."""

    REQUEST_APPROVAL = "request_approval"
    WAIT_FOR_RETRY_ACK = "wait_for_retry_ack"
    ALREADY_APPROVED = "already_approved"


class ApprovalState(StrEnum):
    APPROVED = "approved"
    DENIED = "denied"
    DEFERRED = "deferred"
    EXPIRED = "expired"


class FourEyes(StrEnum):
    """How many people stand behind a retry (`CAVRA_FOUR_EYES`)."""

    ON = "on"
    OFF = "off"
    STRICT = "strict"


class FollowUpApproval(StrEnum):
    """`approval_state` of a run's follow-up action."""

    DRY_RUN_NOT_REQUIRED = "dry_run_not_required"
    APPROVED = "approved"
    APPROVAL_REQUIRED = "approval_required"


class EscalationLevel(StrEnum):
    """How far an open recovery is past its objective, mildest first."""

    AT_RISK = "at_risk"
    BREACHED = "breached"
    OVERDUE = "overdue"


class EscalationAcknowledgementState(StrEnum):
    ACCEPTED = "accepted"
    ACKNOWLEDGED = "acknowledged"
    DEFERRED = "deferred"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"


class ReportRisk(StrEnum):
    """What an executive report warns of, gravest first."""

    RECOVERY_SLO_BREACHED = "recovery_slo_breached"
    EVIDENCE_SUPPRESSED = "evidence_suppressed"
    RECOVERY_SLO_AT_RISK = "recovery_slo_at_risk"
    CONNECTOR_UNAVAILABLE = "connector_unavailable"
    EVIDENCE_RETRYABLE = "evidence_retryable"
    OUTCOME_UNKNOWN = "outcome_unknown"
    ESCALATION_OUTSTANDING = "escalation_outstanding"
    NOTHING_DELIVERED = "nothing_delivered"


class RecoveryState(StrEnum):
    """Where one outage of a connector stands. At most one recovery of a connector is open."""

    OPEN = "open"
    CLOSED = "closed"


class ClosureState(StrEnum):
    """A person's word on a recovery. The first two close it."""

    RESOLVED = "resolved"
    MITIGATED = "mitigated"
    DEFERRED = "deferred"
    ESCALATED = "escalated"
    REOPENED = "reopened"


class HealthAlertState(StrEnum):
    """Whether the condition that an alert tells of still holds."""

    OPEN = "open"
    RECOVERED = "recovered"


class HealthCode(StrEnum):
    """What a health alert tells of."""

    MISSED_WORKER_RUN = "missed_worker_run"
    FAILED_WORKER_RUN = "failed_worker_run"
    RETRYABLE_DELIVERIES = "retryable_deliveries"
    CONNECTOR_FAILURE = "connector_failure"
    STALE_RETRY_PLAN = "stale_retry_plan"
    DISABLED_SCHEDULE = "disabled_schedule"
    SILENT_DRILL = "silent_drill"
    SILENT_CONNECTOR = "silent_connector"
    ATTEMPTS_NEARING_LIMIT = "attempts_nearing_limit"


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


class Role(StrEnum):
    AUDITOR = "auditor"
    SOC_ANALYST = "soc_analyst"
    RELEASE_MANAGER = "release_manager"
    PLATFORM_OWNER = "platform_owner"


class Permission(StrEnum):
    """What an actor may do. Every verb of the engine names the one it needs."""

    VIEW_EVIDENCE = "view_evidence"
    PLAN_RETRY = "plan_retry"
    REVIEW_RETRY = "review_retry"
    ACKNOWLEDGE_DRILL = "acknowledge_drill"
    DELIVER_EVIDENCE = "deliver_evidence"
    RUN_DRY = "run_dry"
    REQUEST_APPROVAL = "request_approval"
    APPROVE_RETRY = "approve_retry"
    EXECUTE_RETRY = "execute_retry"
    EDIT_CONNECTORS = "edit_connectors"
    EDIT_SCHEDULES = "edit_schedules"
    ACKNOWLEDGE_ALERT = "acknowledge_alert"
    OPEN_RECOVERY = "open_recovery"
    CLOSE_RECOVERY = "close_recovery"


_AUDITOR = frozenset({Permission.VIEW_EVIDENCE})
_SOC_ANALYST = _AUDITOR | {
    Permission.PLAN_RETRY,
    Permission.REVIEW_RETRY,
    Permission.ACKNOWLEDGE_ALERT,
    Permission.OPEN_RECOVERY,
}
_RELEASE_MANAGER = _SOC_ANALYST | {
    Permission.ACKNOWLEDGE_DRILL,
    Permission.DELIVER_EVIDENCE,
    Permission.RUN_DRY,
    Permission.REQUEST_APPROVAL,
}
_PLATFORM_OWNER = _RELEASE_MANAGER | {
    Permission.APPROVE_RETRY,
    Permission.EXECUTE_RETRY,
    Permission.EDIT_CONNECTORS,
    Permission.EDIT_SCHEDULES,
    Permission.CLOSE_RECOVERY,
}

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.AUDITOR: _AUDITOR,
    Role.SOC_ANALYST: _SOC_ANALYST,
    Role.RELEASE_MANAGER: _RELEASE_MANAGER,
    Role.PLATFORM_OWNER: _PLATFORM_OWNER,
}


MOVES: dict[type[StrEnum], frozenset[tuple[StrEnum, StrEnum]]] = {
    DeliveryState: frozenset(
        {
            (DeliveryState.SENDING, DeliveryState.DELIVERED),
            (DeliveryState.SENDING, DeliveryState.FAILED),
            (DeliveryState.FAILED, DeliveryState.SENDING),
            (DeliveryState.FAILED, DeliveryState.CLOSED),
            (DeliveryState.CLOSED, DeliveryState.FAILED),
        }
    ),
    AttemptState: frozenset({(AttemptState.SENDING, AttemptState.SETTLED)}),
    CircuitState: frozenset(
        {
            (CircuitState.CLOSED, CircuitState.OPEN),
            (CircuitState.OPEN, CircuitState.HALF_OPEN),
            (CircuitState.OPEN, CircuitState.CLOSED),
            (CircuitState.HALF_OPEN, CircuitState.CLOSED),
            (CircuitState.HALF_OPEN, CircuitState.OPEN),
        }
    ),
    RunState: frozenset(
        {
            (RunState.QUEUED, RunState.RUNNING),
            (RunState.QUEUED, RunState.ABORTED),
            (RunState.RUNNING, RunState.COMPLETED),
            (RunState.RUNNING, RunState.ABORTED),
            (RunState.RUNNING, RunState.ABANDONED),
        }
    ),
    RecoveryState: frozenset({(RecoveryState.OPEN, RecoveryState.CLOSED), (RecoveryState.CLOSED, RecoveryState.OPEN)}),
    HealthAlertState: frozenset({(HealthAlertState.OPEN, HealthAlertState.RECOVERED)}),
    ResultState: frozenset(
        {
            (ResultState.REMAINING, ResultState.SENDING),
            (ResultState.REMAINING, ResultState.SKIPPED),
            (ResultState.SENDING, ResultState.DELIVERED),
            (ResultState.SENDING, ResultState.FAILED),
            (ResultState.SENDING, ResultState.UNKNOWN),
        }
    ),
}
