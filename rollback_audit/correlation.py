"""The id by which an answer and its lines in the log are found together.

Made here for each request, and never taken from one: an id from outside could be another request's, or any text.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

HEADER = "Correlation-Id"

_current: ContextVar[str] = ContextVar("correlation_id", default="")


def current() -> str:
    """The id of the request being answered: 32 hexadecimal digits. Empty where there is none."""
    return _current.get()


@contextmanager
def fresh() -> Iterator[str]:
    """A new id, for as long as one request takes."""
    token = _current.set(secrets.token_hex(16))
    try:
        yield _current.get()
    finally:
        _current.reset(token)
