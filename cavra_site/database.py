"""`CAVRA_DATABASE_URL` and what Django is told about the database.

Own reader rather than dj-database-url: that one hands options it does not know to the driver. Here each is an error
that names the variable.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from cavra_site import sqlite

BASE_DIR = Path(__file__).resolve().parent.parent

_POSTGRESQL_OPTIONS = frozenset(
    {
        "application_name",
        "channel_binding",
        "connect_timeout",
        "passfile",
        "sslcert",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "target_session_attrs",
    }
)
_STATEMENT_TIMEOUT_MS = 60_000
_LOCK_TIMEOUT_MS = 20_000
_BUSY_TIMEOUT_SECONDS = 20
_KEPT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class SqliteAddress:
    path: Path


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    options: dict[str, str]


DatabaseAddress = SqliteAddress | PostgresAddress


def parse(url: str) -> DatabaseAddress:
    """The address of the database. Raises ValueError with what was expected; never repeats the URL."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return _sqlite(rest)
    if scheme in {"postgres", "postgresql"}:
        return _postgresql(url)
    raise ValueError("expected sqlite:///path or postgresql://user:password@host:port/name")


def _sqlite(rest: str) -> SqliteAddress:
    if not rest.startswith("/") or rest == "/" or "?" in rest or "#" in rest:
        raise ValueError(
            "expected sqlite:///relative/path (from the checkout) or sqlite:////absolute/path, without options"
        )
    return SqliteAddress(BASE_DIR / unquote(rest[1:]))


def _postgresql(url: str) -> PostgresAddress:
    parts = urlsplit(url)
    name = unquote(parts.path.removeprefix("/"))
    if not name or "/" in name or parts.fragment:
        raise ValueError("expected postgresql://user:password@host:port/name")
    options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)) if parts.query else {}
    # A Unix socket's folder has slashes, which the authority of a URL cannot hold.
    host = options.pop("host", "") or unquote(parts.hostname or "")
    if not host:
        raise ValueError("expected a host in postgresql://user:password@host:port/name")
    if not options.keys() <= _POSTGRESQL_OPTIONS:
        raise ValueError(f"expected only these options: {', '.join(sorted(_POSTGRESQL_OPTIONS))}")
    return PostgresAddress(
        host=host,
        port=parts.port or 5432,
        name=name,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        options=options,
    )


def django_settings(address: DatabaseAddress, *, pool_size: int | None, test_folder: Path) -> dict[str, Any]:
    """The entry of Django's DATABASES. `test_folder` is where a SQLite test database goes.

    Without a `pool_size` each thread keeps one connection: what forks, as the task cluster does, must not have a pool,
    because Django does not close it before the fork and both processes would talk over the same connections.
    """
    if isinstance(address, SqliteAddress):
        return _sqlite_settings(address, test_folder=test_folder)
    return _postgresql_settings(address, pool_size=pool_size)


def _sqlite_settings(address: SqliteAddress, *, test_folder: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(address.path),
        "OPTIONS": {
            # A transaction that begins by reading and then writes cannot wait for the lock: it fails at once.
            "transaction_mode": "IMMEDIATE",
            "timeout": _BUSY_TIMEOUT_SECONDS,
            "init_command": (
                f"PRAGMA journal_mode={sqlite.journal_mode()};"
                "PRAGMA synchronous=FULL;"
                "PRAGMA foreign_keys=ON;"
                # Without it REPLACE deletes a row and passes the ledger's delete trigger.
                "PRAGMA recursive_triggers=ON;"
                # 32 MiB of pages in memory and 40 MiB of log between checkpoints: a drain writes to random pages, and
                # with SQLite's 2 and 4 MiB it reads and writes each of them many times over.
                "PRAGMA cache_size=-32000;"
                "PRAGMA wal_autocheckpoint=10000;"
            ),
        },
        # A file, as in production: threads that share an in-memory database fail on locks they cannot wait for.
        "TEST": {"NAME": str(test_folder / "test.sqlite3")},
    }


def _postgresql_settings(address: PostgresAddress, *, pool_size: int | None) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": address.host,
        "PORT": str(address.port),
        "NAME": address.name,
        "USER": address.user,
        "PASSWORD": address.password,
        "CONN_HEALTH_CHECKS": True,
        "CONN_MAX_AGE": 0 if pool_size else _KEPT_SECONDS,
        "OPTIONS": {
            "pool": {"min_size": 0, "max_size": pool_size, "timeout": 5} if pool_size else False,
            "connect_timeout": 5,
            "options": f"-c statement_timeout={_STATEMENT_TIMEOUT_MS} -c lock_timeout={_LOCK_TIMEOUT_MS}",
            **address.options,
        },
    }
