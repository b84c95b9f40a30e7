"""What of the ledger may be pruned. First match wins:

| facts | kept as |
|---|---|
| the ledger's keys, prunings and holds | for_ever |
| written after the cutoff | young |
| no place yet, or no checkpoint over it | unsigned |
| under a legal hold | held |
| of a package with an open delivery, or of what governs one | open |
| a test or a word since the oldest open outage, or any line since the oldest unfinished run | open |
| otherwise | nothing: it may go |
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from rollback_audit.states import KEPT_FOR_EVER, MetadataKind

# The executive report and the report of recoveries look back this far at most.
LEAST_DAYS = 30
MOST_DAYS = 36_500

_OF_RECOVERIES = frozenset(
    {MetadataKind.CONNECTOR_TESTED, MetadataKind.RECOVERY_PLAYBOOK, MetadataKind.RECOVERY_CLOSURE}
)


class Kept(StrEnum):
    """Why an entry stays. Never stored."""

    FOR_EVER = "for_ever"
    YOUNG = "young"
    UNSIGNED = "unsigned"
    HELD = "held"
    OPEN = "open"


class EntryFacts(NamedTuple):
    """`is_open`: it is of a package with an open delivery, or names the plan, approval or run that governs one."""

    kind: MetadataKind
    created_at: datetime
    is_signed: bool
    is_held: bool
    is_open: bool


class Horizon(NamedTuple):
    """What is written before `cutoff` may go. The other two are None where no run is unfinished, no outage open."""

    cutoff: datetime
    unfinished_since: datetime | None = None
    outage_since: datetime | None = None


def why_kept(facts: EntryFacts, horizon: Horizon) -> Kept | None:
    """Why an entry stays; None where it may go."""
    if facts.kind in KEPT_FOR_EVER:
        return Kept.FOR_EVER
    if facts.created_at >= horizon.cutoff:
        return Kept.YOUNG
    if not facts.is_signed:
        return Kept.UNSIGNED
    if facts.is_held:
        return Kept.HELD
    return Kept.OPEN if facts.is_open or _is_in_use(facts, horizon) else None


def _is_in_use(facts: EntryFacts, horizon: Horizon) -> bool:
    if horizon.unfinished_since is not None and facts.created_at >= horizon.unfinished_since:
        return True
    is_proof = facts.kind in _OF_RECOVERIES and horizon.outage_since is not None
    return is_proof and horizon.outage_since is not None and facts.created_at >= horizon.outage_since


def spans(places: Sequence[int]) -> list[tuple[int, int]]:
    """Rising places as spans [first, end) without gaps."""
    found: list[tuple[int, int]] = []
    for place in places:
        if found and found[-1][1] == place:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return found
