"""Nothing in a bundle can be changed, dropped, added or moved without the verifier naming the first bad index.

Sixteen kinds of tampering over ledgers of several sizes, each at up to twenty places. Where a careful forger
computes hashes and numbers anew, only a root differs, and the range that it covers is named.
"""

import base64
import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from rollback_audit.evidence.verify_evidence import Report
from tests.evidence.agreement import verify
from tests.evidence.bundles import KEY, Parts, Signer, build, entry_line, leaf, node_line, note
from tests.evidence.stories import many

SIZES = (1, 2, 3, 7, 8, 1000)
FORGER = Signer(b"forger")


@cache
def clean(size: int) -> Parts:
    """A whole ledger with a checkpoint half way, and one at its end."""
    return build(many(size), sizes=[size // 2] if size > 1 else [])


def entry_of(line: bytes) -> bytes:
    return line.rstrip(b"\n").split(b" ", 3)[3]


def altered(entry: bytes) -> bytes:
    return entry.replace(b'"product":"CAVRA"', b'"product":"CAVRB"')


def replaced(parts: Parts, at: int, *lines: bytes) -> Parts:
    return parts._replace(lines=[*parts.lines[:at], *lines, *parts.lines[at + 1 :]])


def renumbered(lines: list[bytes]) -> list[bytes]:
    return [entry_line(index, entry_of(line)) for index, line in enumerate(lines)]


def flip_a_bit(parts: Parts, at: int) -> Parts:
    line = parts.lines[at]
    return replaced(parts, at, line[:-5] + bytes([line[-5] ^ 4]) + line[-4:])


def change_a_word(parts: Parts, at: int) -> Parts:
    return replaced(parts, at, parts.lines[at].replace(b"CAVRA", b"CAVRB"))


def change_a_word_and_its_hash(parts: Parts, at: int) -> Parts:
    return replaced(parts, at, entry_line(at, altered(entry_of(parts.lines[at]))))


def change_a_hash(parts: Parts, at: int) -> Parts:
    word, index, _, entry = parts.lines[at].split(b" ", 3)
    return replaced(parts, at, b" ".join([word, index, base64.b64encode(bytes(32)), entry]))


def cut_an_entry_short(parts: Parts, at: int) -> Parts:
    return replaced(parts, at, parts.lines[at][:-40] + b"\n")


def drop(parts: Parts, at: int) -> Parts:
    return replaced(parts, at)


def drop_and_renumber(parts: Parts, at: int) -> Parts:
    return parts._replace(lines=renumbered([*parts.lines[:at], *parts.lines[at + 1 :]]))


def drop_the_rest(parts: Parts, at: int) -> Parts:
    return parts._replace(lines=parts.lines[:at])


def repeat(parts: Parts, at: int) -> Parts:
    return replaced(parts, at, parts.lines[at], parts.lines[at])


def insert_and_renumber(parts: Parts, at: int) -> Parts:
    lines = [*parts.lines[:at], entry_line(at, altered(entry_of(parts.lines[at]))), *parts.lines[at:]]
    return parts._replace(lines=renumbered(lines))


def swap(parts: Parts, at: int) -> Parts:
    lines = list(parts.lines)
    other = (at + 1) % len(lines)
    lines[at], lines[other] = lines[other], lines[at]
    return parts._replace(lines=lines)


def swap_and_renumber(parts: Parts, at: int) -> Parts:
    return parts._replace(lines=renumbered(swap(parts, at).lines))


def copy_over_another(parts: Parts, at: int) -> Parts:
    return replaced(parts, at, entry_line(at, entry_of(parts.lines[(at + 1) % len(parts.lines)])))


def hide_behind_a_node(parts: Parts, at: int) -> Parts:
    leaves = [leaf(entry_of(line)) for line in parts.lines]
    leaves[at] = bytes(32)
    return replaced(parts, at, node_line(at, 0, leaves))


def number_wrongly(parts: Parts, at: int) -> Parts:
    return replaced(parts, at, parts.lines[at].replace(b"entry %d " % at, b"entry %d " % (at + 1), 1))


def break_a_line(parts: Parts, at: int) -> Parts:
    return replaced(parts, at, parts.lines[at].replace(b",", b",\n", 1))


def here(at: int, size: int) -> range:
    return range(at, at + 1)


def behind(at: int, size: int) -> range:
    return range(at + 1, at + 2)


def between_checkpoints(at: int, size: int) -> range:
    """What lies between the last checkpoint that fits and the first that does not."""
    half = size // 2
    return range(half) if at < half else range(half, size)


def there_or_at_the_end(at: int, size: int) -> range:
    """One entry too few: the last checkpoint cannot be compared, and the last entry is missed."""
    return between_checkpoints(at, size) if at < size // 2 else here(size - 1, size)


def earlier_of_two(at: int, size: int) -> int:
    return 0 if at == size - 1 else at


class Kind(NamedTuple):
    """A kind of tampering: what it does, and the indices that the first finding has to name."""

    change: Callable[[Parts, int], Parts]
    first_bad: Callable[[int, int], range]
    least: int = 1


KINDS = {
    "flip a bit": Kind(flip_a_bit, here),
    "change a word": Kind(change_a_word, here),
    "change a word and its hash": Kind(change_a_word_and_its_hash, between_checkpoints),
    "change a hash": Kind(change_a_hash, here),
    "cut an entry short": Kind(cut_an_entry_short, here),
    "drop an entry": Kind(drop, here),
    "drop an entry and number the rest anew": Kind(drop_and_renumber, there_or_at_the_end),
    "drop the rest": Kind(drop_the_rest, here),
    "repeat an entry": Kind(repeat, behind),
    "insert an entry and number the rest anew": Kind(insert_and_renumber, between_checkpoints),
    "swap two entries": Kind(swap, lambda at, size: here(earlier_of_two(at, size), size), least=2),
    "swap two entries and number them anew": Kind(
        swap_and_renumber, lambda at, size: between_checkpoints(earlier_of_two(at, size), size), least=2
    ),
    "copy one entry over another": Kind(copy_over_another, between_checkpoints, least=2),
    "hide an entry behind a made-up node": Kind(hide_behind_a_node, between_checkpoints),
    "number an entry wrongly": Kind(number_wrongly, here),
    "break a line in two": Kind(break_a_line, here),
}


def places(size: int) -> list[int]:
    draw = random.Random(size)
    return sorted({0, size - 1, size // 2, *draw.sample(range(size), min(size, 17))})


def named(report: Report) -> range:
    """The indices that the first finding names."""
    finding = report.findings[0]
    found = re.match(r"tampered: (?:from index (\d+) to (\d+)|index (\d+)):", finding)
    assert found, finding
    return range(int(found[1]), int(found[2]) + 1) if found[1] else range(int(found[3]), int(found[3]) + 1)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_change_of_the_ledger_is_found_and_its_first_bad_index_named(
    tmp_path: Path, kind: str, size: int
) -> None:
    change, first_bad, least = KINDS[kind]
    before = clean(size)
    for at in places(size) if size >= least else []:
        after = change(before, at)
        assert after.lines != before.lines
        report = verify(after.pack(tmp_path / "bundle.zip"), keys=[KEY.vkey])
        assert report.exit_code == 1, (at, report)
        assert named(report) == first_bad(at, size), (at, report.findings)


def test_only_the_range_between_two_checkpoints_is_suspected(tmp_path: Path) -> None:
    parts = build(many(100), sizes=[25, 50, 75])
    after = change_a_word_and_its_hash(parts, 60)
    report = verify(after.pack(tmp_path / "bundle.zip"))
    assert report.findings == ["tampered: from index 50 to 74: not what was signed"]


def test_each_entry_that_was_changed_is_named(tmp_path: Path) -> None:
    after = change_a_word(change_a_word(clean(8), 2), 5)
    report = verify(after.pack(tmp_path / "bundle.zip"))
    assert [line.split(":")[1] for line in report.findings] == [" index 2", " index 5"]


def test_what_entries_say_is_not_judged_once_they_are_not_what_was_signed(tmp_path: Path) -> None:
    report = verify(drop(clean(8), 1).pack(tmp_path / "bundle.zip"))
    assert len(report.findings) == 1
    assert any("not judged" in line for line in report.remarks)


def resized(parts: Parts) -> Parts:
    return parts._replace(notes=[parts.notes[0].replace("\n4\n", "\n5\n"), parts.notes[1]])


def without_last_signature(parts: Parts) -> Parts:
    return parts._replace(notes=[parts.notes[0], parts.notes[1].rpartition("\u2014")[0]])


def signature_of_another_note(parts: Parts) -> Parts:
    text, line = parts.notes[1].split("\n\n")[0], parts.notes[0].split("\n\n")[1]
    return parts._replace(notes=[parts.notes[0], f"{text}\n\n{line}"])


def signed_by_a_forger(parts: Parts) -> Parts:
    leaves = [leaf(entry_of(line)) for line in parts.lines]
    return parts._replace(notes=[parts.notes[0], note(leaves, FORGER)], keys=[KEY.vkey, FORGER.vkey])


AROUND: dict[str, Callable[[Parts], Parts]] = {
    "a checkpoint's size": resized,
    "a checkpoint's signature": without_last_signature,
    "another checkpoint's signature": signature_of_another_note,
    "a forger's checkpoint": signed_by_a_forger,
    "checkpoints in falling order": lambda parts: parts._replace(notes=parts.notes[::-1]),
    "the last checkpoint left out": lambda parts: parts._replace(notes=parts.notes[:1]),
    "no checkpoint": lambda parts: parts._replace(notes=[]),
    "no key": lambda parts: parts._replace(keys=[]),
    "a forger's key alone": lambda parts: parts._replace(keys=[FORGER.vkey]),
    "a key whose id does not fit": lambda parts: parts._replace(keys=[KEY.vkey.replace(KEY.key_id.hex(), "00000000")]),
    "another origin": lambda parts: parts._replace(claims=parts.claims | {"origin": "another"}),
    "another size": lambda parts: parts._replace(claims=parts.claims | {"tree_size": 7}),
    "another count": lambda parts: parts._replace(claims=parts.claims | {"entry_count": 7}),
}


@pytest.mark.parametrize("what", AROUND)
def test_what_is_around_the_ledger_cannot_be_changed_either(tmp_path: Path, what: str) -> None:
    assert verify(clean(8).pack(tmp_path / "clean.zip")).exit_code == 0
    report = verify(AROUND[what](clean(8)).pack(tmp_path / "bundle.zip"))
    assert (report.exit_code, len(report.findings)) == (1, 1), report


def test_a_second_signature_by_a_known_key_has_to_fit(tmp_path: Path) -> None:
    parts = clean(8)
    spoiled = parts.notes[1] + FORGER.line("another text")
    known = parts._replace(notes=[parts.notes[0], spoiled], keys=[KEY.vkey, FORGER.vkey])
    assert verify(known.pack(tmp_path / "known.zip")).exit_code == 1
    unknown = known._replace(keys=[KEY.vkey])
    assert verify(unknown.pack(tmp_path / "unknown.zip")).exit_code == 0
