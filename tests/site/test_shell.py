"""Keys, logs and the SQLite library: small things that must not go wrong."""

import json
import logging
import sqlite3
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from cavra_site import keys, sqlite
from cavra_site.logs import JsonLines


def test_the_key_is_made_once_even_by_eight_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "state" / "secret_key"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(keys.ensure, [path] * 8))
    made = keys.read(path)
    keys.ensure(path)
    assert keys.read(path) == made
    assert len(made) >= 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret_key"]


def test_a_key_that_is_not_there_is_empty_so_that_django_refuses_to_sign(tmp_path: Path) -> None:
    assert keys.read(tmp_path / "secret_key") == ""


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 3), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_wal_is_used_only_with_a_library_that_cannot_corrupt_it(version: tuple[int, int, int], safe: bool) -> None:
    assert sqlite.wal_is_safe(version) is safe


def test_django_uses_the_newest_library_there_is() -> None:
    assert sys.modules["sqlite3"].sqlite_version_info == sqlite.library_version()
    assert sqlite.wal_is_safe(sqlite.library_version())
    assert sqlite3.sqlite_version_info >= (3, 40)


@pytest.mark.django_db
@pytest.mark.skipif(settings.DATABASES["default"]["ENGINE"] != "django.db.backends.sqlite3", reason="SQLite only")
def test_every_sqlite_connection_is_durable_and_keeps_its_triggers() -> None:
    with connection.cursor() as cursor:
        found = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in _PRAGMAS}
    assert found == _PRAGMAS


_PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "recursive_triggers": 1}


def record(name: str, message: str, **extra: object) -> logging.LogRecord:
    return logging.getLogger(name).makeRecord(name, logging.ERROR, __file__, 7, message, (), None, extra=extra)


def test_our_lines_keep_their_words_and_their_declared_keys_only() -> None:
    line = json.loads(JsonLines().format(record("rollback_audit.engine", "run_finished", run_id="r-1", url="hunter2")))
    assert line["event"] == "run_finished"
    assert line["run_id"] == "r-1"
    assert "url" not in line


def test_a_library_s_line_says_where_and_never_what() -> None:
    text = JsonLines().format(record("urllib3.connectionpool", "GET https://hunter2/"))
    assert "hunter2" not in text
    assert json.loads(text)["event"] == "library_message"


def test_an_exception_is_its_type_and_its_places_and_never_its_text() -> None:
    entry = record("rollback_audit.engine", "sweep_failed")
    try:
        raise ValueError("hunter2")
    except ValueError:
        entry.exc_info = sys.exc_info()
    text = JsonLines().format(entry)
    assert "hunter2" not in text
    assert json.loads(text)["error"] == "ValueError"
    assert json.loads(text)["trace"]
