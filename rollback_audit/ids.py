"""Ids of our own making: a prefix and 16 hexadecimal digits that rise with time.

Random ids would each touch a random page of every index they stand in, and a batch of a thousand would rewrite the
whole index; ids that rise are written side by side. They are not secrets: whoever may see a record may know its id.
"""

import secrets
import threading
import time

_RANDOM_BITS = 22
_NANOSECONDS = 1_000_000


class _Counter:
    """Milliseconds above, a random start below: one process counts on from it, another one starts elsewhere."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        now = time.time_ns() // _NANOSECONDS << _RANDOM_BITS
        with self._lock:
            if now > self._last:
                # The upper half stays free to count on in.
                self._last = now | secrets.randbits(_RANDOM_BITS - 1)
            else:
                self._last += 1
            return self._last


_counter = _Counter()


def new_id(prefix: str) -> str:
    """`prefix-` and 16 hexadecimal digits, greater than those of any id this process has made."""
    return f"{prefix}-{_counter.next():016x}"
