"""What a rule may know. Everything here is frozen; the clock is always passed in.

Facts and decisions are named tuples: a plan handles up to a million of them, and they cost a quarter of a dataclass.
"""

from datetime import datetime
from typing import NamedTuple

from rollback_audit.states import (
    Action,
    ConnectorStanding,
    DeliveryState,
    FailureKind,
    ReasonCode,
    RepeatCheck,
    RunMode,
)


class RetryPolicy(NamedTuple):
    """How failures are retried. Minutes are whole; the contract's defaults and bounds."""

    max_retry_attempts: int = 3
    retry_delay_minutes: int = 15
    backoff_multiplier: float = 2.0
    max_delay_minutes: int = 1440
    jitter_ratio: float = 0.0
    allow_immediate_retry: bool = False
    retry_unknown_outcome: bool = False


DEFAULT_POLICY = RetryPolicy()


class ConnectorFacts(NamedTuple):
    """A connector as planning sees it. `revision` changes whenever its resolved configuration does.

    `repeat_check` says by what its receiver can be asked whether it already holds an event.
    """

    name: str
    standing: ConnectorStanding
    drops_repeats: bool
    revision: str
    repeat_check: RepeatCheck = RepeatCheck.NEVER


class DeliveryFacts(NamedTuple):
    """A delivery that is neither delivered nor closed.

    `attempt_count` counts every attempt, `failure_count` those that failed or whose outcome is unknown; `not_before` is
    the receiver's Retry-After as a moment; `failed_status_codes` is a comma list, oldest first; `in_doubt` says that
    the outcome of some attempt is unknown, whatever a later one came to; `has_receipt` that the receiver once gave a
    number to ask by.
    """

    delivery_id: str
    audit_id: str
    provider: str
    source: str
    event_digest: str
    in_flight: bool
    attempt_count: int
    failure_count: int
    failure_kind: FailureKind | str | None
    last_attempt_at: datetime
    last_failed_at: datetime | None
    not_before: datetime | None
    failed_status_codes: str
    in_doubt: bool = False
    has_receipt: bool = False


class Verdict(NamedTuple):
    """The rule's word on one delivery. `next_retry_at` is None where no clock decides."""

    action: Action
    reason_code: ReasonCode
    retry_delay_minutes: int
    next_retry_at: datetime | None


class Standing(NamedTuple):
    """The part of a verdict that neither the clock nor the connector's standing can change.

    `reason_code` is the row that strikes without them, None where the clock decides; `due_at` then says when.
    """

    reason_code: ReasonCode | None
    retry_delay_minutes: int
    due_at: datetime | None


class Decision(NamedTuple):
    """A verdict bound to what it was made from, ready to be stored and approved."""

    action: Action
    reason_code: ReasonCode
    retry_count: int
    retry_delay_minutes: int
    next_retry_at: datetime | None
    attempt_number: int
    request_digest: str
    decision_digest: str


class SendFacts(NamedTuple):
    """All that is bound when a send is approved. Digests are 64 hex characters, revisions 32.

    `attempt_number` is the attempt that the send would be; `delivery_state` is where the delivery stands before it.
    """

    event_digest: str
    connector: str
    connector_revision: str
    attempt_number: int
    policy_digest: str
    mode: RunMode
    delivery_state: DeliveryState
