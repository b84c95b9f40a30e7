"""Processes that start processes: each child ends with its parent, whatever ends the parent."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from cavra_site.env import BASE_DIR

# Tells a child that its standard input is the pipe to its parent. Set by Child, read by end_with_parent.
_PIPED = "_CAVRA_PARENT_PIPE"
# Names the folder in which a task cluster shows that it lives, and is told to stop. Set by cluster.py for its child.
WATCH_FOLDER = "_CAVRA_WATCH_FOLDER"
STOP_FILE = "stop"


class Child:
    """One `cavra` verb in a process group of its own, so that a Ctrl-C at the terminal reaches it through us, in order.

    Its standard input is a pipe nobody writes to. Should this process be killed, the pipe closes and the child stops.
    `inherits` are descriptors that it holds as well.
    """

    def __init__(self, *arguments: str, environ: Mapping[str, str] | None = None, inherits: Sequence[int] = ()) -> None:
        self.name = arguments[0]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cavra_site.cli", *arguments],
            stdin=subprocess.PIPE,
            cwd=BASE_DIR,
            env={**os.environ, **(environ or {}), _PIPED: "1"},
            start_new_session=True,
            pass_fds=inherits,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def terminate(self) -> None:
        """Ask it to stop."""
        if self.running:
            self._process.terminate()

    def wait(self, *, seconds: float) -> bool:
        """Wait for its end. False if it still runs after `seconds`."""
        try:
            self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self, *, grace_seconds: float) -> None:
        """Stop it, by force after `grace_seconds`, and with it whatever is left of its process group."""
        self.terminate()
        self.wait(seconds=grace_seconds)
        with suppress(ProcessLookupError):
            # Also when it ended by itself: a killed cluster leaves its workers behind.
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()


def end_with_parent() -> None:
    """In a Child: stop as on SIGTERM once the parent is gone. Does nothing in a process that is no Child."""
    if os.environ.pop(_PIPED, None):
        threading.Thread(target=_wait_for_parent, name="parent-watch", daemon=True).start()


def _wait_for_parent() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def watch_folder() -> Path | None:
    """The folder this process's cluster is watched through; None in a process that belongs to no cluster."""
    folder = os.environ.get(WATCH_FOLDER)
    return Path(folder) if folder else None


class StopRequest:
    """Set by SIGTERM, SIGINT or SIGHUP."""

    def __init__(self) -> None:
        self._event = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._set)

    def _set(self, _number: int, _frame: FrameType | None) -> None:
        self._event.set()

    @property
    def made(self) -> bool:
        return self._event.is_set()

    def wait(self, *, seconds: float) -> bool:
        """Sleep, and wake early when asked to stop. True if so."""
        return self._event.wait(seconds)


def stand_together(children: Sequence[Child], stop: StopRequest, *, grace_seconds: float) -> bool:
    """Wait until a stop is asked for or a child ends, then stop them all. True if it was the former."""
    while not stop.made and all(child.running for child in children):
        stop.wait(seconds=0.2)
    for child in children:
        child.terminate()
    for child in children:
        child.end(grace_seconds=grace_seconds)
    return stop.made
