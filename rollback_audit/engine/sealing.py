"""Sealing: what a worker does for the ledger, a little at a time, for as long as it lives."""

import logging
import time
from collections.abc import Callable

from rollback_audit.engine import checkpoints, clock
from rollback_audit.engine.sequencer import Sequencer
from rollback_audit.errors import StateForbids
from rollback_audit.models import WorkerRun
from rollback_audit.states import RunState

logger = logging.getLogger(__name__)

# While a run is on, its entries wait this long: each commit beside it costs a SQLite worker all the pages it has read.
PATIENCE_SECONDS = 5.0


class Sealer:
    """One worker's sealer: gives entries their places and signs what has them. Says once why it cannot sign."""

    def __init__(self) -> None:
        self._sequencer = Sequencer()
        self._refused: str | None = None
        self._sealed_at = 0.0

    def __call__(self, *, should_stop: Callable[[], bool] = lambda: False) -> None:
        if time.monotonic() < self._sealed_at + PATIENCE_SECONDS and _is_sending():
            return
        while self._sequencer.advance() and not should_stop():
            self._sign()
        self._sign()
        self._sealed_at = time.monotonic()

    def _sign(self) -> None:
        try:
            checkpoints.sign_if_due()
        except StateForbids as refusal:
            if refusal.code != self._refused:
                logger.error("ledger_not_signed", extra={"state": refusal.code})
            self._refused = refusal.code
        else:
            self._refused = None


def _is_sending() -> bool:
    return WorkerRun.objects.filter(state=RunState.RUNNING, driven_until__gt=clock.now()).exists()
