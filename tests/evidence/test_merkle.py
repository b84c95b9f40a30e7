"""The tree beside RFC 6962 and RFC 9162 word for word, beside another library, and before a million wrong proofs."""

import random
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import pytest
from pymerkle import InmemoryTree
from pymerkle import verify_consistency as verified_elsewhere

from rollback_audit.evidence import merkle
from rollback_audit.evidence.merkle import GrowingTree, Hashes, Subtree

# The entries and roots with which Certificate Transparency's implementations of RFC 6962 are tested; sizes 0 to 8.
PUBLISHED_ENTRIES = [
    bytes.fromhex(entry)
    for entry in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
PUBLISHED_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZE = 256
ENTRIES = [b"entry %d" % index for index in range(SIZE)]
LEAVES = [merkle.leaf_hash(entry) for entry in ENTRIES]


# RFC 9162, 2.1.1, 2.1.3.1 and 2.1.4.1. D[first:end] is what the RFC calls D_n.


def half(first: int, end: int) -> int:
    """first + k, where k is the largest power of two smaller than n."""
    k = 1
    while k * 2 < end - first:
        k *= 2
    return first + k


@cache
def mth(first: int, end: int) -> bytes:
    if end - first == 1:
        return LEAVES[first]
    split = half(first, end)
    return merkle.node_hash(mth(first, split), mth(split, end))


def path(index: int, first: int, end: int) -> list[bytes]:
    if end - first == 1:
        return []
    split = half(first, end)
    if index < split:
        return [*path(index, first, split), mth(split, end)]
    return [*path(index, split, end), mth(first, split)]


def subproof(old: int, first: int, end: int, *, is_known: bool) -> list[bytes]:
    if old == end:
        return [] if is_known else [mth(first, end)]
    split = half(first, end)
    if old <= split:
        return [*subproof(old, first, split, is_known=is_known), mth(split, end)]
    return [*subproof(old, split, end, is_known=False), mth(first, split)]


def of_size(size: int) -> Hashes:
    """The complete subtrees of the first `size` leaves, as GrowingTree found them; it knows no others."""

    def read(subtree: Subtree) -> bytes:
        assert subtree.end <= size
        return GROWN[subtree]

    return read


def grown() -> dict[Subtree, bytes]:
    tree, found = GrowingTree(), {}
    for index, leaf in enumerate(LEAVES):
        found[Subtree(0, index)] = leaf
        found.update(tree.add(leaf))
    return found


GROWN = grown()


@pytest.mark.parametrize("size", range(9))
def test_the_published_roots_come_out(size: int) -> None:
    leaves = [merkle.leaf_hash(entry) for entry in PUBLISHED_ENTRIES[:size]]
    tree, known = GrowingTree(), {}
    for index, leaf in enumerate(leaves):
        known[Subtree(0, index)] = leaf
        known.update(tree.add(leaf))
    assert merkle.root(size, known.__getitem__).hex() == tree.root().hex() == PUBLISHED_ROOTS[size]


def test_roots_are_those_of_the_definition_and_of_another_library() -> None:
    tree, elsewhere = GrowingTree(), InmemoryTree(algorithm="sha256")
    assert tree.root() == merkle.EMPTY_ROOT == elsewhere.get_root(0)
    for size, entry in enumerate(ENTRIES, start=1):
        tree.add(merkle.leaf_hash(entry))
        elsewhere.append_entry(entry)
        assert tree.root() == merkle.root(size, of_size(size)) == mth(0, size) == elsewhere.get_root(size)
        assert merkle.fold([GROWN[peak] for peak in merkle.peaks(size)]) == tree.root()


def test_complete_subtrees_are_what_the_definition_says_of_their_leaves() -> None:
    assert len(GROWN) == 2 * SIZE - 1
    for subtree, found in GROWN.items():
        assert found == mth(subtree.first, subtree.end) == merkle.subtree_root(LEAVES[subtree.first : subtree.end])


def test_every_inclusion_proof_is_that_of_the_definition_and_of_another_library() -> None:
    elsewhere = InmemoryTree(algorithm="sha256")
    elsewhere.append_entries(ENTRIES)
    for size in range(1, SIZE + 1):
        root = mth(0, size)
        for index, leaf in enumerate(LEAVES[:size]):
            proof = merkle.inclusion_proof(index, size, of_size(size))
            assert proof == path(index, 0, size)
            # The other library puts the leaf itself before the path, and counts from one.
            assert [leaf, *proof] == elsewhere.prove_inclusion(index + 1, size).path
            assert merkle.verify_inclusion(index, size, leaf=leaf, proof=proof, expected_root=root)


def test_every_consistency_proof_is_that_of_the_definition() -> None:
    for new in range(1, SIZE + 1):
        for old in range(1, new + 1):
            proof = merkle.consistency_proof(old, new, of_size(new))
            assert proof == subproof(old, 0, new, is_known=True)
            assert merkle.verify_consistency(old, new, old_root=mth(0, old), new_root=mth(0, new), proof=proof)


def test_another_library_finds_the_same_trees_consistent() -> None:
    """Its consistency proofs have a form of their own; what they have for the old tree are the old tree's peaks."""
    elsewhere = InmemoryTree(algorithm="sha256")
    elsewhere.append_entries(ENTRIES)
    for new in range(1, SIZE + 1):
        for old in range(1, new + 1):
            proof = elsewhere.prove_consistency(old, new)
            verified_elsewhere(mth(0, old), mth(0, new), proof)
            chosen = [found for found, is_old in zip(proof.path, proof.subset, strict=True) if is_old]
            assert sorted(chosen) == sorted(GROWN[peak] for peak in merkle.peaks(old)) or old == new


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 1), (1, 1), (7, 7), (9, 7)])
def test_a_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        merkle.inclusion_proof(index, size, of_size(size))
    assert not merkle.verify_inclusion(index, size, leaf=LEAVES[0], proof=[], expected_root=LEAVES[0])


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 1), (-1, 3), (2, 1), (8, 7)])
def test_sizes_that_do_not_rise_have_no_proof(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="sizes must rise"):
        merkle.consistency_proof(old, new, of_size(SIZE))
    assert not merkle.verify_consistency(old, new, old_root=LEAVES[0], new_root=LEAVES[0], proof=[])


# Wrong proofs: a right one, with one thing changed.


class Inclusion(NamedTuple):
    index: int
    size: int
    leaf: bytes
    proof: tuple[bytes, ...]
    expected_root: bytes

    def is_accepted(self) -> bool:
        return merkle.verify_inclusion(
            self.index, self.size, leaf=self.leaf, proof=self.proof, expected_root=self.expected_root
        )


class Consistency(NamedTuple):
    old: int
    new: int
    old_root: bytes
    new_root: bytes
    proof: tuple[bytes, ...]

    def is_accepted(self) -> bool:
        return merkle.verify_consistency(
            self.old, self.new, old_root=self.old_root, new_root=self.new_root, proof=self.proof
        )


def inclusion(chance: random.Random) -> Inclusion:
    size = chance.randint(1, SIZE)
    return _inclusion(chance.randrange(size), size)


@cache
def _inclusion(index: int, size: int) -> Inclusion:
    proof = tuple(merkle.inclusion_proof(index, size, of_size(size)))
    return Inclusion(index, size, LEAVES[index], proof, mth(0, size))


def consistency(chance: random.Random) -> Consistency:
    new = chance.randint(1, SIZE)
    return _consistency(chance.randint(1, new), new)


@cache
def _consistency(old: int, new: int) -> Consistency:
    proof = tuple(merkle.consistency_proof(old, new, of_size(new)))
    return Consistency(old, new, mth(0, old), mth(0, new), proof)


def flipped(value: bytes, chance: random.Random) -> bytes:
    return (int.from_bytes(value, "big") ^ 1 << chance.randrange(len(value) * 8)).to_bytes(len(value), "big")


def other_than(known: int, *, least: int, most: int, chance: random.Random) -> int:
    """Another number of the range. One outside of it where it has no other."""
    found = chance.randint(least, most)
    return found if found != known else known + 1


def put(items: Sequence[bytes], at: int, *put_there: bytes, instead_of: int = 0) -> tuple[bytes, ...]:
    return (*items[:at], *put_there, *items[at + instead_of :])


def bit_of_the_proof(proof: tuple[bytes, ...], chance: random.Random) -> tuple[bytes, ...]:
    at = chance.randrange(len(proof))
    return put(proof, at, flipped(proof[at], chance), instead_of=1)


def hash_dropped(proof: tuple[bytes, ...], chance: random.Random) -> tuple[bytes, ...]:
    return put(proof, chance.randrange(len(proof)), instead_of=1)


def hash_added(proof: tuple[bytes, ...], chance: random.Random) -> tuple[bytes, ...]:
    return put(proof, chance.randint(0, len(proof)), chance.choice(LEAVES))


def hashes_swapped(proof: tuple[bytes, ...], chance: random.Random) -> tuple[bytes, ...]:
    first, second = chance.sample(range(len(proof)), 2)
    swapped = list(proof)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    return tuple(swapped)


# By the least length of a proof that they can be done to.
OF_PROOFS: dict[Callable[[tuple[bytes, ...], random.Random], tuple[bytes, ...]], int] = {
    bit_of_the_proof: 1,
    hash_dropped: 1,
    hash_added: 0,
    hashes_swapped: 2,
}


def _wrong_proof(proof: tuple[bytes, ...], chance: random.Random) -> tuple[bytes, ...]:
    change = chance.choice([change for change, least in OF_PROOFS.items() if len(proof) >= least])
    return change(proof, chance)


def wrong_inclusion(right: Inclusion, chance: random.Random) -> Inclusion:
    kind = chance.choice(("proof", "proof", "index", "size", "leaf", "root"))
    if kind == "proof":
        return right._replace(proof=_wrong_proof(right.proof, chance))
    if kind == "index":
        return right._replace(index=other_than(right.index, least=0, most=right.size - 1, chance=chance))
    if kind == "size":
        # A proof may fit more than one size; it is the root of the size that says which one is meant.
        size = other_than(right.size, least=1, most=SIZE - 1, chance=chance)
        return right._replace(size=size, expected_root=mth(0, size))
    if kind == "leaf":
        return right._replace(leaf=flipped(right.leaf, chance))
    return right._replace(expected_root=flipped(right.expected_root, chance))


def wrong_consistency(right: Consistency, chance: random.Random) -> Consistency:
    kind = chance.choice(("proof", "proof", "old size", "new size", "old root", "new root"))
    if kind == "proof":
        return right._replace(proof=_wrong_proof(right.proof, chance))
    if kind == "old size":
        return right._replace(old=other_than(right.old, least=1, most=right.new, chance=chance))
    if kind == "new size":
        new = other_than(right.new, least=1, most=SIZE - 1, chance=chance)
        return right._replace(new=new, new_root=mth(0, new))
    if kind == "old root":
        return right._replace(old_root=flipped(right.old_root, chance))
    return right._replace(new_root=flipped(right.new_root, chance))


@pytest.mark.parametrize("count", [10_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_no_wrong_proof_is_accepted(count: int) -> None:
    chance = random.Random(6962)
    accepted = []
    for _ in range(count // 2):
        for right, spoil in ((inclusion(chance), wrong_inclusion), (consistency(chance), wrong_consistency)):
            wrong = spoil(right, chance)  # type: ignore[operator]
            assert wrong != right
            if wrong.is_accepted():
                accepted.append((right, wrong))
    assert accepted == []


# Tilings


def roots_of(tiles: Sequence[merkle.Tile]) -> dict[int, bytes]:
    """The root at the end of each tile, from the tiles before it, as an auditor computes them: with a stack."""
    roots, stack = {}, list[tuple[int, bytes]]()
    for subtree, _ in tiles:
        level, found = subtree.level, mth(subtree.first, subtree.end)
        while stack and stack[-1][0] == level:
            found = merkle.node_hash(stack.pop()[1], found)
            level += 1
        stack.append((level, found))
        roots[subtree.end] = merkle.fold([known for _, known in stack])
    return roots


def some(chance: random.Random, numbers: Sequence[int]) -> list[int]:
    return sorted(chance.sample(numbers, chance.randint(0, len(numbers))))


@pytest.mark.parametrize("seed", range(100))
def test_a_tiling_covers_the_tree_shows_what_is_asked_and_gives_the_root_at_every_cut(seed: int) -> None:
    chance = random.Random(seed)
    size = chance.randint(1, SIZE)
    shown = some(chance, range(size))[: chance.randint(0, 40)]
    cuts = [*some(chance, range(1, size))[: chance.randint(0, 20)], size]
    tiles = list(merkle.tiling(size, shown=shown, cuts=cuts))
    assert tiles[0].subtree.first == 0
    assert tiles[-1].subtree.end == size
    assert all(left.subtree.end == right.subtree.first for left, right in pairwise(tiles))
    assert [tile.subtree for tile in tiles if tile.is_shown] == [Subtree(0, index) for index in shown]
    roots = roots_of(tiles)
    assert {cut: roots[cut] for cut in cuts} == {cut: mth(0, cut) for cut in cuts}
    bounds = {0, *cuts, *shown, *(index + 1 for index in shown)}
    for left, right in pairwise(tiles):
        # No two neighbours could be one: the tiles are the largest there are.
        if not left.is_shown and not right.is_shown and left.subtree.end not in bounds:
            assert left.subtree.level != right.subtree.level or left.subtree.position % 2


def test_the_tiling_of_nothing_is_empty() -> None:
    assert list(merkle.tiling(0, shown=[])) == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 200])
def test_a_whole_tiling_is_its_leaves_and_an_empty_one_its_peaks(size: int) -> None:
    whole = merkle.tiling(size, shown=range(size), cuts=[size])
    assert [tile.subtree for tile in whole] == [Subtree(0, index) for index in range(size)]
    assert [tile.subtree for tile in merkle.tiling(size, shown=[])] == merkle.peaks(size)
