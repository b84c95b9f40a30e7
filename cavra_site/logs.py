"""Log lines: one JSON object each, with declared keys and nothing else.

What a library says may hold a URL, a host or a header, and an exception's text may hold anything. So a library's line
is reduced to where it came from, and an exception to its type and the places it passed through.
"""

import json
import logging
import traceback
from datetime import UTC, datetime
from types import TracebackType

OUR_LOGGERS = ("cavra_site", "rollback_audit")

# What a caller may pass as `extra=`: opaque ids, enumerated words, counts and durations.
EXTRA_KEYS = (
    "actor_id",
    "attempt_id",
    "connector_name",
    "correlation_id",
    "count",
    "delivery_id",
    "duration_ms",
    "failure_kind",
    "method",
    "pid",
    "plan_id",
    "port",
    "run_id",
    "seconds",
    "state",
    "status_code",
    "verb",
)


class JsonLines(logging.Formatter):
    """Our own messages are constants by habit; what varies goes into one of EXTRA_KEYS."""

    def format(self, record: logging.LogRecord) -> str:
        ours = record.name.split(".", 1)[0] in OUR_LOGGERS
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": str(record.msg) if ours else "library_message",
        }
        if not ours:
            line["at"] = f"{record.module}:{record.lineno}"
        line |= {key: record.__dict__[key] for key in EXTRA_KEYS if key in record.__dict__}
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["trace"] = _places(record.exc_info[2])
        return json.dumps(line, default=str)


def _places(trace: TracebackType | None) -> list[str]:
    """`module.py:line function` of each frame, outermost first: where, and nothing of what."""
    return [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]
