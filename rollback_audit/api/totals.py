"""How many lines of the ledger match, without counting millions again and again.

Lines are never changed or deleted, so what was counted once stays counted, and only what came since is counted anew.
But an id is handed out before its transaction commits: a line below the newest one may still appear. So a count is kept
only up to an id that was the newest longer ago than any transaction of ours lasts.
"""

import threading
import time
from collections import OrderedDict
from typing import NamedTuple

from django.db.models import Max, QuerySet

from rollback_audit.models import EvidenceEntry

LONGEST_TRANSACTION_SECONDS = 15 * 60
_MOST_KEPT = 256


class _Kept(NamedTuple):
    """`total` lines match up to the id `settled`; `seen` was the newest id at `seen_at` (time.monotonic)."""

    settled: int
    total: int
    seen: int
    seen_at: float


_kept: OrderedDict[object, _Kept] = OrderedDict()
_lock = threading.Lock()


def of_ledger(queryset: QuerySet[EvidenceEntry]) -> int:
    """The number of lines in `queryset`, now."""
    name = queryset.order_by().query.sql_with_params()
    with _lock:
        kept = _kept.get(name)
    newest = EvidenceEntry.objects.aggregate(newest=Max("id"))["newest"] or 0
    if kept is None or newest < kept.seen:
        # Nothing is known of it yet, or the database is another one: a backup was put back.
        kept = _Kept(0, 0, newest, time.monotonic())
    elif time.monotonic() - kept.seen_at > LONGEST_TRANSACTION_SECONDS:
        count = queryset.filter(id__gt=kept.settled, id__lte=kept.seen).count()
        kept = _Kept(kept.seen, kept.total + count, newest, time.monotonic())
    with _lock:
        _kept[name] = kept
        _kept.move_to_end(name)
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return kept.total + queryset.filter(id__gt=kept.settled).count()
