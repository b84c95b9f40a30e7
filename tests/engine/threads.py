"""Work that happens meanwhile, on threads with database connections of their own."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar

from django.db import connections

T = TypeVar("T")
_LONGEST_SECONDS = 60.0


def _with_own_connection(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connections.close_all()


@contextmanager
def meanwhile(work: Callable[[], T]) -> Iterator[Future[T]]:
    """Run `work` on another thread while the block runs; both have to succeed."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(_with_own_connection, work)
        yield future
        future.result(timeout=_LONGEST_SECONDS)


def at_once(work: Callable[[], T], *, times: int) -> list[T]:
    """What `work` returned on each of as many threads, all running at the same time."""
    ready = Barrier(times)

    def together() -> T:
        ready.wait(timeout=_LONGEST_SECONDS)
        return work()

    with ThreadPoolExecutor(max_workers=times) as pool:
        futures = [pool.submit(_with_own_connection, together) for _ in range(times)]
        return [future.result(timeout=_LONGEST_SECONDS) for future in futures]
