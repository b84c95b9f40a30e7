"""Retry decisions, their reviews and their approvals."""

from enum import StrEnum


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
