"""How many lines of the ledger match, without counting millions again and again.

Lines are never changed and only pruned, which leaves a line of its own. So what was counted once stays counted until
the next pruning, and only what came since is counted anew.
But an id is handed out before its transaction commits: a line below the newest one may still appear. So a count is kept
only up to a line that is older than any transaction of ours lasts.
"""

import threading
import time
from collections import OrderedDict
from datetime import timedelta
from typing import NamedTuple

from django.db.models import QuerySet

from rollback_audit.engine import clock
from rollback_audit.models import EvidenceEntry
from rollback_audit.states import MetadataKind

# Twice the longest transaction: a line's moment is that of its transaction's beginning.
SETTLED_AFTER = timedelta(minutes=30)
FRESH_SECONDS = 60.0
_MOST_KEPT = 256


class _Kept(NamedTuple):
    """`total` lines match up to the id `settled`, as was found at `at` (time.monotonic) after the pruning `pruning`."""

    settled: int
    total: int
    at: float
    pruning: int = 0


_kept: OrderedDict[object, _Kept] = OrderedDict()
_lock = threading.Lock()


def of_ledger(queryset: QuerySet[EvidenceEntry]) -> int:
    """The number of lines in `queryset`, now."""
    queryset = queryset.order_by()
    name = queryset.query.sql_with_params()
    pruning = _newest_pruning()
    nothing = _Kept(0, 0, -FRESH_SECONDS, pruning)
    with _lock:
        kept = _kept.get(name, nothing)
    if kept.pruning != pruning:
        kept = nothing
    if time.monotonic() - kept.at >= FRESH_SECONDS:
        kept = _moved_on(kept, queryset)
        with _lock:
            _kept[name] = kept
            _kept.move_to_end(name)
            while len(_kept) > _MOST_KEPT:
                _kept.popitem(last=False)
    return kept.total + queryset.filter(id__gt=kept.settled).count()


def _moved_on(kept: _Kept, queryset: QuerySet[EvidenceEntry]) -> _Kept:
    settled = _settled_id()
    if settled < kept.settled:
        # Another database than before: a backup was put back.
        kept = _Kept(0, 0, 0.0, kept.pruning)
    came = queryset.filter(id__gt=kept.settled, id__lte=settled).count()
    return _Kept(settled, kept.total + came, time.monotonic(), kept.pruning)


def _newest_pruning() -> int:
    """The id of the newest line about a pruning: written in the transaction of the deletion."""
    prunings = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.LEDGER_PRUNED).order_by("-id")
    return prunings.values_list("id", flat=True).first() or 0


def _settled_id() -> int:
    """The id below which no line can appear any more. Found by halving, since ids and moments rise together."""
    horizon = clock.now() - SETTLED_AFTER
    lines = EvidenceEntry.objects.order_by("id").values_list("created_at", flat=True)
    low, high = 0, EvidenceEntry.objects.order_by("-id").values_list("id", flat=True).first() or 0
    while low < high:
        middle = (low + high + 1) // 2
        created_at = lines.filter(id__gte=middle).first()
        if created_at is not None and created_at < horizon:
            low = middle
        else:
            high = middle - 1
    return low
