"""The tree over the ledger as the database holds it: leaves, and the nodes of every eighth level above them.

Rows are only ever added. What lies between the kept levels is computed when it is asked for, from at most 128 hashes.
"""

from collections.abc import Sequence
from functools import lru_cache

from django.db import connection
from django.db.models import Max

from rollback_audit.engine import bulk
from rollback_audit.evidence import merkle
from rollback_audit.evidence.merkle import Subtree
from rollback_audit.models import LedgerLeaf, LedgerNode

KEPT_EVERY = 8
_BLOCK = 1 << KEPT_EVERY

Leaf = tuple[int, bytes]


def size() -> int:
    """How many entries have a place."""
    newest = LedgerLeaf.objects.aggregate(newest=Max("index"))["newest"]
    return 0 if newest is None else int(newest) + 1


def hashes(subtree: Subtree) -> bytes:
    """The hash of a complete subtree. Raises LookupError where the tree does not hold all of it."""
    level = subtree.level - subtree.level % KEPT_EVERY
    count = 1 << (subtree.level - level)
    found = _kept(level, first=subtree.position * count, count=count)
    if len(found) != count:
        raise LookupError("the tree does not hold this subtree")
    return merkle.subtree_root(found)


def reader() -> merkle.Hashes:
    """The hashes for whoever asks for many, from the left to the right: blocks of a kept level are read once."""
    block = lru_cache(maxsize=64)(_block)

    def read(subtree: Subtree) -> bytes:
        kept = subtree.level - subtree.level % KEPT_EVERY
        count = 1 << (subtree.level - kept)
        number, offset = divmod(subtree.position * count, _BLOCK)
        found = block(kept, number)[offset : offset + count]
        if len(found) != count:
            raise LookupError("the tree does not hold this subtree")
        return merkle.subtree_root(found)

    return read


def root(tree_size: int) -> bytes:
    """The root of the tree's first `tree_size` leaves."""
    return merkle.root(tree_size, hashes)


def append(first: int, leaves: Sequence[Leaf]) -> None:
    """Give entries (primary key, leaf hash) the places from `first` on, inside the caller's transaction.

    The database takes each place and each entry only once.
    """
    with connection.cursor() as cursor:
        bulk.insert(
            cursor,
            LedgerLeaf,
            ("index", "entry_pk", "leaf_hash"),
            [(first + offset, entry_pk, leaf_hash) for offset, (entry_pk, leaf_hash) in enumerate(leaves)],
        )
        nodes = _completed(first, [leaf_hash for _, leaf_hash in leaves])
        bulk.insert(cursor, LedgerNode, ("level", "position", "node_hash"), nodes)


def _completed(start: int, fresh: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
    """The kept nodes (level, position, hash) that become complete when `fresh` hashes are added from `start` on."""
    nodes: list[tuple[int, int, bytes]] = []
    level = 0
    while fresh:
        begun = start - start % _BLOCK
        below = [*_kept(level, first=begun, count=start - begun), *fresh]
        level += KEPT_EVERY
        start = begun // _BLOCK
        fresh = [merkle.subtree_root(below[at : at + _BLOCK]) for at in range(0, len(below) - _BLOCK + 1, _BLOCK)]
        nodes += [(level, start + offset, node_hash) for offset, node_hash in enumerate(fresh)]
    return nodes


def _block(level: int, number: int) -> list[bytes]:
    return _kept(level, first=number * _BLOCK, count=_BLOCK)


def _kept(level: int, *, first: int, count: int) -> list[bytes]:
    """Hashes of a kept level, from the left."""
    if level == 0:
        leaves = LedgerLeaf.objects.filter(index__gte=first, index__lt=first + count).order_by("index")
        return [bytes(found) for found in leaves.values_list("leaf_hash", flat=True)]
    nodes = LedgerNode.objects.filter(level=level, position__gte=first, position__lt=first + count)
    return [bytes(found) for found in nodes.order_by("position").values_list("node_hash", flat=True)]
