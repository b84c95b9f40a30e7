"""The ledger's own records: its keys and its checkpoints."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerKeyRecord:
    """A key that signs checkpoints from its entry's place on. `replaces` is the id of the key before it, if any."""

    key_id: str
    vkey: str
    replaces: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRecord:
    """A signed checkpoint: `root_hash` in base64, `note` as it was signed."""

    origin: str
    tree_size: int
    root_hash: str
    note: str
    signed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryProofRecord:
    """An entry's place in the tree and the audit path to a checkpoint's root (RFC 9162, 2.1.3), hashes in base64.

    `index` is None until the sequencer has given it a place, `checkpoint` until one covers that place. A pruned entry's
    bytes are gone, and its proof stays: `pruned_at` says since when, and is None otherwise.
    """

    session_id: str
    leaf_hash: str
    index: int | None
    audit_path: list[str]
    checkpoint: CheckpointRecord | None
    pruned_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyRecord:
    """The proof that the tree of `old_size` entries begins that of `new_size` (RFC 9162, 2.1.4), hashes in base64."""

    old_size: int
    new_size: int
    old_root: str
    new_root: str
    proof: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerStatusRecord:
    """How far the ledger is sealed. `unsequenced_count` counts entries without a place, `unsigned_count` those with a
    place that no checkpoint covers yet.
    """

    checkpoint: CheckpointRecord | None
    keys: list[LedgerKeyRecord]
    tree_size: int
    unsequenced_count: int
    unsigned_count: int
