"""Legal holds, and what pruning took."""

from dataclasses import dataclass
from datetime import datetime

from rollback_audit.states import PRODUCT, HoldScope

HOLD_SCHEMA = "cavra.go-backend-pilot.evidence-legal-hold.v1"
PRUNE_SCHEMA = "cavra.go-backend-pilot.evidence-prune.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHoldRecord:
    """A hold as it stands. `subject_id` is the id of the audit, delivery or schedule; null where it holds everything.

    The last three are null while it is in force.
    """

    schema_version: str = HOLD_SCHEMA
    product: str = PRODUCT
    hold_id: str
    scope: HoldScope
    subject_id: str | None
    reason: str
    placed_by: str
    placed_at: datetime
    released_at: datetime | None
    released_by: str | None
    release_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPrunedRecord:
    """One batch of pruned entries: their places as spans [first, end), rising. Their hashes stay in the tree."""

    spans: list[tuple[int, int]]
    pruned_count: int
    cutoff: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedRowsRecord:
    """Rows beside the ledger that nothing needs any more."""

    decision_count: int
    dry_run_result_count: int
    session_count: int
    token_count: int
    idempotent_request_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRecord:
    """What a pruning took or, in a dry run, would take. The last four count lines older than the cutoff that stay.

    `oldest_at` and `newest_at` are those of the pruned lines; null where there is none.
    """

    schema_version: str = PRUNE_SCHEMA
    product: str = PRODUCT
    dry_run: bool
    cutoff: datetime
    pruned_count: int
    oldest_at: datetime | None
    newest_at: datetime | None
    held_count: int
    open_count: int
    unsigned_count: int
    for_ever_count: int
    rows: PrunedRowsRecord
