"""The worker process: keeps a task cluster alive and sweeps up the work no doorbell announced.

The sweep alone is enough for every run to finish; the cluster makes it start at once and work in parallel.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from django.db import InterfaceError, OperationalError, close_old_connections

from cavra_site import doorbell
from cavra_site.processes import Child, StopRequest
from rollback_audit.errors import StoreUnavailable

logger = logging.getLogger(__name__)

SWEEP_EVERY_SECONDS = 1.0
STALLED_AFTER_SECONDS = 30.0
_BACK_OFF_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)
_STORE_ERRORS = (OperationalError, InterfaceError, StoreUnavailable)


class Cluster:
    """One task cluster, restarted when it ends or when its pulse stops (see cavra_site/doorbell.py)."""

    def __init__(self, *, watch_folder: Path, workers: int, task_seconds: float, grace_seconds: float) -> None:
        self._folder = watch_folder
        self._workers = workers
        self._task_seconds = task_seconds
        self._grace_seconds = grace_seconds
        self._restarts = 0
        self._started_at = 0.0
        self._not_before = 0.0
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def tend(self) -> None:
        """Start the cluster if it is not running; end it if it is stuck, to be started by the next call."""
        if self._child is None:
            if time.monotonic() >= self._not_before:
                self._start()
        elif not self._child.running:
            logger.error("cluster_ended", extra={"pid": self._child.pid})
            self._abandon(grace_seconds=0)
        elif is_stalled(self._folder, workers=self._workers, task_seconds=self._task_seconds):
            logger.error("cluster_stalled", extra={"pid": self._child.pid})
            # It has no task to finish, or cannot finish it; leases and fences make the killing safe.
            self._abandon(grace_seconds=2)
        elif time.monotonic() - self._started_at > STALLED_AFTER_SECONDS:
            self._restarts = 0

    def end(self) -> None:
        if self._child:
            self._child.end(grace_seconds=self._grace_seconds)
            self._child = None

    def _start(self) -> None:
        for file in self._folder.iterdir():
            file.unlink()
        # A start counts as a sign of life: the cluster has as long to its first pulse as between two.
        (self._folder / doorbell.BEAT_FILE).touch()
        (self._folder / doorbell.GUARD_FILE).touch()
        self._started_at = time.monotonic()
        self._child = Child("qcluster", "--skip-checks", environ={doorbell.WATCH_FOLDER: str(self._folder)})
        logger.info("cluster_started", extra={"pid": self._child.pid})

    def _abandon(self, *, grace_seconds: float) -> None:
        if self._child:
            self._child.end(grace_seconds=grace_seconds)
        self._child = None
        self._not_before = time.monotonic() + _back_off(self._restarts)
        self._restarts += 1


def is_stalled(folder: Path, *, workers: int, task_seconds: float) -> bool:
    """Whether the cluster that leaves its signs in the folder has stopped working."""
    if _age(folder / doorbell.GUARD_FILE) > STALLED_AFTER_SECONDS:
        return True
    # A pulse also waits where every worker has a task, for as long as a task may take.
    tasks = [_age(file) for file in folder.glob(f"{doorbell.TASK_PREFIX}*")]
    busy = sum(age < task_seconds for age in tasks)
    return _age(folder / doorbell.BEAT_FILE) > STALLED_AFTER_SECONDS and busy < workers


def _age(file: Path) -> float:
    """Seconds since the file was touched; 0 for one that has just gone."""
    try:
        return time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def run(
    *,
    sweep: Callable[[], object],
    workers: int,
    task_seconds: float,
    grace_seconds: float,
) -> None:
    """Sweep and tend the cluster until asked to stop. Then the cluster has `grace_seconds` to finish its tasks."""
    stop = StopRequest()
    with TemporaryDirectory(prefix="cavra-cluster-") as folder:
        cluster = Cluster(
            watch_folder=Path(folder), workers=workers, task_seconds=task_seconds, grace_seconds=grace_seconds
        )
        try:
            sweep_until(stop, sweep=sweep, cluster=cluster)
        finally:
            cluster.end()
    logger.info("worker_stopped")


class _Stop(Protocol):
    @property
    def made(self) -> bool: ...

    def wait(self, *, seconds: float) -> bool: ...


class _Tended(Protocol):
    def tend(self) -> None: ...


def sweep_until(stop: _Stop, *, sweep: Callable[[], object], cluster: _Tended) -> None:
    """One sweep a second; fewer while the database is away."""
    outages = 0
    while not stop.made:
        cluster.tend()
        outages = _sweep_once(sweep, outages)
        stop.wait(seconds=_back_off(outages - 1) if outages else SWEEP_EVERY_SECONDS)


def _sweep_once(sweep: Callable[[], object], outages: int) -> int:
    """How many sweeps in a row, this one included, found the store down. Says so once, and once that it is back."""
    try:
        close_old_connections()
        sweep()
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


def _back_off(times: int) -> float:
    return _BACK_OFF_SECONDS[min(times, len(_BACK_OFF_SECONDS) - 1)]
