"""Real `cavra worker` processes, and the means to kill or freeze one with everything it started."""

import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Self

import psycopg
from django.conf import settings
from django.db import connection

from rollback_audit.models import EvidenceEntry
from rollback_audit.states import MetadataKind
from tests.home import HOME

_MARK = "CHAOS_WORKER"
_POLL_SECONDS = 0.02
_ANNOUNCED = MetadataKind.POSSIBLE_DUPLICATE.value


class Worker:
    """One `cavra worker` on the tests' database. Every process that it starts inherits a mark, and is found by it."""

    def __init__(self) -> None:
        self._mark = secrets.token_hex(8)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cavra_site.cli", "worker"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment() | {_MARK: self._mark},
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    def kill(self) -> None:
        """kill -9 for the worker, its cluster and its cluster's workers, until nothing is left of them."""
        while self._signal(signal.SIGKILL):
            time.sleep(_POLL_SECONDS)
        self._process.wait()

    def freeze(self) -> None:
        """Stop every process where it stands, but not inside a transaction: its locks would hold up everybody."""
        self._signal(signal.SIGSTOP)
        while _somebody_is_in_a_transaction():
            self.thaw()
            time.sleep(_POLL_SECONDS)
            self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> int:
        """Send a signal to every process of this worker. Returns how many there were."""
        pids = _marked(f"{_MARK}={self._mark}".encode())
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return len(pids)


def environment() -> dict[str, str]:
    """What a process needs to work on the tests' database, beside their connectors, ledger key and checkpoints."""
    return os.environ | {
        "CAVRA_HOME": str(HOME),
        "CAVRA_DATABASE_URL": _url(),
        "CAVRA_CONNECTOR_CONFIG": str(settings.CAVRA_CONNECTOR_CONFIG),
        "CAVRA_LEDGER_KEY_FILE": str(settings.CAVRA_LEDGER_KEY_FILE),
        "CAVRA_CHECKPOINT_FILE": str(settings.CAVRA_CHECKPOINT_FILE),
        "DJANGO_SETTINGS_MODULE": "cavra_site.settings",
    }


@contextmanager
def announcements() -> Iterator[Callable[[str], int]]:
    """How many possible-duplicate lines of a delivery are committed: quick, and for any one thread at a time."""
    table = EvidenceEntry._meta.db_table
    count = f"SELECT count(*) FROM {table} WHERE metadata_kind = '{_ANNOUNCED}' AND delivery_id ="
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(connection.settings_dict["NAME"], check_same_thread=False)) as probe:
            yield lambda delivery_id: int(probe.execute(f"{count} ?", [delivery_id]).fetchone()[0])
    else:
        with psycopg.connect(_url(), autocommit=True) as server:
            yield lambda delivery_id: sum(number for (number,) in server.execute(f"{count} %s", [delivery_id]))


def _marked(mark: bytes) -> list[int]:
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        # A process that has ended, but was not waited for, has an empty environment.
        with suppress(OSError):
            if mark in file.read_bytes().split(b"\0"):
                found.append(int(file.parent.name))
    return found


def _somebody_is_in_a_transaction() -> bool:
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=0.2, isolation_level=None)) as probe:
            try:
                probe.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
        )
        return bool(cursor.fetchone()[0])


def _url() -> str:
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    return "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format_map(database)
