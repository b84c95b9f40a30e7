"""The worker process: keeps a task cluster alive and sweeps up the work no doorbell announced.

The sweep alone is enough for every run to finish; the cluster makes it start at once and work in parallel.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Protocol

from django.db import InterfaceError, OperationalError, ProgrammingError, close_old_connections, connections

from cavra_site import run_folder
from cavra_site.cluster import Cluster, back_off
from cavra_site.processes import StopRequest
from rollback_audit.errors import StoreUnavailable

logger = logging.getLogger(__name__)

SWEEP_EVERY_SECONDS = 1.0
_TEND_EVERY_SECONDS = 1.0
# ProgrammingError: not migrated yet, which somebody is surely about to do.
_STORE_ERRORS = (OperationalError, InterfaceError, ProgrammingError, StoreUnavailable)


class Sweep(Protocol):
    """The engine's verb. It may take minutes, and returns soon after `should_stop` says so."""

    def __call__(self, *, should_stop: Callable[[], bool]) -> object: ...


class Stop(Protocol):
    """Something that can be asked whether to stop, and slept on."""

    @property
    def made(self) -> bool: ...

    def wait(self, *, seconds: float) -> bool: ...


def run(*, folder: Path, sweep: Sweep, workers: int, task_seconds: float, grace_seconds: float) -> None:
    """Sweep and tend the cluster until asked to stop. Both then have `grace_seconds` to settle what is on the wire.

    `folder` is shared by all workers of this state folder.
    """
    stop = StopRequest()
    # A thread of its own: a sweep that drives a run must not keep a stuck cluster from being noticed.
    sweeper = Thread(target=sweep_until, args=(stop,), kwargs={"sweep": sweep}, name="sweeper", daemon=True)
    with run_folder.claimed(folder) as ours:
        cluster = Cluster(folder=ours, workers=workers, task_seconds=task_seconds)
        sweeper.start()
        try:
            while not stop.made:
                cluster.tend()
                stop.wait(seconds=_TEND_EVERY_SECONDS)
        finally:
            cluster.ask_to_stop()
            sweeper.join(timeout=grace_seconds)
            cluster.end(grace_seconds=grace_seconds)
    logger.info("worker_stopped")


def sweep_until(stop: Stop, *, sweep: Sweep) -> None:
    """One sweep a second; fewer while the database is away."""
    outages = 0
    while not stop.made:
        outages = _sweep_once(sweep, stop, outages)
        stop.wait(seconds=back_off(outages - 1) if outages else SWEEP_EVERY_SECONDS)
    connections.close_all()


def _sweep_once(sweep: Sweep, stop: Stop, outages: int) -> int:
    """How many sweeps in a row, this one included, found the store down. Says so once, and once that it is back."""
    try:
        close_old_connections()
        sweep(should_stop=lambda: stop.made)
    except _STORE_ERRORS:
        if not outages:
            logger.warning("database_unavailable")
        return outages + 1
    except Exception:
        # One bad record must not stop the work on the others.
        logger.exception("sweep_failed")
        return 0
    if outages:
        logger.info("database_available")
    return 0
