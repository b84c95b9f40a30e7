"""What a list shows, said once: the templates draw it."""

from dataclasses import dataclass
from enum import StrEnum


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
