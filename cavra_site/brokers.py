"""The brokers of the task cluster: django-q2's own, made to show whether their cluster still works.

A cluster can look alive and be stuck: a worker or pusher killed at the wrong moment takes a queue's lock with it, and
the guard notices nothing. So the pusher slips a pulse between the tasks every few seconds, and the monitor touches a
file when it comes back: a fresh file means that pusher, workers, monitor and the queues between them all work. The
supervisor (cavra_site/cluster.py) reads the files and restarts a cluster whose pulse stops.

And made to run nothing but our own tasks: a queued task or a schedule may name any function there is, and django-q2
stores the text and the traceback of an exception that a task lets out, whatever its settings say of results.
"""

import logging
import time
import uuid

from django.db import DatabaseError, InterfaceError
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.brokers.orm import ORM
from django_q.brokers.redis_broker import Redis
from django_q.exceptions import TimeoutException
from django_q.signing import BadSignature, SignedPackage
from redis.exceptions import RedisError

from cavra_site.processes import watch_folder

BEAT_FILE = "beat"
GUARD_FILE = "guard"
TASK_PREFIX = "task-"

# All that is ever run.
OURS = frozenset({"rollback_audit.tasks.drain", "rollback_audit.tasks.sweep", "rollback_audit.tasks.run_schedules"})

_PULSE_ID = "pulse"
_PULSE_EVERY_SECONDS = 2.0
_RETRY_SECONDS = 2.0

logger = logging.getLogger(__name__)

Task = tuple[object, object]


def pulse() -> None:
    """The task a pulse carries: that it was run is the message."""


def carry_out(name: str, *args: object, **named: object) -> None:
    """What every task becomes: ours is run, another is refused, and neither has a result or lets an exception out."""
    if name not in OURS:
        logger.error("task_refused")
        return
    try:
        import_string(name)(*args, **named)
    except (Exception, TimeoutException):
        logger.exception("task_failed", extra={"verb": name.rpartition(".")[2]})


class _Watched:
    """Leaves in the watch folder: a file for each unfinished task, the last pulse and the guard's last round."""

    _next_pulse = 0.0
    _store_is_down = False

    def dequeue(self) -> list[Task]:
        fetched = [(ack_id, _contained(package)) for ack_id, package in self._fetch()]
        for ack_id, _ in fetched:
            _touch(f"{TASK_PREFIX}{ack_id}")
        if time.monotonic() >= self._next_pulse:
            self._next_pulse = time.monotonic() + _PULSE_EVERY_SECONDS
            fetched.append((_PULSE_ID, _pulse_package()))
        return fetched

    def acknowledge(self, task_id: object) -> None:
        if task_id == _PULSE_ID:
            _touch(BEAT_FILE)
            return
        _remove(f"{TASK_PREFIX}{task_id}")
        super().acknowledge(task_id)  # type: ignore[misc]

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        # Called in every round of the guard. The statistics themselves are of no use here.
        _touch(GUARD_FILE)

    def ping(self) -> bool:
        # A cluster starts while its store is down, and waits: see _fetch.
        return True

    def _fetch(self) -> list[Task]:
        try:
            fetched: list[Task] = super().dequeue() or []  # type: ignore[misc]
        except (DatabaseError, InterfaceError, RedisError):
            # Else the pusher dies after ten seconds, is born again and dies again, for as long as the outage lasts.
            if not self._store_is_down:
                logger.warning("task_queue_unavailable")
            self._store_is_down = True
            time.sleep(_RETRY_SECONDS)
            return []
        if self._store_is_down:
            logger.info("task_queue_available")
        self._store_is_down = False
        return fetched


class DatabaseDoorbell(_Watched, ORM):  # type: ignore[misc]
    """The queue is a table."""


class RedisDoorbell(_Watched, Redis):  # type: ignore[misc]
    """The queue is a Redis list. A task is gone from it once fetched; the sweeper finds what was lost."""

    def _fetch(self) -> list[Task]:
        # Redis has no acknowledgements: the id only names the file of the unfinished task.
        return [(uuid.uuid4().hex, package) for _, package in super()._fetch()]


def _contained(package: object) -> object:
    """The task as a call of `carry_out`. One that nobody signed stays as it is: the pusher drops it."""
    try:
        task = SignedPackage.loads(package)
    except (TypeError, BadSignature):
        return package
    name = task["func"] if isinstance(task["func"], str) else ""
    return SignedPackage.dumps({**task, "func": f"{__name__}.{carry_out.__name__}", "args": (name, *task["args"])})


def _pulse_package() -> str:
    task = {
        "id": uuid.uuid4().hex,
        "name": _PULSE_ID,
        "func": f"{__name__}.{pulse.__name__}",
        "args": (),
        "kwargs": {},
        "started": timezone.now(),
        "ack_failure": True,
    }
    package: str = SignedPackage.dumps(task)
    return package


def _touch(name: str) -> None:
    folder = watch_folder()
    if folder:
        (folder / name).touch()


def _remove(name: str) -> None:
    folder = watch_folder()
    if folder:
        (folder / name).unlink(missing_ok=True)
