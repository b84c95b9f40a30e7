"""The web server: gunicorn with threads, started from Python so that one command and one environment rule it."""

import logging
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from cavra_site.wsgi import application

_REQUEST_SECONDS = 120
_GRACE_SECONDS = 20


class QuietLogger(Logger):  # type: ignore[misc]
    """Gunicorn's own lines go through the project's log, where a library's words are left out; no access log."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, options: dict[str, object]) -> None:
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., object]:
        return application


def serve(*, host: str, port: int, threads: int) -> None:
    """Answer requests until asked to stop; requests begun by then have 20 s to end."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    options: dict[str, object] = {
        "bind": address,
        "worker_class": "gthread",
        "workers": 1,
        "threads": threads,
        "timeout": _REQUEST_SECONDS,
        "graceful_timeout": _GRACE_SECONDS,
        "logger_class": QuietLogger,
        "accesslog": None,
        # A live run may be waited for (`Prefer: wait`), with the connection kept open.
        "keepalive": 5,
        "limit_request_line": 8190,
        "control_socket_disable": True,
        "proc_name": "cavra-api",
    }
    _Server(options).run()
