"""Facts to plan with: a delivery that failed once, half an hour ago, over a connector that is ready."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from rollback_audit.planning.facts import ConnectorFacts, DeliveryFacts, RetryPolicy
from rollback_audit.states import ConnectorStanding, FailureKind, Source

FAILED_AT = datetime(2026, 3, 29, 0, 45, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
READY = ConnectorFacts("webhook", ConnectorStanding.READY, drops_repeats=True, revision="0" * 32)


def failed(**changes: Any) -> DeliveryFacts:
    """A delivery that failed once with 503, at FAILED_AT."""
    facts = DeliveryFacts(
        delivery_id="gordackdelivery-0000000000000001",
        audit_id="gordackaudit-0000000000000001",
        provider="webhook",
        source=Source.ACKNOWLEDGEMENT_AUDIT,
        event_digest="e" * 64,
        in_flight=False,
        attempt_count=1,
        failure_count=1,
        failure_kind=FailureKind.UNAVAILABLE,
        last_attempt_at=FAILED_AT - timedelta(seconds=1),
        last_failed_at=FAILED_AT,
        not_before=None,
        failed_status_codes="503",
    )
    return facts._replace(**changes)


def failures(count: int, **changes: Any) -> DeliveryFacts:
    """A delivery whose `count` attempts all failed with 503, the last one at FAILED_AT."""
    return failed(attempt_count=count, failure_count=count, failed_status_codes=",".join(["503"] * count))._replace(
        **changes
    )


def after(**minutes: float) -> datetime:
    """A moment after the last failure."""
    return FAILED_AT + timedelta(**minutes)


_MICROSECONDS = 80 * 366 * 24 * 60 * 60 * 1_000_000
moments = st.integers(0, _MICROSECONDS).map(lambda number: datetime(2020, 1, 1, tzinfo=UTC) + number * MICROSECOND)
ids = st.integers(0, 2**64 - 1).map(lambda number: f"gordackdelivery-{number:016x}")
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True)


@st.composite
def policies(draw: st.DrawFn) -> RetryPolicy:
    """Any policy the contract's bounds allow."""
    immediate = draw(st.booleans())
    delay = draw(st.integers(0 if immediate else 1, 10_080))
    return RetryPolicy(
        max_retry_attempts=draw(st.integers(1, 50)),
        retry_delay_minutes=delay,
        backoff_multiplier=draw(st.floats(1.0, 10.0)),
        max_delay_minutes=draw(st.integers(max(1, delay), 43_200)),
        jitter_ratio=draw(st.floats(0.0, 1.0)),
        allow_immediate_retry=immediate,
        retry_unknown_outcome=draw(st.booleans()),
    )


@st.composite
def deliveries(draw: st.DrawFn) -> DeliveryFacts:
    """Any open delivery, failed at least once or on the wire for the first time."""
    failure_count = draw(st.integers(0, 60))
    codes = draw(st.lists(st.integers(100, 599), max_size=min(failure_count, 50)))
    failed_at = draw(moments)
    return DeliveryFacts(
        delivery_id=draw(ids),
        audit_id=draw(ids).replace("delivery", "audit"),
        provider=draw(names),
        source=draw(st.sampled_from(Source)),
        event_digest=draw(digests),
        in_flight=failure_count == 0 or draw(st.booleans()),
        attempt_count=max(1, failure_count + draw(st.integers(0, 1))),
        failure_count=failure_count,
        failure_kind=draw(st.sampled_from(FailureKind)) if failure_count else None,
        last_attempt_at=failed_at,
        last_failed_at=failed_at if failure_count else None,
        not_before=draw(st.none() | moments) if failure_count else None,
        failed_status_codes=",".join(map(str, codes)),
    )


connectors = st.builds(
    ConnectorFacts,
    name=names,
    standing=st.sampled_from(ConnectorStanding),
    drops_repeats=st.booleans(),
    revision=st.binary(min_size=16, max_size=16).map(bytes.hex),
)
