"""Four sealers, each killed every half second and replaced: `python -m tests.chaos.sealers`.

They are forked from a process that has loaded everything, so that each is at work within milliseconds, and only their
parent kills them. A byte on stdin ends the killing, the end of stdin ends everything. Then it prints, as one line of
JSON, how many were killed and how many had ended by themselves, which none should.
"""

import json
import os
import select
import signal
import sys
import time

import django

django.setup()

from rollback_audit.engine.sealing import Sealer  # noqa: E402

SEALERS = 4
KILL_EVERY_SECONDS = 0.5
_PAUSE_SECONDS = 0.005
_STDIN = 0


def main() -> None:
    killed = fallen = 0
    pids = [_start() for _ in range(SEALERS)]
    while not select.select([_STDIN], [], [], KILL_EVERY_SECONDS)[0]:
        fallen += _end(pids)
        killed += SEALERS
        pids = [_start() for _ in range(SEALERS)]
    while os.read(_STDIN, 1):
        pass
    fallen += _end(pids)
    sys.stdout.write(json.dumps({"killed": killed - fallen, "fallen": fallen}) + "\n")


def _start() -> int:
    pid = os.fork()
    if pid:
        return pid
    sealer = Sealer()
    while True:
        sealer()
        time.sleep(_PAUSE_SECONDS)


def _end(pids: list[int]) -> int:
    """kill -9 for all of them. How many had ended before."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return sum(os.WTERMSIG(os.waitpid(pid, 0)[1]) != signal.SIGKILL for pid in pids)


if __name__ == "__main__":
    main()
