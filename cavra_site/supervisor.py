"""The worker process: keeps a task cluster alive, and does its own duties beside it, again and again.

The sweep alone is enough for every run to finish; the cluster makes it start at once and work in parallel.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread
from typing import Protocol

from django.db import InterfaceError, OperationalError, ProgrammingError, close_old_connections, connections

from cavra_site import run_folder
from cavra_site.cluster import Cluster, back_off
from cavra_site.processes import StopRequest
from rollback_audit.errors import StoreUnavailable

logger = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
_TEND_EVERY_SECONDS = 1.0
# ProgrammingError: not migrated yet, which somebody is surely about to do.
_STORE_ERRORS = (OperationalError, InterfaceError, ProgrammingError, StoreUnavailable)


class Duty(Protocol):
    """A verb of the engine. It may take minutes, and returns soon after `should_stop` says so."""

    def __call__(self, *, should_stop: Callable[[], bool]) -> object: ...


class Stop(Protocol):
    """Something that can be asked whether to stop, and slept on."""

    @property
    def made(self) -> bool: ...

    def wait(self, *, seconds: float) -> bool: ...


def run(*, folder: Path, duties: Mapping[str, Duty], workers: int, task_seconds: float, grace_seconds: float) -> None:
    """Do the duties and tend the cluster until asked to stop. All then have `grace_seconds` to end what they are at.

    `folder` is shared by all workers of this state folder.
    """
    stop = StopRequest()
    # Threads of their own: a sweep that drives a run must not keep a stuck cluster from being noticed.
    threads = [
        Thread(target=repeat_until, args=(stop,), kwargs={"name": name, "duty": duty}, name=name, daemon=True)
        for name, duty in duties.items()
    ]
    with run_folder.claimed(folder) as ours:
        cluster = Cluster(folder=ours, workers=workers, task_seconds=task_seconds)
        for thread in threads:
            thread.start()
        try:
            while not stop.made:
                cluster.tend()
                stop.wait(seconds=_TEND_EVERY_SECONDS)
        finally:
            cluster.ask_to_stop()
            for thread in threads:
                thread.join(timeout=grace_seconds)
            cluster.end(grace_seconds=grace_seconds)
    logger.info("worker_stopped")


def repeat_until(stop: Stop, *, name: str, duty: Duty) -> None:
    """Once a second; less often while the database is away."""
    outages = 0
    while not stop.made:
        outages = _do_once(name, duty, stop, outages)
        stop.wait(seconds=back_off(outages - 1) if outages else EVERY_SECONDS)
    connections.close_all()


def _do_once(name: str, duty: Duty, stop: Stop, outages: int) -> int:
    """How many times in a row, this one included, found the store down. Says so once, and once that it is back."""
    try:
        close_old_connections()
        duty(should_stop=lambda: stop.made)
    except _STORE_ERRORS:
        if not outages:
            logger.warning("database_unavailable", extra={"verb": name})
        return outages + 1
    except Exception:
        # One bad record must not stop the work on the others.
        logger.exception("duty_failed", extra={"verb": name})
        return 0
    if outages:
        logger.info("database_available", extra={"verb": name})
    return 0
