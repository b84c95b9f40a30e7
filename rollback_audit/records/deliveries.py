from dataclasses import dataclass
from datetime import datetime

from rollback_audit.states import AlertLevel, DeliveryState, FailureKind, Outcome, ReasonCode


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPlanRecord:
    """Which package goes where, in which cadence. One `delivery_id` serves every selected connector."""

    delivery_id: str
    audit_id: str
    selected_providers: list[str]
    destination_count: int
    route_count: int
    cadence: str
    schedule_ref: str | None
    next_delivery_at: datetime | None
    alert_level: AlertLevel
    generated_by: str
    generated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One try on the wire, public-safe. `outcome` is None while it is on the wire.

    `already_held` says that the receiver was asked first and had the event from an earlier try: nothing was sent.
    """

    event_id: str
    delivery_id: str
    audit_id: str
    provider: str
    attempt_number: int
    fence: int
    started_at: datetime
    settled_at: datetime | None
    outcome: Outcome | None
    failure_kind: FailureKind | None
    status_code: int | None
    retry_after_seconds: int | None
    duration_ms: int | None
    already_held: bool
    run_id: str | None
    approval_decision_id: str | None
    request_digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """One package to one connector, as it stands now. `event_id` is the idempotency key on the wire."""

    delivery_id: str
    audit_id: str
    provider: str
    source: str
    event_id: str
    state: DeliveryState
    attempt_count: int
    failure_count: int
    failure_kind: FailureKind | None
    failed_status_codes: list[int]
    in_doubt: bool
    last_attempt_at: datetime
    last_failed_at: datetime | None
    not_before: datetime | None
    blocked_by: ReasonCode | None
    due_at: datetime | None
    delivered_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationRecord:
    """A delivery with its attempts, oldest first."""

    delivery: DeliveryRecord
    attempts: list[AttemptRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDetailRecord:
    """Everything one delivery id stands for: its plan and each connector's delivery."""

    delivery_plan: DeliveryPlanRecord
    destinations: list[DestinationRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorDeliveryRecord:
    """What a delivery over one or more connectors came to, attempt by attempt."""

    connector_delivery_source: str
    audit_id: str
    delivery_id: str
    event_id: str
    delivery_success: bool
    providers: list[str]
    failed_providers: list[str]
    status_codes: list[int]
    attempt_count: int
    attempts: list[AttemptRecord]
