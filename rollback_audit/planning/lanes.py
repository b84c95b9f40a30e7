"""How a worker's room on the wire is shared between connectors, and how fast each may be sent to."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta

# A paced connector is sent what falls due within this long, so that a commit serves more than one.
BURST_SECONDS = 0.1


def share_out(room: int, wants: Mapping[int, int]) -> dict[int, int]:
    """Share `room` evenly between those that want some; what one leaves goes to the others. No one gets nothing
    while another gets two.
    """
    shares: dict[int, int] = {}
    left = room
    hungry = sorted(wants, key=lambda key: wants[key])
    for place, key in enumerate(hungry):
        fair = -(-left // (len(hungry) - place))
        shares[key] = max(0, min(wants[key], fair))
        left -= shares[key]
    return shares


def allowed_now(next_at: datetime | None, *, per_second: float, now: datetime) -> int:
    """How many requests a rate allows at once (GCRA, ITU-T I.371): `next_at` is when the next one falls due.

    Over any stretch of time at most rate x (time + BURST_SECONDS) + 1 go out.
    """
    ahead = 0.0 if next_at is None or next_at <= now else (next_at - now).total_seconds()
    return math.floor((BURST_SECONDS - ahead) * per_second) + 1 if ahead <= BURST_SECONDS else 0


def paced(next_at: datetime | None, *, sent: int, per_second: float, now: datetime) -> datetime:
    """When the next request falls due after `sent` more."""
    start = now if next_at is None or next_at < now else next_at
    return start + timedelta(seconds=sent / per_second)
