"""`cavra evidence fsck`: the whole ledger, computed anew from its entries and held against what is stored and signed.

Reads everything and writes nothing. What it finds is for whoever runs this site; an auditor trusts a bundle instead.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from django.db import connection

from rollback_audit.engine import checkpoint_file, export_scopes, ledger, ledger_keys, pruned, tree
from rollback_audit.engine.actors import Actor
from rollback_audit.evidence import merkle, notes
from rollback_audit.evidence.notes import NotANote
from rollback_audit.models import EvidenceEntry, LedgerCheckpoint, LedgerNode, guards
from rollback_audit.states import LedgerFault, Permission

_AT_ONCE = 1000
# Columns that repeat what the body says, by the body's name.
_REPEATED = {
    "entry_id": "session_id",
    "metadata_kind": "metadata_kind",
    "actor": "signer",
    "source": "connector_delivery_source",
    "provider": "provider",
    "schedule_id": "schedule_id",
    "audit_id": "audit_id",
    "delivery_id": "delivery_id",
    "acknowledgement_state": "acknowledgement_state",
    "delivery_success": "delivery_success",
    "alert_level": "alert_level",
    "cadence": "cadence",
}


class Finding(NamedTuple):
    """A fault, and where: a place in the ledger, a checkpoint's size, or the name of a column or trigger."""

    fault: LedgerFault
    where: str


def check(*, actor: Actor) -> Iterator[Finding]:
    """Everything that is not as it was written, in the order in which it is met."""
    actor.require(Permission.VIEW_EVIDENCE)
    yield from (Finding(LedgerFault.GUARD_MISSING, name) for name in guards.missing(connection))
    yield from _of_tree()
    yield from _of_columns()


def _of_tree() -> Iterator[Finding]:
    """Entries against their leaves, and what grows from those against nodes, checkpoints and the file beside them."""
    # Computed as far as the tree reached at the beginning: what is signed later is for the next look.
    growing, size = merkle.GrowingTree(), tree.size()
    signed = {row.tree_size: row for row in LedgerCheckpoint.objects.all()}
    kept = {(row.level, row.position): bytes(row.node_hash) for row in LedgerNode.objects.iterator()}
    outside = {checkpoint.size: checkpoint for checkpoint in _kept_outside()}
    is_pruned = pruned.told()
    for row in export_scopes.rows(range(size)):
        while growing.size < row.place:
            yield Finding(LedgerFault.LEAF_MISSING, str(growing.size))
            growing.add(bytes(32))
        if row.body is None:
            if not is_pruned(row.place):
                yield Finding(LedgerFault.ENTRY_MISSING, str(row.place))
        elif merkle.leaf_hash(row.body) != row.leaf_hash:
            yield Finding(LedgerFault.ENTRY_CHANGED, str(row.place))
        for subtree, node_hash in growing.add(row.leaf_hash):
            if subtree.level % tree.KEPT_EVERY == 0 and kept.pop(subtree, None) != node_hash:
                yield Finding(LedgerFault.NODE_CHANGED, f"{subtree.level}/{subtree.position}")
        if growing.size in signed:
            yield from _of_checkpoint(signed[growing.size], growing.root())
        if growing.size in outside and outside[growing.size].root != growing.root():
            yield Finding(LedgerFault.FILE_DIFFERS, str(growing.size))
    yield from (Finding(LedgerFault.NODE_CHANGED, f"{level}/{position}") for level, position in kept)
    yield from (Finding(LedgerFault.CHECKPOINT_CHANGED, str(ahead)) for ahead in signed if ahead > size)
    yield from (Finding(LedgerFault.FILE_AHEAD, str(ahead)) for ahead in outside if ahead > size)


def _of_checkpoint(row: LedgerCheckpoint, root: bytes) -> Iterator[Finding]:
    try:
        note = notes.read(row.note)
    except NotANote:
        yield Finding(LedgerFault.CHECKPOINT_CHANGED, str(row.tree_size))
        return
    if not bytes(row.root_hash) == note.checkpoint.root == root or note.checkpoint.size != row.tree_size:
        yield Finding(LedgerFault.CHECKPOINT_CHANGED, str(row.tree_size))
    if not any(note.is_signed_by(found.key) for found in ledger_keys.announced()):
        yield Finding(LedgerFault.CHECKPOINT_UNSIGNED, str(row.tree_size))


def _of_columns() -> Iterator[Finding]:
    """The columns that entries are found by against what their bodies say."""
    rows = EvidenceEntry.objects.order_by("pk").values_list("body", "created_at", *_REPEATED)
    for body, created_at, *columns in rows.iterator(chunk_size=_AT_ONCE):
        said: dict[str, Any] = json.loads(body)
        for (column, name), value in zip(_REPEATED.items(), columns, strict=True):
            if value != (said[name] if column == "delivery_success" else said[name] or ""):
                yield Finding(LedgerFault.COLUMN_CHANGED, f"{said['session_id']} {column}")
        if ledger.jsonable(created_at) != said["created_at"]:
            yield Finding(LedgerFault.COLUMN_CHANGED, f"{said['session_id']} created_at")


def _kept_outside() -> Iterator[notes.Checkpoint]:
    for text in checkpoint_file.every():
        with suppress(NotANote):
            yield notes.read(text).checkpoint
