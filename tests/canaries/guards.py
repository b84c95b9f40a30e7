"""The guards, to be switched off one at a time: what they hold back must then be found."""

import logging
import sys
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings

from rollback_audit import redaction
from rollback_audit.delivery.answer import Answer
from rollback_audit.delivery.exchange import Exchange
from tests.canaries.places import LogLines

_careless = logging.getLogger("rollback_audit.delivery.careless")


def detector_off(monkeypatch: pytest.MonkeyPatch, _: LogLines) -> None:
    """Operators may write what looks like a credential."""
    # What is imported only once a request comes would keep the rule that is off.
    import_module(settings.ROOT_URLCONF)
    for module in [module for name, module in sys.modules.items() if name.startswith("rollback_audit.")]:
        if getattr(module, "credential_rule", None) is redaction.credential_rule and module is not redaction:
            monkeypatch.setattr(module, "credential_rule", lambda value: None)
    monkeypatch.setattr(redaction, "credential_rule", lambda value: None)


def border_off(monkeypatch: pytest.MonkeyPatch, _: LogLines) -> None:
    """The client says what it reads, and what libcurl says of it."""
    for name in ("read_header", "read_body"):
        monkeypatch.setattr(Answer, name, _told(getattr(Answer, name)))
    failure = Exchange._failure

    def told(self: Exchange[Any], error: int, **facts: bool) -> Any:
        _careless.debug(self.handle.errstr())
        return failure(self, error, **facts)

    monkeypatch.setattr(Exchange, "_failure", told)


def _told(read: Any) -> Any:
    def told(self: Answer, content: bytes) -> Any:
        _careless.debug(content.decode("latin-1"))
        return read(self, content)

    return told


def formatter_off(_: pytest.MonkeyPatch, log: LogLines) -> None:
    """Log lines are written as libraries mean them, with their arguments and their exceptions' texts."""
    log.setFormatter(logging.Formatter("%(name)s %(message)s"))
