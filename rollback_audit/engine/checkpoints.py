"""Signed checkpoints: what the ledger's root was at a size, proven to continue the one before it.

The key lives in a file (`CAVRA_LEDGER_KEY_FILE`) that only workers and whoever sits at the terminal read. Each note
also goes to a file outside the database (`CAVRA_CHECKPOINT_FILE`): a database that was put back to an older copy does
not continue what is written there, and is not signed.
"""

import base64
from datetime import timedelta

from django.db import transaction

from rollback_audit.engine import bulk, checkpoint_file, clock, ledger_keys, sequencer, tree
from rollback_audit.errors import StateForbids, UnknownRecord
from rollback_audit.evidence import merkle, notes
from rollback_audit.evidence.notes import Checkpoint, NotANote
from rollback_audit.models import LedgerCheckpoint
from rollback_audit.records.evidence import CheckpointRecord

LEAST_APART = timedelta(seconds=1)


def latest() -> LedgerCheckpoint | None:
    """The newest checkpoint; None before the first."""
    return LedgerCheckpoint.objects.order_by("-tree_size").first()


def record(row: LedgerCheckpoint) -> CheckpointRecord:
    return CheckpointRecord(
        origin=notes.read(row.note).checkpoint.origin,
        tree_size=row.tree_size,
        root_hash=base64.b64encode(row.root_hash).decode(),
        note=row.note,
        signed_at=row.signed_at,
    )


def sign_if_due() -> LedgerCheckpoint | None:
    """Sign what is new since the newest checkpoint, unless that is less than a second old."""
    newest = latest()
    # Most of the time there is nothing to sign, and nobody has to wait for that.
    if newest and (clock.now() - newest.signed_at < LEAST_APART or newest.tree_size == tree.size()):
        return None
    return sign()


def sign() -> LedgerCheckpoint | None:
    """Sign the tree as it is. None where that is signed already, or a key's announcement has no place yet.

    Raises StateForbids: ledger_key_missing, ledger_key_unknown (another key signs this ledger), ledger_rolled_back
    (what was signed is ahead of it), ledger_inconsistent (it does not continue what was signed).
    """
    with transaction.atomic():
        # One after the other: a slower signer would take what a faster one has signed meanwhile for a newer database.
        bulk.take_turns(LedgerCheckpoint)
        newest, size = latest(), tree.size()
        since = newest.tree_size if newest else 0
        keys = ledger_keys.signers(since=since, size=size) if size != since else []
        if not keys:
            return None
        checkpoint = Checkpoint(keys[0].name, size, tree.root(size))
        kept = checkpoint_file.newest()
        for note in (newest.note if newest else None, kept):
            if note is not None:
                _prove_continues(note, checkpoint)
        signed = notes.sign(checkpoint, keys)
        if signed != kept:
            checkpoint_file.append(signed)
        return LedgerCheckpoint.objects.create(
            tree_size=size, root_hash=checkpoint.root, note=signed, signed_at=clock.now()
        )


def sign_everything() -> LedgerCheckpoint:
    """Give every entry its place and sign the tree: the newest checkpoint.

    Raises UnknownRecord for an empty ledger, StateForbids as `sign` does.
    """
    sequencer.sequence_all()
    if sign() is None:
        # The first key has just been announced.
        sequencer.sequence_all()
        sign()
    newest = latest()
    if newest is None:
        raise UnknownRecord("The ledger is empty: there is nothing to sign yet.")
    return newest


def _prove_continues(note: str, checkpoint: Checkpoint) -> None:
    """Raise StateForbids unless the tree begins with what the note says."""
    old = _trusted(note, origin=checkpoint.origin)
    if old.size > checkpoint.size:
        detail = f"{old.size} entries were signed, {checkpoint.size} are here: this is an older copy of the database."
        raise StateForbids(detail, code="ledger_rolled_back")
    proof = merkle.consistency_proof(old.size, checkpoint.size, tree.hashes)
    if not merkle.verify_consistency(
        old.size, checkpoint.size, old_root=old.root, new_root=checkpoint.root, proof=proof
    ):
        detail = f"The first {old.size} entries are not those that were signed: cavra evidence fsck says where."
        raise StateForbids(detail, code="ledger_inconsistent")


def _trusted(note: str, *, origin: str) -> Checkpoint:
    try:
        read = notes.read(note)
    except NotANote:
        read = None
    if read is None or read.checkpoint.origin != origin:
        raise StateForbids("The checkpoint file is not this ledger's.", code="ledger_inconsistent")
    if not any(read.is_signed_by(found.key) for found in ledger_keys.announced()):
        raise StateForbids("The newest checkpoint is not signed by a key of this ledger.", code="ledger_inconsistent")
    return read.checkpoint
