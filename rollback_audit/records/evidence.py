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
