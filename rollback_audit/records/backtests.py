from dataclasses import dataclass
from datetime import datetime

from rollback_audit.states import PRODUCT, SCHEMA_PREFIX

BACK_TEST_SCHEMA = f"{SCHEMA_PREFIX}-retry-policy-back-test.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicyRecord:
    """A retry policy with every field said."""

    max_retry_attempts: int
    retry_delay_minutes: int
    backoff_multiplier: float
    max_delay_minutes: int
    jitter_ratio: float
    allow_immediate_retry: bool
    retry_unknown_outcome: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFiguresRecord:
    """What became of past failures under one policy.

    recovered_count + given_up_count + waiting_count is delivery_count. wasted_retry_count is the retries that recovered
    nothing; unproven_retry_count of them came after an outage's last known failure and may have worked. Minutes are
    from the first failure to the recovery, null of nothing.
    """

    retry_count: int
    wasted_retry_count: int
    unproven_retry_count: int
    recovered_count: int
    given_up_count: int
    waiting_count: int
    median_recovery_minutes: float | None
    p95_recovery_minutes: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackTestDifferenceRecord:
    """The proposed policy beside the present one; the first three are proposed minus present.

    Of what both recover, sooner_count deliveries are sooner by sooner_minutes in all, later_count later by
    later_minutes. gained_count only the proposed policy recovers, lost_count only the present one.
    """

    retry_count: int
    wasted_retry_count: int
    recovered_count: int
    sooner_count: int
    sooner_minutes: float
    later_count: int
    later_minutes: float
    gained_count: int
    lost_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorBackTestRecord:
    """The same for one connector, with how often it was down."""

    provider: str
    delivery_count: int
    outage_count: int
    present: PolicyFiguresRecord
    proposed: PolicyFiguresRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class BackTestRecord:
    """Past failures replayed under two policies. `delivery_count` deliveries first failed between since and until.

    `assumptions` is the model, in sentences: what receivers would have answered is not known, only taken to be so.
    """

    schema_version: str = BACK_TEST_SCHEMA
    product: str = PRODUCT
    generated_at: datetime
    since: datetime
    until: datetime
    source: str | None
    provider: str | None
    delivery_count: int
    outage_count: int
    present_policy: RetryPolicyRecord
    proposed_policy: RetryPolicyRecord
    present: PolicyFiguresRecord
    proposed: PolicyFiguresRecord
    difference: BackTestDifferenceRecord
    provider_summary: list[ConnectorBackTestRecord]
    assumptions: list[str]
