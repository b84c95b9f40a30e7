"""The Merkle tree over the ledger (RFC 9162, section 2.1): roots, proofs, and how a bundle is tiled.

A tree is asked for through `Hashes`, which gives the hash of a complete subtree: wherever it comes from, only a few are
needed. Sizes and indices are whole numbers; hashes are 32 bytes (SHA-256).
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import chain
from typing import NamedTuple, Protocol

EMPTY_ROOT = hashlib.sha256().digest()


class Subtree(NamedTuple):
    """The complete subtree over 2^level leaves that begins at leaf `position` x 2^level."""

    level: int
    position: int

    @property
    def first(self) -> int:
        return self.position << self.level

    @property
    def end(self) -> int:
        """The first leaf after it."""
        return (self.position + 1) << self.level


class Hashes(Protocol):
    """Where the hashes of complete subtrees come from."""

    def __call__(self, subtree: Subtree, /) -> bytes: ...


class GrowingTree:
    """A tree that is built leaf by leaf and remembers its peaks only."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> list[tuple[Subtree, bytes]]:
        """Put a leaf's hash at the end: the subtrees above it that it completes, from the lowest."""
        completed = []
        level, found = 0, leaf
        while self._peaks and self._peaks[-1][0] == level:
            found = node_hash(self._peaks.pop()[1], found)
            level += 1
            completed.append((Subtree(level, self.size >> level), found))
        self._peaks.append((level, found))
        self.size += 1
        return completed

    def root(self) -> bytes:
        return fold([found for _, found in self._peaks])


class Tile(NamedTuple):
    """A piece of a tiling: a subtree, and whether it is a leaf that is to be shown whole."""

    subtree: Subtree
    is_shown: bool


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def peaks(size: int) -> list[Subtree]:
    """The fewest complete subtrees that make up a tree of `size` leaves, from the left."""
    return list(_cover(0, size))


def root(size: int, hashes: Hashes) -> bytes:
    """The tree's head (MTH)."""
    return _range_hash(0, size, hashes) if size else EMPTY_ROOT


def fold(subtrees: Sequence[bytes]) -> bytes:
    """The head of the tree whose peaks have these hashes, from the left."""
    return reduce(lambda right, left: node_hash(left, right), reversed(subtrees)) if subtrees else EMPTY_ROOT


def parents(children: Sequence[bytes]) -> list[bytes]:
    """The hashes one level up, of complete pairs only."""
    return [node_hash(left, right) for left, right in zip(children[::2], children[1::2], strict=False)]


def subtree_root(leaves: Sequence[bytes]) -> bytes:
    """The hash of a complete subtree, from the hashes of one of its levels."""
    while len(leaves) > 1:
        leaves = parents(leaves)
    return leaves[0]


def inclusion_proof(index: int, size: int, hashes: Hashes) -> list[bytes]:
    """The audit path of leaf `index` in a tree of `size` leaves (2.1.3.1). Raises ValueError outside of it."""
    if not 0 <= index < size:
        raise ValueError("no such leaf in a tree of this size")
    path: list[bytes] = []
    first, end = 0, size
    while end - first > 1:
        split = first + _split(end - first)
        if index < split:
            path.append(_range_hash(split, end, hashes))
            end = split
        else:
            path.append(_range_hash(first, split, hashes))
            first = split
    path.reverse()
    return path


def consistency_proof(old: int, new: int, hashes: Hashes) -> list[bytes]:
    """The proof that the tree of `old` leaves begins that of `new` (2.1.4.1). ValueError unless 0 < old <= new."""
    if not 0 < old <= new:
        raise ValueError("sizes must rise from 1")
    proof: list[bytes] = []
    first, end, is_whole = 0, new, True
    while old != end:
        split = first + _split(end - first)
        if old <= split:
            proof.append(_range_hash(split, end, hashes))
            end = split
        else:
            proof.append(_range_hash(first, split, hashes))
            first, is_whole = split, False
    if not is_whole:
        proof.append(_range_hash(first, end, hashes))
    proof.reverse()
    return proof


def verify_inclusion(index: int, size: int, *, leaf: bytes, proof: Sequence[bytes], expected_root: bytes) -> bool:
    """Whether the audit path leads from the leaf to the root (2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, found = index, size - 1, leaf
    for sibling in proof:
        if not last:
            return False
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and found == expected_root


def verify_consistency(old: int, new: int, *, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof leads to both roots (2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old_found = new_found = path[0]
    for sibling in path[1:]:
        if not last:
            return False
        if node & 1 or node == last:
            old_found, new_found = node_hash(sibling, old_found), node_hash(sibling, new_found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new_found = node_hash(new_found, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old_found == old_root and new_found == new_root


def tiling(size: int, *, shown: Iterable[int], cuts: Iterable[int] = ()) -> Iterator[Tile]:
    """Cover the tree without gap or overlap: the `shown` leaves (rising), and the largest subtrees between them.

    No tile reaches over one of the `cuts` (sizes, rising), so that the root of the tree of each of these sizes can be
    had from the tiles before it.
    """
    boundaries = iter(cuts)
    cut = next(boundaries, size)
    done = 0
    for index in chain(shown, [size]):
        while done < index:
            while cut <= done:
                cut = next(boundaries, size)
            for subtree in _cover(done, min(index, cut)):
                yield Tile(subtree, is_shown=False)
            done = min(index, cut)
        if index < size:
            yield Tile(Subtree(0, index), is_shown=True)
            done = index + 1


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def _cover(first: int, end: int) -> Iterator[Subtree]:
    """The fewest complete subtrees over the leaves from `first` to `end`, from the left."""
    while first < end:
        aligned = (first & -first).bit_length() - 1 if first else (end - first).bit_length()
        level = min(aligned, (end - first).bit_length() - 1)
        yield Subtree(level, first >> level)
        first += 1 << level


def _range_hash(first: int, end: int, hashes: Hashes) -> bytes:
    """The head over the leaves of a subtree of the RFC's recursion, complete or not."""
    return fold([hashes(subtree) for subtree in _cover(first, end)])
