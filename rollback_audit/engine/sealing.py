"""Sealing: what a worker does for the ledger, a little at a time, for as long as it lives."""

import logging
from collections.abc import Callable

from rollback_audit.engine import checkpoints
from rollback_audit.engine.sequencer import Sequencer
from rollback_audit.errors import StateForbids

logger = logging.getLogger(__name__)


class Sealer:
    """One worker's sealer: gives entries their places and signs what has them. Says once why it cannot sign."""

    def __init__(self) -> None:
        self._sequencer = Sequencer()
        self._refused: str | None = None

    def __call__(self, *, should_stop: Callable[[], bool] = lambda: False) -> None:
        while self._sequencer.advance() and not should_stop():
            self._sign()
        self._sign()

    def _sign(self) -> None:
        try:
            checkpoints.sign_if_due()
        except StateForbids as refusal:
            if refusal.code != self._refused:
                logger.error("ledger_not_signed", extra={"state": refusal.code})
            self._refused = refusal.code
        else:
            self._refused = None
