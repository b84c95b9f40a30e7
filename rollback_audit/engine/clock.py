"""The one clock. Every stored moment comes from the database, so that workers on several hosts agree."""

from datetime import UTC, datetime

from django.db import connection


def now() -> datetime:
    """The database's time, aware, UTC; microseconds on PostgreSQL, milliseconds on SQLite.

    The statement's time, not the transaction's: a long transaction must not stamp its end with its beginning.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT clock_timestamp()")
            moment: datetime = cursor.fetchone()[0]
            return moment.astimezone(UTC)
        cursor.execute("SELECT strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')")
        return datetime.fromisoformat(cursor.fetchone()[0])
