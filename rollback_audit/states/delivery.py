"""A delivery, its attempts, and what may become of one."""

from enum import StrEnum


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
