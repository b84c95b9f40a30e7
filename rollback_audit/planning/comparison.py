"""Two retry policies side by side: what replays of the same deliveries add up to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from rollback_audit.planning.backtest import Ending, PastDelivery, Replay


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
