"""What a list shows, said once. Templates draw the cells made here, and never see a row."""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.urls import NoReverseMatch, reverse

Plain = str | int | bool | datetime | None


class Kind(StrEnum):
    """How a value is drawn."""

    ID = "id"
    TEXT = "text"
    NAME = "name"
    WORD = "word"
    NUMBER = "number"
    TIME = "time"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `path` is a dotted path from the row; `page` names the address it leads to, `key` what goes in it."""

    heading: str
    path: str
    kind: Kind = Kind.TEXT
    page: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of one row. `address` is where it leads, or nothing."""

    kind: Kind
    value: Plain
    address: str = ""


def cells(row: object, columns: Iterable[Column]) -> tuple[Cell, ...]:
    """What the columns say of a row, and nothing else of it."""
    return tuple(_cell(row, column) for column in columns)


def _cell(row: object, column: Column) -> Cell:
    value = _value_at(row, column.path)
    if value is None or not column.page:
        return Cell(column.kind, value)
    key = _value_at(row, column.key) if column.key else value
    try:
        return Cell(column.kind, value, reverse(column.page, args=[key]))
    except NoReverseMatch:
        return Cell(column.kind, value)


def _value_at(row: object, path: str) -> Plain:
    """Follow a dotted path; None as soon as a step leads nowhere. Hashes are in base64, as everywhere."""
    found: object = row
    for step in path.split("."):
        found = getattr(found, step, None)
    if isinstance(found, list):
        found = ", ".join(map(str, found))
    if isinstance(found, bytes | memoryview):
        found = b64encode(found).decode()
    return found if found != "" and isinstance(found, str | int | bool | datetime) else None


def identity(heading: str, path: str, page: str = "") -> Column:
    return Column(heading, path, Kind.ID, page)


def name(heading: str, path: str) -> Column:
    return Column(heading, path, Kind.NAME)


def word(heading: str, path: str) -> Column:
    return Column(heading, path, Kind.WORD)


def number(heading: str, path: str) -> Column:
    return Column(heading, path, Kind.NUMBER)


def time(heading: str, path: str) -> Column:
    return Column(heading, path, Kind.TIME)


def flag(heading: str, path: str) -> Column:
    return Column(heading, path, Kind.FLAG)
