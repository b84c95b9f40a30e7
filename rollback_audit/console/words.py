"""Stored words as people say them: a name, a tone and one sentence each. Anything else is the word with spaces."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from rollback_audit.planning.retry import REASONS
from rollback_audit.states import (
    Action,
    AlertLevel,
    ApprovalAction,
    ApprovalState,
    ConnectorStanding,
    DeliveryState,
    FailureKind,
    MetadataKind,
    Outcome,
    ReasonCode,
    ResultState,
    RunState,
    SkipReason,
    Source,
)

Text = str | Promise

NAMES: dict[str, Text] = {
    Source.ACKNOWLEDGEMENT_AUDIT: _("Acknowledgement audit"),
    Source.DRILL_NOTIFICATION: _("Drill notification"),
    Source.WORKER_HEALTH_ALERT: _("Worker health alert"),
    Source.RECOVERY_ESCALATION: _("Recovery escalation"),
    Source.EXECUTIVE_REPORT: _("Executive report"),
    Outcome.ANSWERED_5XX: _("server error"),
    FailureKind.TLS_FAILED: _("TLS failed"),
    FailureKind.TLS_UNTRUSTED: _("TLS untrusted"),
    MetadataKind.NOTIFICATION_PLAN: _("Drill notification plan"),
    MetadataKind.NOTIFICATION_ACK: _("Drill acknowledgement"),
    MetadataKind.AUDIT_PACKAGE: _("Audit package"),
    MetadataKind.DELIVERY_PLAN: _("Delivery plan"),
    MetadataKind.CONNECTOR_DELIVERY: _("Delivery attempt"),
    MetadataKind.RETRY_PLAN: _("Retry plan"),
    MetadataKind.WORKER_RUN: _("Worker run"),
    MetadataKind.RETRY_ACK: _("Review"),
    MetadataKind.APPROVAL_PLAN: _("Approval plan"),
    MetadataKind.APPROVAL_DECISION: _("Approval decision"),
    MetadataKind.EXECUTION_RECORD: _("Execution record"),
    MetadataKind.RECOVERY_PLAYBOOK: _("Recovery playbook"),
    MetadataKind.RECOVERY_CLOSURE: _("Recovery closure"),
    MetadataKind.HEALTH_ALERT_PLAN: _("Health alert plan"),
    MetadataKind.HEALTH_ALERT_ACK: _("Health alert acknowledgement"),
    MetadataKind.RECOVERY_REPORT: _("Recovery report"),
    MetadataKind.ESCALATION_PLAN: _("Escalation plan"),
    MetadataKind.ESCALATION_ACK: _("Escalation acknowledgement"),
    MetadataKind.EXECUTIVE_REPORT: _("Executive report"),
    MetadataKind.SCHEDULE_CHANGED: _("Drill schedule changed"),
    MetadataKind.ATTEMPT_SENDING: _("Attempt begun"),
    MetadataKind.POSSIBLE_DUPLICATE: _("Possible duplicate"),
    MetadataKind.LATE_RESULT: _("Late result"),
    MetadataKind.RUN_QUEUED: _("Worker run queued"),
    MetadataKind.CONNECTOR_CHANGED: _("Connector changed"),
    "siem": _("SIEM"),
    "itsm": _("ITSM"),
    "chatops": _("ChatOps"),
    "webhook": _("Webhook"),
}

# good: nothing to do; warn: worth a look; bad: act; busy: under way; calm: settled, neither good nor bad.
TONES: dict[str, str] = {
    DeliveryState.SENDING: "busy",
    DeliveryState.FAILED: "bad",
    DeliveryState.DELIVERED: "good",
    Outcome.CONFIRMED: "good",
    Outcome.NOT_SENT: "warn",
    Outcome.REFUSED: "bad",
    Outcome.ANSWERED_5XX: "bad",
    Outcome.UNKNOWN: "warn",
    Action.RETRY: "accent",
    Action.WAIT: "warn",
    AlertLevel.HEALTHY: "good",
    AlertLevel.WARNING: "warn",
    AlertLevel.CRITICAL: "bad",
    RunState.QUEUED: "busy",
    RunState.RUNNING: "busy",
    RunState.COMPLETED: "good",
    RunState.ABORTED: "warn",
    RunState.ABANDONED: "bad",
    ResultState.REMAINING: "busy",
    ApprovalState.APPROVED: "good",
    ApprovalState.DENIED: "bad",
    ApprovalState.EXPIRED: "warn",
    ApprovalState.DEFERRED: "warn",
    ApprovalAction.REQUEST_APPROVAL: "accent",
    ApprovalAction.WAIT_FOR_RETRY_ACK: "warn",
    ApprovalAction.ALREADY_APPROVED: "good",
    ConnectorStanding.READY: "good",
    ConnectorStanding.DISABLED: "calm",
    ConnectorStanding.MISCONFIGURED: "bad",
    ConnectorStanding.CIRCUIT_OPEN: "bad",
    ConnectorStanding.CREDENTIAL_REFUSED: "bad",
    ConnectorStanding.ADDRESS_REFUSED: "bad",
    "accepted": "good",
    "resolved": "good",
    "acknowledged": "good",
    "escalated": "warn",
    "outstanding": "warn",
    "retryable": "accent",
    "live": "accent",
    "open": "warn",
}

MEANINGS: dict[str, Text] = {
    **{code.value: sentence for code, sentence in REASONS.items()},
    Outcome.CONFIRMED: _("The receiver confirmed it."),
    Outcome.NOT_SENT: _("Nothing left this machine."),
    Outcome.REFUSED: _("The receiver answered and refused it."),
    Outcome.ANSWERED_5XX: _("The receiver answered that it failed."),
    Outcome.UNKNOWN: _("Bytes left, and nobody can tell what became of them."),
    FailureKind.NAME_UNRESOLVED: _("The receiver's name could not be resolved."),
    FailureKind.ADDRESS_FORBIDDEN: _("The receiver's address is not one this connector may reach."),
    FailureKind.CONNECT_REFUSED: _("The receiver did not accept the connection."),
    FailureKind.CONNECT_TIMEOUT: _("No connection within the deadline."),
    FailureKind.TLS_FAILED: _("The encrypted connection could not be set up."),
    FailureKind.TLS_UNTRUSTED: _("The receiver's certificate is not trusted."),
    FailureKind.PAYLOAD_TOO_LARGE: _("The event is over the receiver's limit."),
    FailureKind.REQUEST_INVALID: _("The request could not be built from the configuration."),
    FailureKind.CONNECTOR_UNAVAILABLE: _("The connector's configuration could not be used when it was due."),
    FailureKind.LEASE_LOST: _("The worker lost its hold on the delivery before it began to send."),
    FailureKind.PAYLOAD_REFUSED: _("The receiver refused the payload for good."),
    FailureKind.REDIRECT_REFUSED: _("The receiver redirected; redirects are not followed."),
    FailureKind.CREDENTIAL_REFUSED: _("The receiver refused the credential."),
    FailureKind.ADDRESS_UNKNOWN: _("The receiver does not know the address."),
    FailureKind.RATE_LIMITED: _("The receiver asked for fewer requests."),
    FailureKind.TRY_LATER: _("The receiver asked to try later."),
    FailureKind.UNAVAILABLE: _("The receiver said it is unavailable."),
    FailureKind.GATEWAY_FAILED: _("Something in front of the receiver failed."),
    FailureKind.SERVER_ERROR: _("The receiver answered with a server error."),
    FailureKind.ANSWER_REJECTED: _("The receiver answered success, but its body says it failed."),
    FailureKind.ANSWER_TIMEOUT: _("No complete answer within the deadline."),
    FailureKind.CONNECTION_LOST: _("The connection broke before the answer was complete."),
    FailureKind.ANSWER_MALFORMED: _("The answer could not be understood."),
    FailureKind.ANSWER_TOO_LARGE: _("The answer was larger than any we read."),
    FailureKind.WORKER_LOST: _("The worker stopped while the attempt was on the wire."),
    SkipReason.DRY_RUN: _("A dry run sends nothing."),
    SkipReason.APPROVAL_MISSING: _("Nobody has approved it."),
    SkipReason.APPROVAL_EXPIRED: _("Its approval expired before it was sent."),
    SkipReason.APPROVAL_REVOKED: _("Its approval was taken back before it was sent."),
    SkipReason.DRIFTED: _("The delivery or its connector changed after the plan was made."),
    SkipReason.RUN_ABORTED: _("The run was aborted before its turn."),
    Action.RETRY: _("May be sent again now, once approved."),
    Action.WAIT: _("Not yet: a clock, the connector or the attempt on the wire decides."),
    Action.SUPPRESS: _("Will not be tried again under this policy."),
    AlertLevel.HEALTHY: _("Nothing is eligible for a retry."),
    AlertLevel.WARNING: _("Something waits or may be retried."),
    AlertLevel.CRITICAL: _("Failures may be retried now, and no live run has delivered them."),
    ApprovalAction.REQUEST_APPROVAL: _("Reviewed, and waits for somebody to approve it."),
    ApprovalAction.WAIT_FOR_RETRY_ACK: _("Waits for a review before it can be approved."),
    ApprovalAction.ALREADY_APPROVED: _("Already has an approval that can be used."),
    ReasonCode.DUE: _("The delay has passed and nothing stands against a retry."),
}


def name(word: str) -> str:
    """How people say a stored word."""
    return str(NAMES.get(word, word.replace("_", " ").replace("-", " ")))


def tone(word: str) -> str:
    """One of good, warn, bad, busy, accent, calm."""
    return TONES.get(word, "calm")


def meaning(word: str) -> str:
    """One sentence, or nothing."""
    return str(MEANINGS.get(word, ""))
