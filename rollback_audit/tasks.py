"""What the doorbell calls. Ids only; each task is safe to lose and safe to repeat.

No task raises: the queue would store the exception's text, and the sweeper does the same work a little later.
"""

import logging
import time
from collections.abc import Callable

from django.conf import settings

from rollback_audit.engine import drain as draining
from rollback_audit.engine import idempotency, schedules
from rollback_audit.engine import sweep as sweeping

logger = logging.getLogger(__name__)


def drain(run_id: str) -> None:
    _carry_out("drain", lambda: draining.drain(run_id, should_stop=_deadline()))


def sweep() -> None:
    _carry_out("sweep", lambda: sweeping.sweep(should_stop=_deadline()))


def run_schedules() -> None:
    _carry_out("run_schedules", schedules.run_due)
    _carry_out("forget_idempotency_keys", idempotency.forget)


def _carry_out(verb: str, work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:
        logger.exception("task_failed", extra={"verb": verb})


def _deadline() -> Callable[[], bool]:
    """Says stop when the process is to end, and early enough that what is on the wire still settles."""
    ends_at = time.monotonic() + settings.CAVRA_TASK_SECONDS
    stop_file = settings.CAVRA_STOP_FILE
    return lambda: time.monotonic() >= ends_at or (stop_file is not None and stop_file.exists())
