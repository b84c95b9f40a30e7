"""Recoveries, escalations, executive reports and health alerts."""

from enum import StrEnum


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
