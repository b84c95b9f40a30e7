"""One task cluster as a child process, watched from outside (cavra_site/brokers.py says how it shows that it lives)."""

import logging
import time
from pathlib import Path

from cavra_site import brokers
from cavra_site.processes import STOP_FILE, WATCH_FOLDER, Child
from cavra_site.run_folder import RunFolder

logger = logging.getLogger(__name__)

STALLED_AFTER_SECONDS = 30.0
_BACK_OFF_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)


class Cluster:
    """Started when it is not there, ended and started again when it is stuck, by calling `tend` about once a second."""

    def __init__(self, *, folder: RunFolder, workers: int, task_seconds: float) -> None:
        self._folder = folder.watch
        self._lock = folder.lock
        self._workers = workers
        self._task_seconds = task_seconds
        self._restarts = 0
        self._started_at = 0.0
        self._not_before = 0.0
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def tend(self) -> None:
        """Start the cluster if it is not running; end it if it is stuck, to be started by a later call."""
        if self._child is None:
            if time.monotonic() >= self._not_before:
                self._start()
        elif not self._child.running:
            logger.error("cluster_ended", extra={"pid": self._child.pid})
            self._abandon(self._child, grace_seconds=0)
        elif is_stalled(self._folder, workers=self._workers, task_seconds=self._task_seconds):
            logger.error("cluster_stalled", extra={"pid": self._child.pid})
            # It has no task to finish, or cannot finish it; leases and fences make the killing safe.
            self._abandon(self._child, grace_seconds=2)
        elif time.monotonic() - self._started_at > STALLED_AFTER_SECONDS:
            self._restarts = 0

    def ask_to_stop(self) -> None:
        """Let it finish what is on the wire and take no more."""
        (self._folder / STOP_FILE).touch()
        if self._child:
            self._child.terminate()

    def end(self, *, grace_seconds: float) -> None:
        self.ask_to_stop()
        if self._child:
            self._child.end(grace_seconds=grace_seconds)
            self._child = None

    def _start(self) -> None:
        for file in self._folder.iterdir():
            file.unlink()
        # A start counts as a sign of life: the cluster has as long to its first pulse as between two.
        (self._folder / brokers.BEAT_FILE).touch()
        (self._folder / brokers.GUARD_FILE).touch()
        self._started_at = time.monotonic()
        environ = {WATCH_FOLDER: str(self._folder)}
        # It may outlive us by a moment: its folder is to stay for as long.
        self._child = Child("qcluster", "--skip-checks", environ=environ, inherits=[self._lock])
        logger.info("cluster_started", extra={"pid": self._child.pid})

    def _abandon(self, child: Child, *, grace_seconds: float) -> None:
        child.end(grace_seconds=grace_seconds)
        self._child = None
        self._not_before = time.monotonic() + back_off(self._restarts)
        self._restarts += 1


def is_stalled(folder: Path, *, workers: int, task_seconds: float) -> bool:
    """Whether the cluster that leaves its signs in the folder has stopped working."""
    if _age(folder / brokers.GUARD_FILE) > STALLED_AFTER_SECONDS:
        return True
    # A pulse also waits where every worker has a task, for as long as a task may take.
    tasks = [_age(file) for file in folder.glob(f"{brokers.TASK_PREFIX}*")]
    busy = sum(age < task_seconds for age in tasks)
    return _age(folder / brokers.BEAT_FILE) > STALLED_AFTER_SECONDS and busy < workers


def back_off(times: int) -> float:
    """Seconds to wait after so many failures before this one."""
    return _BACK_OFF_SECONDS[min(times, len(_BACK_OFF_SECONDS) - 1)]


def _age(file: Path) -> float:
    """Seconds since the file was touched; 0 for one that has just gone."""
    try:
        return time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return 0.0
