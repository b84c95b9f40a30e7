"""Many rows in one statement, on either database. The only place that knows how they differ.

Rows are tuples in the order of the named columns (attnames); moments go through `moment`.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Model

_OFFSET = len("+00:00")

Rows = Sequence[Sequence[Any]]


@cache
def on_postgresql() -> bool:
    return connection.vendor == "postgresql"


def moment(value: datetime | None) -> datetime | str | None:
    """A moment in UTC as the database's driver takes it in a raw statement."""
    if value is None or on_postgresql():
        return value
    # As Django writes it: microseconds only where there are some. Text is compared as text.
    return value.isoformat(" ")[:-_OFFSET]


def moment_column(name: str) -> str:
    """A column of moments in a raw SELECT: as text on SQLite, where Django's converter costs more than the row."""
    return name if on_postgresql() else f"CAST({name} AS TEXT)"


def read_moment(value: Any) -> datetime | None:
    """A moment as a `moment_column` returned it, made aware (UTC)."""
    if value is None:
        return None
    if isinstance(value, str):
        return datetime.fromisoformat(value + "+00:00")
    read: datetime = value.astimezone(UTC)
    return read


def insert(cursor: CursorWrapper, model: type[Model], columns: Sequence[str], rows: Rows) -> None:
    """Insert rows: COPY on PostgreSQL, one prepared statement on SQLite. Constraints apply as for any insert."""
    table = model._meta.db_table
    names = ", ".join(f'"{name}"' for name in columns)
    if on_postgresql():
        # COPY goes past Django's cursor, and so past the place where it turns the driver's errors into its own.
        with connection.wrap_database_errors, cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)
        return
    marks = ", ".join(["%s"] * len(columns))
    cursor.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', rows)  # noqa: S608 - names are ours


def update(
    cursor: CursorWrapper,
    model: type[Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    keys: Sequence[str] = ("id",),
) -> None:
    """Update rows found by their keys: each row is (key, ..., value, ...). One statement on PostgreSQL."""
    if not rows:
        return
    table = model._meta.db_table
    if on_postgresql():
        names = (*keys, *columns)
        arrays = ", ".join(f"%s::{_column_type(model, name)}[]" for name in names)
        named = ", ".join(f'"{name}"' for name in names)
        assigned = ", ".join(f'"{name}" = v."{name}"' for name in columns)
        found = " AND ".join(f't."{name}" = v."{name}"' for name in keys)
        cursor.execute(
            f'UPDATE "{table}" AS t SET {assigned} FROM unnest({arrays}) AS v({named}) WHERE {found}',  # noqa: S608
            [list(column) for column in zip(*rows, strict=True)],
        )
        return
    assigned = ", ".join(f'"{name}" = %s' for name in columns)
    found = " AND ".join(f'"{name}" = %s' for name in keys)
    width = len(keys)
    cursor.executemany(
        f'UPDATE "{table}" SET {assigned} WHERE {found}',  # noqa: S608
        [(*row[width:], *row[:width]) for row in rows],
    )


def _column_type(model: type[Model], column: str) -> str:
    # An identity column's own type is "bigint", not the "bigint GENERATED ..." that creates it.
    for field in model._meta.concrete_fields:
        if field.attname == column:
            return str(field.rel_db_type(connection) if field.primary_key else field.db_type(connection))
    raise LookupError(column)


def update_alike(
    cursor: CursorWrapper, model: type[Model], assignments: str, parameters: Sequence[Any], pks: Sequence[int]
) -> None:
    """Update rows that all change in the same way: `assignments` is SQL, its parameters beside it. One statement."""
    if not pks:
        return
    found = "= ANY(%s)" if on_postgresql() else "IN (SELECT value FROM json_each(%s))"
    chosen = list(pks) if on_postgresql() else json.dumps(list(pks))
    cursor.execute(
        f'UPDATE "{model._meta.db_table}" SET {assignments} WHERE id {found}',  # noqa: S608
        [*parameters, chosen],
    )


def any_of(values: Sequence[Any]) -> tuple[str, list[Any]]:
    """SQL and parameters for `column <SQL>`: is one of many values, without a limit on their number."""
    if on_postgresql():
        return "= ANY(%s)", [list(values)]
    marks = ", ".join(["%s"] * len(values))
    return f"IN ({marks})", list(values)


def lock_rows(*tables: str) -> str:
    """Lock what a SELECT returns and pass over what others hold. SQLite's writer holds the whole database already."""
    return f"FOR UPDATE OF {', '.join(tables)} SKIP LOCKED" if on_postgresql() else ""


def take_turns(model: type[Model]) -> None:
    """Wait until no other transaction that took its turn with the table is left. Readers and other writers go on.

    SQLite's writer is alone as it is. A lock on the table itself would keep autovacuum out.
    """
    if on_postgresql():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [model._meta.db_table])


@contextmanager
def streaming_cursor() -> Iterator[CursorWrapper]:
    """A cursor that fetches in chunks: server-side on PostgreSQL, where it needs a transaction."""
    with connection.chunked_cursor() as cursor:
        yield cursor
