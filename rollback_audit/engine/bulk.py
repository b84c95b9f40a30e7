"""Many rows in one statement, on either database. The only place that knows how they differ."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper


def moment(value: datetime | None) -> datetime | str | None:
    """A moment as the database's driver takes it in raw statements."""
    if value is None or connection.vendor == "postgresql":
        return value
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def read_moment(value: Any) -> datetime | None:
    """A moment as a raw statement returned it, made aware."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value if value is None else value.astimezone(UTC)


def insert(cursor: CursorWrapper, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows: COPY on PostgreSQL, one prepared statement on SQLite.

    Values are the driver's own (see `moment`). Constraints and triggers apply as for any insert.
    """
    names = ", ".join(f'"{name}"' for name in columns)
    if connection.vendor == "postgresql":
        with cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)
        return
    marks = ", ".join(["?"] * len(columns))
    _sqlite_cursor(cursor).executemany(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', rows)
