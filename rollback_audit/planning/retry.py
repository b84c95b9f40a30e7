"""The retry rule: which failed delivery may be tried again, and when.

One table, first match wins (docs/states.md shows it; tests/planning/test_retry.py holds the cases). The rule is split
where the clock comes in: `standing` is what a failure alone decides and is stored with the delivery, `verdict` adds the
connector and the clock.
"""

import hashlib
import math
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from rollback_audit.planning.facts import ConnectorFacts, DeliveryFacts, RetryPolicy, Standing, Verdict
from rollback_audit.states import FAILURE_CLASS, Action, ConnectorStanding, FailureClass, ReasonCode, RepeatCheck

REASONS: dict[ReasonCode, str] = {
    ReasonCode.IN_FLIGHT: "An attempt is on the wire now.",
    ReasonCode.RECEIVER_REJECTED: "The receiver refused the payload for good; sending it again would fail again.",
    ReasonCode.ATTEMPTS_EXHAUSTED: "The policy's number of attempts is used up.",
    ReasonCode.CONNECTOR_ON_HOLD: "The connector is on hold: not usable, or its credential or address was refused.",
    ReasonCode.OUTCOME_UNKNOWN: "Nobody can tell whether the receiver has it, and the receiver does not drop repeats.",
    ReasonCode.RETRY_AFTER: "The receiver asked to wait.",
    ReasonCode.BACKOFF: "The policy's delay after the last failure has not passed.",
    ReasonCode.DUE: "The delay has passed and nothing stands against a retry.",
}

_FINAL = frozenset(kind for kind, value in FAILURE_CLASS.items() if value is FailureClass.FINAL)
_UNKNOWN = frozenset(kind for kind, value in FAILURE_CLASS.items() if value is FailureClass.UNKNOWN)


@lru_cache(maxsize=4096)
def _minutes_without_jitter(
    retry_delay_minutes: int, backoff_multiplier: float, max_delay_minutes: int, retry_count: int
) -> tuple[Decimal, int]:
    """The exact delay and the whole minutes it comes to."""
    # Decimal, because 10 * 1.1 is 11 minutes to a person and 11.000000000000002 to a float.
    uncapped = retry_delay_minutes * Decimal(str(backoff_multiplier)) ** (retry_count - 1)
    exact = min(uncapped, Decimal(max_delay_minutes))
    return exact, math.ceil(exact)


def _jitter_share(delivery_id: str, provider: str, attempt_number: int) -> float:
    """A number in [0, 1) that only the delivery and the attempt number decide."""
    word = hashlib.sha256(f"cavra/jitter/v1\n{delivery_id}\n{provider}\n{attempt_number}".encode()).digest()
    return int.from_bytes(word[:7], "big") / (1 << 56)


def delay_minutes(facts: DeliveryFacts, policy: RetryPolicy) -> int:
    """Whole minutes between the last failure and the next try.

    delay x multiplier^(failures - 1), jitter added, then capped and rounded up: never sooner than the policy's word,
    never later than its ceiling.
    """
    exact, whole = _minutes_without_jitter(
        policy.retry_delay_minutes, policy.backoff_multiplier, policy.max_delay_minutes, facts.failure_count or 1
    )
    if not policy.jitter_ratio:
        return whole
    share = _jitter_share(facts.delivery_id, facts.provider, facts.attempt_count + 1)
    return min(math.ceil(exact + exact * Decimal(policy.jitter_ratio) * Decimal(share)), policy.max_delay_minutes)


def next_retry_at(facts: DeliveryFacts, policy: RetryPolicy) -> datetime | None:
    """When the delivery may be tried again; None while it has no failure to count from.

    The later of the policy's delay after the last failure and the receiver's Retry-After (RFC 9110, 10.2.3), which
    holds a delivery back for at most `max_delay_minutes`.
    """
    return _due_at(facts, policy, delay_minutes(facts, policy))


@lru_cache(maxsize=4096)
def _minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def _due_at(facts: DeliveryFacts, policy: RetryPolicy, minutes: int) -> datetime | None:
    if facts.last_failed_at is None:
        return None
    due_at = facts.last_failed_at + _minutes(minutes)
    held_until = _held_until(facts, policy)
    return due_at if held_until is None or held_until <= due_at else held_until


def _held_until(facts: DeliveryFacts, policy: RetryPolicy) -> datetime | None:
    """The moment the receiver asked for, or the policy's ceiling where that comes first."""
    if facts.not_before is None or facts.last_failed_at is None:
        return None
    return min(facts.not_before, facts.last_failed_at + _minutes(policy.max_delay_minutes))


def repeat_is_safe(facts: DeliveryFacts, *, drops_repeats: bool, repeat_check: RepeatCheck) -> bool:
    """Whether a repeat cannot make a second event: the receiver drops it, or is asked before anything is sent."""
    if repeat_check is RepeatCheck.BY_RECEIPT:
        return drops_repeats or facts.has_receipt
    return drops_repeats or repeat_check is RepeatCheck.BY_KEY


def standing(
    facts: DeliveryFacts, policy: RetryPolicy, *, drops_repeats: bool, repeat_check: RepeatCheck = RepeatCheck.NEVER
) -> Standing:
    """What the failures alone decide: rows 2, 3 and 5 of the table, or the moment it falls due."""
    minutes = delay_minutes(facts, policy)
    kind = facts.failure_kind
    if kind in _FINAL:
        return Standing(ReasonCode.RECEIVER_REJECTED, minutes, None)
    if facts.failure_count >= policy.max_retry_attempts:
        return Standing(ReasonCode.ATTEMPTS_EXHAUSTED, minutes, None)
    in_doubt = (facts.in_doubt or kind in _UNKNOWN) and not policy.retry_unknown_outcome
    if in_doubt and not repeat_is_safe(facts, drops_repeats=drops_repeats, repeat_check=repeat_check):
        return Standing(ReasonCode.OUTCOME_UNKNOWN, minutes, None)
    return Standing(None, minutes, _due_at(facts, policy, minutes))


def verdict(facts: DeliveryFacts, connector: ConnectorFacts, policy: RetryPolicy, *, now: datetime) -> Verdict:
    """The contract's table, first match wins. `now` equal to the due moment is due."""
    reason, minutes, due_at = standing(
        facts, policy, drops_repeats=connector.drops_repeats, repeat_check=connector.repeat_check
    )
    if facts.in_flight:
        return Verdict(Action.WAIT, ReasonCode.IN_FLIGHT, minutes, None)
    if reason is ReasonCode.RECEIVER_REJECTED or reason is ReasonCode.ATTEMPTS_EXHAUSTED:
        return Verdict(Action.SUPPRESS, reason, minutes, None)
    if connector.standing != ConnectorStanding.READY:
        return Verdict(Action.WAIT, ReasonCode.CONNECTOR_ON_HOLD, minutes, None)
    if reason is not None:
        return Verdict(Action.WAIT, reason, minutes, None)
    if due_at is not None and now < due_at:
        held_by_receiver = due_at == _held_until(facts, policy)
        return Verdict(Action.WAIT, ReasonCode.RETRY_AFTER if held_by_receiver else ReasonCode.BACKOFF, minutes, due_at)
    return Verdict(Action.RETRY, ReasonCode.DUE, minutes, due_at)
