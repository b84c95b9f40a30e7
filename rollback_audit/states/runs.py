"""Worker runs: their states, their results, and why something was not sent."""

from enum import StrEnum


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


class FollowUpApproval(StrEnum):
    """`approval_state` of a run's follow-up action."""

    DRY_RUN_NOT_REQUIRED = "dry_run_not_required"
    APPROVED = "approved"
    APPROVAL_REQUIRED = "approval_required"
