"""Which SQLite library serves the process, and what it can be trusted with."""

import sqlite3
import sys

import pysqlite3

Version = tuple[int, ...]

# The WAL reset race (two connections checkpointing and resetting the log at once) can corrupt a database.
# https://sqlite.org/wal.html, "The WAL Reset Bug": fixed in 3.51.3, and in the branches 3.44 and 3.50.
_FIXED_FROM = (3, 51, 3)
_FIXED_BRANCHES: dict[Version, int] = {(3, 44): 6, (3, 50): 7}


def prefer_newest_library() -> None:
    """Let `sqlite3` name whichever of the standard library's and pysqlite3's SQLite is newer.

    The system's SQLite is as old as the system; pysqlite3 is the same module built with a current one. Django's backend
    asks for `sqlite3` by name and offers no setting, so the name is rebound, here and nowhere else.
    """
    if pysqlite3.sqlite_version_info > sqlite3.sqlite_version_info:
        sys.modules["sqlite3"] = pysqlite3
        sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2


def library_version() -> Version:
    """The version of the library that `sqlite3` names now."""
    version: Version = sys.modules["sqlite3"].sqlite_version_info
    return version


def wal_is_safe(version: Version) -> bool:
    """Whether write-ahead logging can be used without risking the database."""
    return version >= _FIXED_FROM or version[2] >= _FIXED_BRANCHES.get(version[:2], sys.maxsize)


def journal_mode() -> str:
    return "WAL" if wal_is_safe(library_version()) else "DELETE"
