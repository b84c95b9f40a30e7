"""Pruning: old entries of the ledger go, and their hashes stay, so that every checkpoint still proves what is left.

It works in batches, each one transaction: the spans of places, a `ledger-pruned` line that names them, and the
deletion. One that is killed has pruned whole batches; the next finds what is left. planning.retention says what may go.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import ProgrammingError, connection, transaction
from django.db.models import Min

from rollback_audit.engine import bulk, checkpoints, clock, holds, ledger, pruned_rows, retention_facts
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.retention_facts import Line
from rollback_audit.errors import InvalidInput, StateForbids
from rollback_audit.evidence import merkle
from rollback_audit.models import (
    EvidenceEntry,
    LedgerLeaf,
    PrunedEntry,
    PrunedSpan,
    Recovery,
    WorkerRun,
)
from rollback_audit.models.runs import UNFINISHED
from rollback_audit.planning import retention as rules
from rollback_audit.planning.retention import Horizon, Kept
from rollback_audit.records.retention import LedgerPrunedRecord, PruneRecord
from rollback_audit.redaction import check_text
from rollback_audit.states import MetadataKind, Permission, RecoveryState

BATCH = 1000


@dataclass(slots=True)
class _Tally:
    pruned: int = 0
    oldest_at: datetime | None = None
    newest_at: datetime | None = None
    kept: Counter[Kept] = field(default_factory=Counter)

    def count(self, going: Sequence[Line], kept: Counter[Kept]) -> None:
        moments = [line.created_at for line in going]
        self.pruned += len(going)
        self.oldest_at = min([*moments, *([self.oldest_at] if self.oldest_at else [])], default=None)
        self.newest_at = max([*moments, *([self.newest_at] if self.newest_at else [])], default=None)
        self.kept += kept


def prune(*, actor: Actor, older_than_days: int, reason: str = "", dry_run: bool = True) -> PruneRecord:
    """Prune what is older and no longer needed; in a dry run, say what that would be and change nothing.

    Raises InvalidInput (days outside LEAST_DAYS..MOST_DAYS, no reason for a real one) and StateForbids:
    prune_not_granted (the database's role may not delete), ledger_inconsistent (an entry is not what was signed, and
    is left as it is).
    """
    actor.require(Permission.RETAIN_EVIDENCE)
    if not rules.LEAST_DAYS <= older_than_days <= rules.MOST_DAYS:
        raise InvalidInput({"older_than_days": [f"Between {rules.LEAST_DAYS} and {rules.MOST_DAYS} days."]})
    reason = check_text("reason", reason, 500, required=not dry_run)
    cutoff = clock.now() - timedelta(days=older_than_days)
    tally = _Tally()
    after: int | None = 0
    try:
        while after is not None:
            after = _batch(after, cutoff, tally, actor=actor, reason=None if dry_run else reason)
        rows = pruned_rows.count(cutoff) if dry_run else pruned_rows.delete(cutoff)
    except ProgrammingError:
        detail = "This database role may not delete evidence: prune with the role that owns the tables."
        raise StateForbids(detail, code="prune_not_granted") from None
    return PruneRecord(
        dry_run=dry_run,
        cutoff=cutoff,
        pruned_count=tally.pruned,
        oldest_at=tally.oldest_at,
        newest_at=tally.newest_at,
        held_count=tally.kept[Kept.HELD],
        open_count=tally.kept[Kept.OPEN],
        unsigned_count=tally.kept[Kept.UNSIGNED],
        for_ever_count=tally.kept[Kept.FOR_EVER],
        rows=rows,
    )


def _batch(after: int, cutoff: datetime, tally: _Tally, *, actor: Actor, reason: str | None) -> int | None:
    """Judge the next entries after a row id and, with a reason, prune those that may go. The last one's id, if any."""
    with transaction.atomic():
        if reason is not None:
            holds.wait_for_pruning()
        lines = retention_facts.lines(after=after, before=cutoff, most=BATCH)
        if not lines:
            return None
        newest = checkpoints.latest()
        facts = retention_facts.judged(lines, signed=newest.tree_size if newest else 0, held=holds.in_force())
        horizon = _horizon(cutoff)
        verdicts = [rules.why_kept(item, horizon) for item in facts]
        going = [line for line, kept in zip(lines, verdicts, strict=True) if kept is None]
        if reason is not None and going:
            _remove(sorted(going, key=_place), cutoff, actor=actor, reason=reason)
    tally.count(going, Counter(kept for kept in verdicts if kept is not None))
    return lines[-1].pk


def _horizon(cutoff: datetime) -> Horizon:
    runs = WorkerRun.objects.filter(UNFINISHED).aggregate(since=Min("generated_at"))
    outages = Recovery.objects.filter(state=RecoveryState.OPEN).aggregate(since=Min("first_failure_at"))
    return Horizon(cutoff, unfinished_since=runs["since"], outage_since=outages["since"])


def _remove(going: Sequence[Line], cutoff: datetime, *, actor: Actor, reason: str) -> None:
    """Remove entries, in the order of their places, inside the caller's transaction."""
    _check_unchanged(going)
    now = clock.now()
    spans = rules.spans([_place(line) for line in going])
    line = ledger.row(
        MetadataKind.LEDGER_PRUNED,
        session_id=ledger.new_entry_id(),
        signer=actor.name,
        at=now,
        record=LedgerPrunedRecord(spans=spans, pruned_count=len(going), cutoff=cutoff, reason=reason),
        decision_count=len(going),
    )
    ledger.append([line])
    found, parameters = bulk.any_of([line.pk for line in going])
    with connection.cursor() as cursor:
        # The guard asks for the span before it lets an entry go.
        bulk.insert(
            cursor,
            PrunedSpan,
            ("first_index", "end_index", "pruned_at"),
            [(first, end, bulk.moment(now)) for first, end in spans],
        )
        bulk.insert(cursor, PrunedEntry, ("entry_id", "index"), [(line.entry_id, _place(line)) for line in going])
        cursor.execute(f'DELETE FROM "{EvidenceEntry._meta.db_table}" WHERE id {found}', parameters)  # noqa: S608


def _check_unchanged(going: Sequence[Line]) -> None:
    """An entry that is not what was signed is evidence of that: it stays, and so does all that comes with it."""
    hashes = dict(
        LedgerLeaf.objects.filter(index__in=[_place(line) for line in going]).values_list("index", "leaf_hash")
    )
    bodies = dict(EvidenceEntry.objects.filter(pk__in=[line.pk for line in going]).values_list("pk", "body"))
    for line in going:
        if merkle.leaf_hash(bodies[line.pk].encode()) != bytes(hashes[_place(line)]):
            detail = f"The entry at place {line.place} is not what was signed: cavra evidence fsck says more."
            raise StateForbids(detail, code="ledger_inconsistent")


def _place(line: Line) -> int:
    """The place of an entry that may go: it has one."""
    if line.place is None:
        raise LookupError("an entry without a place cannot be pruned")
    return line.place
