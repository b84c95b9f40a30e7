"""A back-test: what a retry policy would have made of past failures.

Nobody can say what a receiver would have answered at a moment when nobody asked. So a model stands in for it:

* A connector is down from a failure until anything else over it was confirmed, a delivery or a test. What a receiver
  refused for good and what our own side lost says nothing of the receiver.
* A retry while it is down is wasted and fails as the delivery's own newest failure had. One at any other time recovers
  the delivery, unless the receiver refused that delivery for good whenever it got it.
* A refused credential or address puts the connector on hold: no retry until it is confirmed again.
* Every retry is sent the moment it falls due. Approvals, workers and circuits cost nothing, for either policy.

The end of an outage is when it was noticed, so a policy that asks sooner is judged too hard rather than too well. Those
retries are counted apart as unproven: they came after the outage's last known failure. What one delivery's own content
caused (a receiver that fails on it alone) is taken for an outage that ends with the next confirmed answer.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from rollback_audit.planning.facts import DeliveryFacts, RetryPolicy
from rollback_audit.planning.retry import standing
from rollback_audit.states import FAILURE_CLASS, FailureClass, FailureKind, ReasonCode

ASSUMPTIONS = (
    "A connector is down from a failure until its next confirmed delivery or test.",
    "A retry while it is down is wasted; the first one after it recovers the delivery.",
    "What a receiver refused for good stays refused.",
    "A refused credential or address stops every retry over the connector until it confirms something.",
    "Every retry is sent the moment it falls due: approvals, workers and circuits take no time.",
    "Unproven retries came after an outage's last known failure: they count as wasted and may have worked.",
)

_OURS = frozenset({FailureKind.WORKER_LOST, FailureKind.LEASE_LOST})


class PastFailure(NamedTuple):
    """A failed attempt. `not_before` is its Retry-After as a moment.

    `worked_again_at` is the first moment, at or after it, at which the connector's receiver confirmed anything.
    """

    at: datetime
    kind: FailureKind
    not_before: datetime | None
    worked_again_at: datetime | None


class PastDelivery(NamedTuple):
    """A delivery whose first attempt failed, with all its failures, oldest first."""

    delivery_id: str
    provider: str
    drops_repeats: bool
    failures: Sequence[PastFailure]


class Outage(NamedTuple):
    """A connector that was down, from the first moment to the last one without; `ended_at` is None while it is."""

    began_at: datetime
    last_failed_at: datetime
    held_from: datetime | None
    ended_at: datetime | None


class Ending(StrEnum):
    """What a policy would have made of a delivery. Never stored."""

    RECOVERED = "recovered"
    GIVEN_UP = "given_up"
    WAITING = "waiting"


class Replay(NamedTuple):
    """One delivery under one policy: the moments of its retries, the last of which recovered it if anything did."""

    ending: Ending
    retries: tuple[datetime, ...]
    wasted_count: int
    unproven_count: int

    @property
    def recovered_at(self) -> datetime | None:
        return self.retries[-1] if self.ending is Ending.RECOVERED else None


def outages(failures: Iterable[PastFailure]) -> list[Outage]:
    """When a connector was down, by all its failures, oldest first. Outages do not touch."""
    found: list[Outage] = []
    for failure in failures:
        # At one moment, as when a batch is settled, what was confirmed counts.
        if not _tells_of_receiver(failure.kind) or failure.worked_again_at == failure.at:
            continue
        held_from = failure.at if FAILURE_CLASS[failure.kind] is FailureClass.HOLD else None
        last = found[-1] if found else None
        if last is not None and (last.ended_at is None or failure.at < last.ended_at):
            found[-1] = last._replace(last_failed_at=failure.at, held_from=last.held_from or held_from)
        else:
            found.append(Outage(failure.at, failure.at, held_from, failure.worked_again_at))
    return found


def _tells_of_receiver(kind: FailureKind) -> bool:
    return kind not in _OURS and FAILURE_CLASS[kind] is not FailureClass.FINAL


def outage_at(known: Sequence[Outage], moment: datetime) -> Outage | None:
    """The outage that a moment falls into. It ends just before `ended_at`."""
    place = bisect_right(known, moment, key=lambda outage: outage.began_at)
    if not place:
        return None
    outage = known[place - 1]
    return outage if outage.ended_at is None or moment < outage.ended_at else None


def replay(delivery: PastDelivery, known: Sequence[Outage], policy: RetryPolicy, *, until: datetime) -> Replay:
    """What the policy would have done about the delivery's first failure, by the retry rule itself.

    A delivery waits where the next retry falls after `until`, where the connector is still on hold, and where the
    policy leaves an unknown outcome to a person.
    """
    retries: list[datetime] = []
    unproven = 0
    facts = _after_failure(delivery, at=delivery.failures[0].at, count=1)
    while True:
        reason, _, due_at = standing(facts, policy, drops_repeats=delivery.drops_repeats)
        if reason is not None:
            ending = Ending.WAITING if reason is ReasonCode.OUTCOME_UNKNOWN else Ending.GIVEN_UP
            return Replay(ending, tuple(retries), len(retries), unproven)
        at = _sent_at(known, due_at)
        if at is None or at > until:
            return Replay(Ending.WAITING, tuple(retries), len(retries), unproven)
        retries.append(at)
        outage = outage_at(known, at)
        if outage is None:
            return _answered(delivery, tuple(retries), unproven)
        unproven += at > outage.last_failed_at
        facts = _after_failure(delivery, at=at, count=len(retries) + 1)


def _sent_at(known: Sequence[Outage], due_at: datetime | None) -> datetime | None:
    """When what falls due is sent: at once, or after the connector's hold; None if that goes on."""
    outage = outage_at(known, due_at) if due_at is not None else None
    if outage is None or outage.held_from is None or due_at is None or due_at < outage.held_from:
        return due_at
    return outage.ended_at


def _answered(delivery: PastDelivery, retries: tuple[datetime, ...], unproven: int) -> Replay:
    """The last retry reached a receiver that works."""
    if any(FAILURE_CLASS[failure.kind] is FailureClass.FINAL for failure in delivery.failures):
        return Replay(Ending.GIVEN_UP, retries, len(retries), unproven)
    return Replay(Ending.RECOVERED, retries, len(retries) - 1, unproven)


def _after_failure(delivery: PastDelivery, *, at: datetime, count: int) -> DeliveryFacts:
    """The facts after the policy's `count`-th failure, which went as the delivery's own newest one by then."""
    own = [failure for failure in delivery.failures if failure.at <= at]
    return DeliveryFacts(
        delivery_id=delivery.delivery_id,
        audit_id="",
        provider=delivery.provider,
        source="",
        event_digest="",
        in_flight=False,
        attempt_count=count,
        failure_count=count,
        failure_kind=own[-1].kind,
        last_attempt_at=at,
        last_failed_at=at,
        not_before=own[-1].not_before,
        failed_status_codes="",
        in_doubt=any(FAILURE_CLASS[failure.kind] is FailureClass.UNKNOWN for failure in own),
    )
