"""Every exception class of the layers below, ready to be raised with a canary inside."""

import builtins
import json
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import django.db
import pycurl
from django.db import connection

_OURS = {builtins.__name__, socket.__name__, ssl.__name__, "_ssl", "_socket"}


def family(base: type[BaseException]) -> list[type[BaseException]]:
    """The class and all that descend from it, those of the standard library and of the driver alone."""
    found = [base]
    for kind in base.__subclasses__():
        found += [one for one in family(kind) if one not in found]
    return found


def made(kind: type[BaseException], text: str) -> BaseException:
    """An exception of that class that says the text, however its class wants to be made."""
    if kind is json.JSONDecodeError:
        return json.JSONDecodeError(text, f'{{"{text}"', 0)
    if issubclass(kind, UnicodeEncodeError):
        return kind("ascii", text, 0, 1, text)
    if issubclass(kind, UnicodeDecodeError):
        return kind("utf-8", text.encode(), 0, 1, text)
    if issubclass(kind, UnicodeTranslateError):
        return kind(text, 0, 1, text)
    if issubclass(kind, OSError):
        error = kind(1, text)
        error.filename = text
        return error
    return kind(text)


RESOLVER = [kind for kind in family(OSError) if kind.__module__ in _OURS] + family(UnicodeError)[:1]
TLS = [*family(ssl.SSLError), ssl.CertificateError]
JSON = [json.JSONDecodeError, UnicodeDecodeError, RecursionError, ValueError, TypeError, KeyError, MemoryError]
WIRE = [pycurl.error]


def of_the_database() -> Iterator[type[BaseException]]:
    """Django's own, and the driver's: psycopg has one for each state that PostgreSQL knows."""
    yield from family(django.db.Error)
    yield from family(connection.Database.Error)


def code_of(answer: Any) -> str:
    return str(answer.json()["code"])
