"""A verifier written from the document alone and the one that comes with the project say the same.

Other tests of this folder ask both through `agreement`; here are the shapes that no other test has a reason for.
"""

import random
from pathlib import Path

import pytest

from rollback_audit.states import MetadataKind, Outcome
from tests.evidence.agreement import verify
from tests.evidence.bundles import KEY, Signer, build, leaf, note
from tests.evidence.stories import (
    APPROVAL,
    LIVE,
    RUN,
    approval,
    attempt,
    execution,
    ledger_key,
    loop,
    many,
    queued,
    receipt,
    retry_plan,
    row,
    sending,
    settled,
)

SCOPES: list[dict[str, str]] = [{}, {"run_id": RUN}, {"delivery_id": "gordackdelivery-1"}, {"session_id": "one"}]
AGAIN = LIVE | {"number": 3}


def strangers() -> list[bytes]:
    """Lines that do not belong into the story, each wrong somewhere in it."""
    return [
        sending(delivery=2),
        settled(Outcome.UNKNOWN, delivery=2),
        settled(Outcome.CONFIRMED, **LIVE | {"fence": 9}),
        sending(number=2),
        sending(**AGAIN),
        settled(Outcome.REFUSED, **AGAIN),
        attempt(MetadataKind.LATE_RESULT, outcome=Outcome.CONFIRMED),
        attempt(MetadataKind.POSSIBLE_DUPLICATE, **AGAIN),
        approval(name=APPROVAL.format(3), approval_state="denied"),
        approval(name=APPROVAL.format(1), signer="robin"),
        queued(dry_run=True),
        receipt(dry_run=True),
        receipt(state="aborted", unknown=2),
        retry_plan(signer="alex"),
        execution(number=1),
        ledger_key(Signer(b"next"), replaces=KEY),
        row(MetadataKind.LEDGER_PRUNED, "gordprune-1", {"spans": [[2, 4], [5, 6]]}),
        b'{"session_id":"odd"}',
    ]


def spoiled(draw: random.Random) -> list[bytes]:
    """The story with a few lines left out, moved, said twice or put in."""
    entries = list(loop().values())
    for _ in range(draw.randrange(1, 4)):
        at, to = draw.randrange(len(entries)), draw.randrange(len(entries))
        change = draw.randrange(4)
        if change == 0:
            del entries[at]
        elif change == 1:
            entries.insert(to, entries.pop(at))
        elif change == 2:
            entries.insert(to, entries[at])
        else:
            entries.insert(at, draw.choice(strangers()))
    return entries


def agree_on_spoiled_stories(seeds: range, path: Path) -> set[int]:
    """The exit codes that both verifiers came to."""
    codes = set()
    for seed in seeds:
        draw = random.Random(seed)
        entries = spoiled(draw)
        shown = [index for index in range(len(entries)) if draw.random() < draw.choice((0.8, 1))]
        parts = build(entries, sizes=[draw.randrange(len(entries))], shown=shown, **draw.choice(SCOPES))
        try:
            codes.add(verify(parts.pack(path / "bundle.zip"), keys=[KEY.vkey]).exit_code)
        except AssertionError as disagreement:
            raise AssertionError(f"seed {seed}: {disagreement}") from None
    return codes


def test_both_agree_on_spoiled_stories(tmp_path: Path) -> None:
    assert agree_on_spoiled_stories(range(300), tmp_path) == {0, 1, 2}


@pytest.mark.slow
def test_both_agree_on_many_spoiled_stories(tmp_path: Path) -> None:
    assert agree_on_spoiled_stories(range(300, 5000), tmp_path) == {0, 1, 2}


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 8, 13, 64])
def test_both_agree_on_clean_ledgers_of_any_size(tmp_path: Path, size: int) -> None:
    for cut in {0, size // 2, size}:
        whole = build(many(size), sizes=[cut])
        assert verify(whole.pack(tmp_path / "whole.zip"), keys=[KEY.vkey]).exit_code == 0


def test_an_approval_that_is_not_shown_cannot_be_used_twice_either(tmp_path: Path) -> None:
    entries = [ledger_key(), sending(**LIVE), settled(Outcome.REFUSED, **LIVE), sending(**AGAIN), b"{}"]
    parts = build(entries, shown=range(4), run_id=RUN)
    report = verify(parts.pack(tmp_path / "bundle.zip"))
    assert report.exit_code == 1
    assert [line for line in report.findings if line.startswith("tampered: index 3: ")]


def test_what_a_part_does_not_show_hides_no_contradiction(tmp_path: Path) -> None:
    without_run = build([ledger_key(), sending(number=2), b"{}"], shown=range(2), run_id=RUN)
    assert verify(without_run.pack(tmp_path / "run.zip")).exit_code == 1
    own = approval(approvals_needed=2, signer="robin")
    entries = [ledger_key(), retry_plan(), own, queued(), sending(**LIVE), b"{}"]
    own_plan = build(entries, shown=range(5), run_id=RUN)
    assert verify(own_plan.pack(tmp_path / "own.zip")).exit_code == 1


def test_an_approval_said_anew_under_its_name_is_not_good_for_another_attempt(tmp_path: Path) -> None:
    body = approval(approvals_needed=2).replace(b'"session_id":"gordackapprove-', b'"session_id":"another-', 1)
    story = loop()
    entries = [*story.values(), body, sending(**AGAIN), settled(Outcome.REFUSED, **AGAIN)]
    report = verify(build(entries).pack(tmp_path / "bundle.zip"))
    assert [line[:19] for line in report.findings] == [f"tampered: index {len(story) + 1}:"]


def test_both_agree_on_kept_checkpoints_of_any_size(tmp_path: Path) -> None:
    entries = many(9)
    leaves = [leaf(entry) for entry in entries]
    bundle = build(entries[:7], shown=[0, 1, 2], delivery_id="one").pack(tmp_path / "bundle.zip")
    codes = []
    for size in range(10):
        kept = tmp_path / "kept.txt"
        kept.write_text(note(leaves[:size]), encoding="utf-8")
        codes.append(verify(bundle, keys=[KEY.vkey], checkpoints=[kept]).exit_code)
    assert codes[0] == codes[7] == 0
    assert codes[5] == codes[8] == codes[9] == 2
