"""The web server: gunicorn with threads, started from Python so that one command and one environment rule it."""

import logging
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from cavra_site.wsgi import application
from rollback_audit import correlation

logger = logging.getLogger(__name__)

_REQUEST_SECONDS = 120
_GRACE_SECONDS = 20


class QuietLogger(Logger):  # type: ignore[misc]
    """Gunicorn's own lines go through the project's log, where a library's words are left out; no access log."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)


class PlainWorker(ThreadWorker):  # type: ignore[misc]
    """Answers what is no request without repeating any of it, as gunicorn would, and says where the log has it."""

    def handle_error(self, req: object, client: Any, addr: object, exc: Exception) -> None:
        with correlation.fresh() as correlation_id:
            status, reason = _refusal(exc)
            failed = status == HTTPStatus.INTERNAL_SERVER_ERROR
            event = "request_failed" if failed else "request_unreadable"
            level = logging.ERROR if failed else logging.INFO
            logger.log(level, event, extra={"status_code": status}, exc_info=exc if failed else None)
        with suppress(OSError):
            util.write_error(client, status, reason, f"In the log as {correlation_id}")


def _refusal(exc: Exception) -> tuple[int, str]:
    """The status and its name for what went wrong before Django saw a request."""
    match exc:
        case errors.InvalidResponseHeader() | errors.InvalidResponseHeaderName():
            # A header of ours: a kind of InvalidHeader, and no fault of the client's.
            status = HTTPStatus.INTERNAL_SERVER_ERROR
        case errors.LimitRequestLine():
            status = HTTPStatus.REQUEST_URI_TOO_LONG
        case errors.LimitRequestHeaders():
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        case errors.UnsupportedTransferCoding():
            status = HTTPStatus.NOT_IMPLEMENTED
        case errors.ExpectationFailed():
            status = HTTPStatus.EXPECTATION_FAILED
        case errors.ParseException():
            status = HTTPStatus.BAD_REQUEST
        case _:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
    return status.value, status.phrase


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
        "worker_class": "cavra_site.web.PlainWorker",
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
