"""What the processes say: one JSON object a line, with declared keys and nothing else.

What a library says may hold a URL, a host or a header, and an exception's text may hold anything. So a library's line
is reduced to where it came from, and an exception to its type and the places it passed through.
"""

import io
import json
import logging
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType

from rollback_audit import correlation

OUR_LOGGERS = ("cavra_site", "rollback_audit")

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

# What a caller may pass as `extra=`: opaque ids, enumerated words, counts and durations.
EXTRA_KEYS = (
    "actor_id",
    "attempt_id",
    "connector_name",
    "count",
    "delivery_id",
    "duration_ms",
    "failure_kind",
    "method",
    "pid",
    "plan_id",
    "port",
    "route",
    "run_id",
    "seconds",
    "state",
    "status_code",
    "verb",
)


class JsonLines(logging.Formatter):
    """Our own messages are constants by habit; what varies goes into one of EXTRA_KEYS."""

    def format(self, record: logging.LogRecord) -> str:
        ours = is_ours(record)
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": str(record.msg) if ours else "library_message",
        }
        if not ours:
            line["at"] = f"{record.module}:{record.lineno}"
        line |= _extra(record) if ours else {}
        if found := correlation.current():
            line["correlation_id"] = found
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["trace"] = _places(record.exc_info[2])
        return json.dumps(line)


def is_ours(record: logging.LogRecord) -> bool:
    return record.name.split(".", 1)[0] in OUR_LOGGERS


def _extra(record: logging.LogRecord) -> dict[str, object]:
    """The declared keys; what is neither a number nor a word, such as an exception, by its type alone."""
    given = {key: record.__dict__[key] for key in EXTRA_KEYS if key in record.__dict__}
    return {
        key: value if isinstance(value, str | int | float | None) else type(value).__name__
        for key, value in given.items()
    }


def catch_the_rest() -> None:
    """Have the interpreter say in this form what nobody caught, instead of printing the exception's text."""
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    _say("uncaught_error", exc_info=(kind, error or kind(), trace))


def withhold_stderr() -> None:
    """For a process that a library forks: multiprocessing prints the tracebacks of its children, texts and all."""
    sys.stderr = _Withheld()


class _Withheld(io.TextIOBase):
    """Takes text, and tells when flushed only that there was some. Log lines go past it, to `sys.__stderr__`."""

    _held = False

    def write(self, text: str) -> int:
        self._held = self._held or bool(text.strip())
        return len(text)

    def flush(self) -> None:
        if self._held:
            self._held = False
            _say("text_withheld")


def _say(event: str, exc_info: _ExcInfo | None = None) -> None:
    """A line of our own that needs no configured logging: settings may be what failed."""
    record = logging.LogRecord(__name__, logging.CRITICAL, __file__, 0, event, None, exc_info)
    if sys.__stderr__ is not None:
        print(JsonLines().format(record), file=sys.__stderr__, flush=True)


def _places(trace: TracebackType | None) -> list[str]:
    """`module.py:line function` of each frame, outermost first: where, and nothing of what."""
    return [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]
