"""What was pruned: where an entry stood and since when it is gone. Its hash is in the tree for ever."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from rollback_audit.engine import ledger
from rollback_audit.models import EvidenceEntry, PrunedEntry, PrunedSpan
from rollback_audit.states import MetadataKind


class Pruned(NamedTuple):
    """The place of an entry that is gone, and the moment it went."""

    place: int
    pruned_at: datetime


def find(session_ids: Iterable[str]) -> dict[str, Pruned]:
    """Those of these entries that were pruned."""
    places = PrunedEntry.objects.filter(entry_id__in=list(session_ids)).values_list("entry_id", "index")
    return {entry_id: Pruned(place, _pruned_at(place)) for entry_id, place in places}


def told() -> Callable[[int], bool]:
    """Whether lines of the ledger say of a place that it was pruned: what no line says is missing, not pruned."""
    lines = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.LEDGER_PRUNED)
    spans = sorted((first, end) for line in lines for first, end in ledger.read(line)["record"]["spans"])
    firsts = [first for first, _ in spans]

    def is_told(place: int) -> bool:
        found = bisect_right(firsts, place)
        return found > 0 and place < spans[found - 1][1]

    return is_told


def _pruned_at(place: int) -> datetime:
    span = PrunedSpan.objects.filter(first_index__lte=place).order_by("-first_index")[:1].get()
    return span.pruned_at
