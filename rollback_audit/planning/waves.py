"""Canary waves: how much of a live run goes to one connector before its answers are looked at, and when to stop.

Waves and rule hold for each connector by itself: one that is sick stops alone.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from rollback_audit.states import StopReason

REST = "rest"
DEFAULT_WAVES = ("1", "10", "10%", REST)
# A rate of a few says little; at the end of a wave it is all there is to go by.
RATE_NEEDS = 20

_SIZE = re.compile(r"[1-9][0-9]{0,5}|[1-9][0-9]?%|100%")


class StopRule(NamedTuple):
    """When a connector's part of a run stops: what was not confirmed counts as failed."""

    failure_percent: int = 50
    consecutive_failures: int = 5


class Tally(NamedTuple):
    """Results in the order they came: how many, how many of them failed, and how many failed at the end in a row."""

    settled: int = 0
    failed: int = 0
    streak: int = 0

    def plus(self, delivered: Sequence[bool]) -> "Tally":
        """With more results behind, True for a confirmed one."""
        settled, failed, streak = self
        for confirmed in delivered:
            settled, failed, streak = settled + 1, failed + (not confirmed), 0 if confirmed else streak + 1
        return Tally(settled, failed, streak)


NO_RESULTS = Tally()


def read_waves(text: str) -> tuple[str, ...]:
    """`1,10,10%,rest` as its sizes: numbers, per cents of the selection, and at the end the rest. Raises ValueError."""
    sizes = tuple(text.split(","))
    if sizes[-1] != REST or not all(_SIZE.fullmatch(size) for size in sizes[:-1]):
        raise ValueError("expected sizes such as 1,10,10%,rest, the last of them rest")
    return sizes


def wave_ends(selected: int, sizes: Sequence[str]) -> tuple[int, ...]:
    """How many of `selected` results have gone out once each wave has, rising to all of them. Empty for none."""
    ends: list[int] = []
    reached = 0
    for size in sizes:
        reached = selected if size == REST else min(selected, reached + _count(size, selected))
        if reached and (not ends or reached > ends[-1]):
            ends.append(reached)
    return tuple(ends)


def why_stop(tally: Tally, rule: StopRule, *, wave_is_over: bool) -> StopReason | None:
    """Why nothing more goes to the connector in this run; None while it may."""
    if tally.streak >= rule.consecutive_failures:
        return StopReason.CONSECUTIVE_FAILURES
    enough = wave_is_over or tally.settled >= RATE_NEEDS
    if enough and tally.settled and tally.failed * 100 > tally.settled * rule.failure_percent:
        return StopReason.FAILURE_RATE
    return None


def _count(size: str, selected: int) -> int:
    if not size.endswith("%"):
        return int(size)
    return -(-selected * int(size[:-1]) // 100)
