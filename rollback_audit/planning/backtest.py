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

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
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


class PolicyFigures(NamedTuple):
    """What became of the deliveries under one policy: recovered + given up + waiting = all of them.

    Wasted retries are those that recovered nothing; unproven ones are among them. Times are minutes from a delivery's
    first failure to its recovery, over what was recovered; None of nothing.
    """

    retry_count: int
    wasted_retry_count: int
    unproven_retry_count: int
    recovered_count: int
    given_up_count: int
    waiting_count: int
    median_recovery_minutes: float | None
    p95_recovery_minutes: float | None


class Difference(NamedTuple):
    """The proposed policy beside the present one.

    The first three are proposed minus present. Of what both recover, some is sooner and some later, with the minutes
    in all; gained and lost is what only the proposed, only the present policy recovers.
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


@dataclass(slots=True)
class _Side:
    """Sums over the replays of one policy."""

    endings: dict[Ending, int] = field(default_factory=lambda: dict.fromkeys(Ending, 0))
    retries: int = 0
    wasted: int = 0
    unproven: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, replayed: Replay, *, first_failed_at: datetime) -> None:
        self.endings[replayed.ending] += 1
        self.retries += len(replayed.retries)
        self.wasted += replayed.wasted_count
        self.unproven += replayed.unproven_count
        if replayed.recovered_at is not None:
            self.seconds.append((replayed.recovered_at - first_failed_at).total_seconds())

    def figures(self) -> PolicyFigures:
        ranked = sorted(self.seconds)
        return PolicyFigures(
            self.retries,
            self.wasted,
            self.unproven,
            self.endings[Ending.RECOVERED],
            self.endings[Ending.GIVEN_UP],
            self.endings[Ending.WAITING],
            _percentile_minutes(ranked, 50),
            _percentile_minutes(ranked, 95),
        )


@dataclass(slots=True)
class Comparison:
    """Replays of the same deliveries under two policies, added one by one."""

    delivery_count: int = 0
    _present: _Side = field(default_factory=_Side)
    _proposed: _Side = field(default_factory=_Side)
    _sooner: list[float] = field(default_factory=list)
    _later: list[float] = field(default_factory=list)
    _gained: int = 0
    _lost: int = 0

    def add(self, delivery: PastDelivery, *, present: Replay, proposed: Replay) -> None:
        first_failed_at = delivery.failures[0].at
        self.delivery_count += 1
        self._present.add(present, first_failed_at=first_failed_at)
        self._proposed.add(proposed, first_failed_at=first_failed_at)
        was, would_be = present.recovered_at, proposed.recovered_at
        self._gained += was is None and would_be is not None
        self._lost += was is not None and would_be is None
        if was is not None and would_be is not None and was != would_be:
            seconds = (was - would_be).total_seconds()
            (self._sooner if seconds > 0 else self._later).append(abs(seconds))

    @property
    def present(self) -> PolicyFigures:
        return self._present.figures()

    @property
    def proposed(self) -> PolicyFigures:
        return self._proposed.figures()

    @property
    def difference(self) -> Difference:
        was, would_be = self.present, self.proposed
        return Difference(
            would_be.retry_count - was.retry_count,
            would_be.wasted_retry_count - was.wasted_retry_count,
            would_be.recovered_count - was.recovered_count,
            len(self._sooner),
            _minutes(math.fsum(self._sooner)),
            len(self._later),
            _minutes(math.fsum(self._later)),
            self._gained,
            self._lost,
        )


def _percentile_minutes(ranked: Sequence[float], percent: int) -> float | None:
    """By nearest rank, so that it is a time that occurred."""
    return _minutes(ranked[math.ceil(len(ranked) * percent / 100) - 1]) if ranked else None


def _minutes(seconds: float) -> float:
    return round(seconds / 60, 1)
