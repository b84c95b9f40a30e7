"""Sequencers are killed while entries pour in: no gap, one root for each size, and soon nothing waits any more."""

import json
import random
import subprocess
import sys
import time
from functools import partial
from itertools import count
from pathlib import Path
from typing import Self

import pytest
from django.db import connection, transaction

from rollback_audit.engine import clock, ledger, tree
from rollback_audit.models import EvidenceEntry, LedgerCheckpoint
from rollback_audit.states import MetadataKind
from tests.chaos.evidence import assert_a_bundle_of_everything_verifies, assert_the_ledger_is_whole
from tests.chaos.workers import environment
from tests.engine.threads import at_once
from tests.waiting import within

pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

WRITERS = 4
ENTRIES = 20_000
# Transactions of different sizes and lengths: on PostgreSQL, ids become visible in another order than they were drawn.
MOST_AT_ONCE = 10
LONGEST_SECONDS = 0.008
SEQUENCED_WITHIN_SECONDS = 5.0


class Sealers:
    """The process of tests/chaos/sealers.py. However the block ends, its stdin does, and with it the process."""

    def __init__(self, log: Path) -> None:
        self._log = log
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.sealers"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env=environment(),
            )
        assert self._process.stdin is not None
        self._orders = self._process.stdin

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate(timeout=60)

    def stop_killing(self) -> None:
        self._orders.write(b".")
        self._orders.flush()

    def end(self) -> tuple[dict[str, int], list[str]]:
        """How many were killed and how many had ended by themselves, and what they logged."""
        said, _ = self._process.communicate(timeout=60)
        return json.loads(said), self._log.read_text().splitlines()


def write(numbers: "count[int]", chance: random.Random, *, total: int) -> None:
    """Append entries in transactions that take their time."""
    written = 0
    while written < total:
        entries = min(chance.randint(1, MOST_AT_ONCE), total - written)
        now = clock.now()
        with transaction.atomic():
            ledger.append(
                ledger.row(
                    MetadataKind.CONNECTOR_CHANGED,
                    session_id=f"gordledger-{next(numbers):016x}",
                    signer="system",
                    at=now,
                    record={"change": "held", "reason": ""},
                )
                for _ in range(entries)
            )
            if connection.vendor == "postgresql":
                time.sleep(chance.uniform(0, LONGEST_SECONDS))
        written += entries


def test_sequencers_that_are_killed_all_the_time_leave_no_gap_and_sign_no_two_roots(
    chance: random.Random, tmp_path: Path
) -> None:
    numbers = count()
    with Sealers(tmp_path / "sealers.log") as running:
        at_once(partial(write, numbers, chance, total=ENTRIES // WRITERS), times=WRITERS)
        running.stop_killing()
        stopped = time.monotonic()
        assert within(SEQUENCED_WITHIN_SECONDS, lambda: tree.size() == EvidenceEntry.objects.count())
        took = time.monotonic() - stopped
        told, log = running.end()
    checkpoints = LedgerCheckpoint.objects.count()
    print(f"{told['killed']} killed, all sequenced {took:.2f} s after the last, {checkpoints} checkpoints")
    assert log == []
    assert told["fallen"] == 0
    assert told["killed"] >= 4
    assert EvidenceEntry.objects.filter(metadata_kind=MetadataKind.CONNECTOR_CHANGED).count() == ENTRIES
    assert_the_ledger_is_whole()
    assert_a_bundle_of_everything_verifies(tmp_path)
