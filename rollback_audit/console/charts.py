"""Geometry of the pictures: pure, numbers in, rectangles out. Colours are classes, so no page needs inline style."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

HEIGHT = 160
BAR_STEP = 10
BAR_WIDTH = 8
WHOLE = 1000


@dataclass(frozen=True, slots=True)
class Segment:
    """One coloured rectangle, in the units of its picture's viewBox."""

    name: str
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour: its segments from the bottom up."""

    start: datetime
    total: int
    counts: list[tuple[str, int]]
    segments: list[Segment]


@dataclass(frozen=True, slots=True)
class HourChart:
    """A bar an hour. `top` is the number at the upper edge; `names` are those that occur at all, in their order."""

    bars: list[Bar]
    names: list[str]
    top: int
    width: int
    height: int

    @property
    def total(self) -> int:
        return sum(bar.total for bar in self.bars)


def round_up(number: int) -> int:
    """The least of 1, 2, 4, 5, 10, 20, 40, 50, ... that is not below `number`; 1 for 0."""
    scale = 1
    while True:
        for step in (1, 2, 4, 5):
            if step * scale >= number:
                return step * scale
        scale *= 10


def hours_until(now: datetime, *, hours: int) -> list[datetime]:
    """The starts of the last whole clock hours, oldest first; the running hour is the last."""
    running = now.replace(minute=0, second=0, microsecond=0)
    return [running - timedelta(hours=back) for back in range(hours - 1, -1, -1)]


def hour_chart(
    counts: Mapping[datetime, Mapping[str, int]], *, hours: Sequence[datetime], names: Sequence[str]
) -> HourChart:
    """Bars for `hours`, stacked in the order of `names`, scaled to the highest hour."""
    totals = [sum(counts.get(hour, {}).get(name, 0) for name in names) for hour in hours]
    top = round_up(max(totals, default=0))
    bars = [
        _bar(place, hour, {name: counts.get(hour, {}).get(name, 0) for name in names}, top=top)
        for place, hour in enumerate(hours)
    ]
    occurring = [name for name in names if any(dict(bar.counts)[name] for bar in bars)]
    return HourChart(bars, occurring, top, len(hours) * BAR_STEP, HEIGHT)


def _bar(place: int, hour: datetime, counts: Mapping[str, int], *, top: int) -> Bar:
    segments = []
    floor = float(HEIGHT)
    for name, count in counts.items():
        if count:
            height = round(HEIGHT * count / top, 2)
            floor = round(floor - height, 2)
            segments.append(Segment(name, count, place * BAR_STEP + 1, floor, BAR_WIDTH, height))
    return Bar(hour, sum(counts.values()), list(counts.items()), segments)


def share_bar(counts: Mapping[str, int], *, whole: int) -> list[Segment]:
    """One horizontal bar, `WHOLE` units long where its counts add up to `whole`. A count above zero stays visible."""
    segments = []
    left = 0.0
    for name, count in counts.items():
        if count and whole:
            width = max(round(WHOLE * count / whole, 2), 4.0)
            segments.append(Segment(name, count, left, 0, width, 1))
            left = round(left + width, 2)
    return segments
