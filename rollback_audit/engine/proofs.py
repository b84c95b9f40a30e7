"""What the ledger can prove of itself now: an entry's place, that it only grew, and how far it is signed."""

import base64
from dataclasses import replace

from rollback_audit.engine import checkpoints, ledger, pruned, sequencer, tree
from rollback_audit.engine.actors import Actor
from rollback_audit.errors import InvalidInput, UnknownRecord
from rollback_audit.evidence import merkle
from rollback_audit.models import EvidenceEntry, LedgerCheckpoint, LedgerLeaf
from rollback_audit.records.evidence import (
    CheckpointRecord,
    ConsistencyRecord,
    EntryProofRecord,
    LedgerKeyRecord,
    LedgerStatusRecord,
)
from rollback_audit.states import MetadataKind, Permission


def of_entry(*, actor: Actor, session_id: str) -> EntryProofRecord:
    """An entry's proof against the newest checkpoint. Raises UnknownRecord."""
    actor.require(Permission.VIEW_EVIDENCE)
    proof = _placed(session_id)
    newest = checkpoints.latest()
    if proof.index is None or newest is None or newest.tree_size <= proof.index:
        return proof
    path = merkle.inclusion_proof(proof.index, newest.tree_size, tree.hashes)
    return replace(proof, audit_path=[_base64(found) for found in path], checkpoint=checkpoints.record(newest))


def of_checkpoint(*, actor: Actor, tree_size: int) -> CheckpointRecord:
    """The checkpoint of a size, as it was signed. Raises UnknownRecord."""
    actor.require(Permission.VIEW_EVIDENCE)
    row = LedgerCheckpoint.objects.filter(tree_size=tree_size).first()
    if row is None:
        raise UnknownRecord("No checkpoint was signed at this size.")
    return checkpoints.record(row)


def of_consistency(*, actor: Actor, old_size: int, new_size: int) -> ConsistencyRecord:
    """That the tree of `old_size` entries begins that of `new_size`. Raises InvalidInput for sizes it never had."""
    actor.require(Permission.VIEW_EVIDENCE)
    size = tree.size()
    if not 0 < old_size <= new_size <= size:
        name = "old_size" if not 0 < old_size <= size else "new_size"
        raise InvalidInput({name: [f"Sizes rise from 1 to {size}, the older first."]})
    return ConsistencyRecord(
        old_size=old_size,
        new_size=new_size,
        old_root=_base64(tree.root(old_size)),
        new_root=_base64(tree.root(new_size)),
        proof=[_base64(found) for found in merkle.consistency_proof(old_size, new_size, tree.hashes)],
    )


def status(*, actor: Actor) -> LedgerStatusRecord:
    """How far the ledger is sealed."""
    actor.require(Permission.VIEW_EVIDENCE)
    newest, size = checkpoints.latest(), tree.size()
    entries = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.LEDGER_KEY).order_by("pk")
    return LedgerStatusRecord(
        checkpoint=checkpoints.record(newest) if newest else None,
        keys=[LedgerKeyRecord(**ledger.read(entry)["record"]) for entry in entries],
        tree_size=size,
        unsequenced_count=sequencer.count_unsequenced(),
        unsigned_count=size - (newest.tree_size if newest else 0),
    )


def _placed(session_id: str) -> EntryProofRecord:
    """An entry's place and hash, without its path. Raises UnknownRecord."""
    entry = EvidenceEntry.objects.filter(entry_id=session_id).first()
    if entry is None:
        return _left_of(session_id)
    return EntryProofRecord(
        session_id=session_id,
        leaf_hash=_base64(merkle.leaf_hash(entry.body.encode())),
        index=LedgerLeaf.objects.filter(entry_pk=entry.pk).values_list("index", flat=True).first(),
        audit_path=[],
        checkpoint=None,
    )


def _left_of(session_id: str) -> EntryProofRecord:
    """What is left of a pruned entry."""
    gone = pruned.find([session_id]).get(session_id)
    if gone is None:
        raise UnknownRecord("No entry of the ledger with this id.")
    leaf = LedgerLeaf.objects.get(index=gone.place)
    return EntryProofRecord(
        session_id=session_id,
        leaf_hash=_base64(bytes(leaf.leaf_hash)),
        index=gone.place,
        audit_path=[],
        checkpoint=None,
        pruned_at=gone.pruned_at,
    )


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
