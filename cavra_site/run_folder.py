"""`CAVRA_HOME/run`: a folder for each worker that runs. What a killed one left there, the next to start removes.

A lock rather than a process id says that a folder is in use: ids are given again, and mean nothing to a container that
shares the folder. The kernel drops the lock when the last process that holds it is gone, whatever ended it.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO

_LOCK = "lock"
_WATCH = "cluster"
_PREFIX = "worker-"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """`watch` is for the cluster; `lock` is the descriptor that marks the folder as used by whoever inherits it."""

    watch: Path
    lock: int


@contextmanager
def claimed(run: Path) -> Iterator[RunFolder]:
    """A new folder below `run`, gone afterwards, once those that nobody uses any more are gone."""
    run.mkdir(parents=True, exist_ok=True, mode=0o700)
    # One at a time: a folder that is made but not yet locked would look like one left behind.
    with (run / _LOCK).open("ab") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        _remove_abandoned(run)
        folder = Path(mkdtemp(prefix=_PREFIX, dir=run))
        lock = (folder / _LOCK).open("ab")
        fcntl.flock(lock, fcntl.LOCK_EX)
    with lock:
        watch = folder / _WATCH
        watch.mkdir()
        try:
            yield RunFolder(watch=watch, lock=lock.fileno())
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(run: Path) -> None:
    for folder in run.glob(f"{_PREFIX}*"):
        # One that ends just now removes its own.
        with suppress(FileNotFoundError), (folder / _LOCK).open("ab") as lock:
            if _is_free(lock):
                shutil.rmtree(folder, ignore_errors=True)


def _is_free(lock: BinaryIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
