"""The sequencer: gives each entry of the ledger its place in the tree, after the fact.

Entries get their ids before they are committed, so a later id may be there first, and writers never wait for each other
over a place. Any number of sequencers may run; the database takes each place and each entry once, and whoever comes
second looks again.
"""

import time
from collections import deque
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Max

from rollback_audit.engine import bulk, tree
from rollback_audit.evidence.merkle import leaf_hash
from rollback_audit.models import EvidenceEntry, LedgerLeaf

BATCH = 8192
_COUNTED = 100_000
# A whole look costs an index scan. Nothing should ever be found by it.
_LOOK_EVERYWHERE_SECONDS = 900.0


class _Bound(NamedTuple):
    """All entries up to `entry_pk` had a place, but for those of transactions older than `horizon`."""

    entry_pk: int
    horizon: int | None = None


class Sequencer:
    """One process's sequencer. It remembers up to where nothing can be missing any more, so as not to look there."""

    def __init__(self) -> None:
        self._floor = 0
        self._bounds: deque[_Bound] = deque()
        self._look_everywhere_at = 0.0

    def advance(self) -> bool:
        """Give a batch of entries their places, in one transaction. Whether there may be more to do now."""
        if time.monotonic() >= self._look_everywhere_at:
            self._floor = 0
            self._look_everywhere_at = time.monotonic() + _LOOK_EVERYWHERE_SECONDS
        known = tree.size()
        newest = EvidenceEntry.objects.aggregate(newest=Max("pk"))["newest"] or 0
        fresh = unsequenced(above=self._floor, most=BATCH)
        if fresh and not self._place(known, fresh):
            return True
        is_full = len(fresh) == BATCH
        self._raise_floor(fresh[-1][0] if is_full else newest)
        return is_full

    def _place(self, known: int, fresh: list[tree.Leaf]) -> bool:
        """Whether the places were still free."""
        with transaction.atomic():
            bulk.take_turns(LedgerLeaf)
            if tree.size() != known:
                return False
            tree.append(known, fresh)
        return True

    def _raise_floor(self, bound: int) -> None:
        """On SQLite ids are committed in order. On PostgreSQL a bound counts once every transaction has ended that may
        have held an id below it: those that had begun by the next pass.
        """
        if connection.vendor == "sqlite":
            self._floor = bound
            return
        oldest, next_id = _transactions()
        while self._bounds and self._bounds[0].horizon is not None and self._bounds[0].horizon <= oldest:
            self._floor = self._bounds.popleft().entry_pk
        if self._bounds and self._bounds[-1].horizon is None:
            self._bounds[-1] = self._bounds[-1]._replace(horizon=next_id)
        if not self._bounds or self._bounds[-1].entry_pk < bound:
            self._bounds.append(_Bound(bound))


def sequence_all() -> None:
    """Give every entry there is its place."""
    sequencer = Sequencer()
    while sequencer.advance():
        pass


def unsequenced(*, above: int = 0, most: int) -> list[tree.Leaf]:
    """The leaves of entries without a place, oldest id first."""
    sql = f"""
        SELECT e.id, e.body FROM "{EvidenceEntry._meta.db_table}" e
        WHERE e.id > %s AND NOT EXISTS (
            SELECT 1 FROM "{LedgerLeaf._meta.db_table}" l WHERE l.entry_pk = e.id
        )
        ORDER BY e.id LIMIT %s
    """  # noqa: S608 - table names
    with connection.cursor() as cursor:
        cursor.execute(sql, [above, most])
        return [(entry_pk, leaf_hash(body.encode())) for entry_pk, body in cursor]


def count_unsequenced() -> int:
    """How many of the newest entries have no place yet. Looks at a bounded number: those without one are the newest."""
    sql = f"""
        SELECT COUNT(*) FROM "{EvidenceEntry._meta.db_table}" e
        WHERE e.id > (SELECT MAX(id) FROM "{EvidenceEntry._meta.db_table}") - %s AND NOT EXISTS (
            SELECT 1 FROM "{LedgerLeaf._meta.db_table}" l WHERE l.entry_pk = e.id
        )
    """  # noqa: S608 - table names
    with connection.cursor() as cursor:
        cursor.execute(sql, [_COUNTED])
        return int(cursor.fetchone()[0])


def _transactions() -> tuple[int, int]:
    """The oldest transaction that still runs, and the id that the next one will get."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text, pg_snapshot_xmax(pg_current_snapshot())::text"
        )
        oldest, next_id = cursor.fetchone()
        return int(oldest), int(next_id)
