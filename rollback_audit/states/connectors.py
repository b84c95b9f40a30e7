"""Connectors: what kind they are and whether they may be sent to."""

from enum import StrEnum


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
