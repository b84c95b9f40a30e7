"""Waiting for what another process does: there is nothing of ours to be woken by."""

import time
from collections.abc import Callable

_POLL_SECONDS = 0.02


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Ask until it holds. False when time is up."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
