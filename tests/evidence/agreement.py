"""Both verifiers on one bundle: what tests use for verify_evidence.verify wherever a verdict is the matter."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from rollback_audit.evidence import verify_evidence
from rollback_audit.evidence.verify_evidence import Report
from tests.evidence import second_verifier

PLACE = re.compile(r"(tampered|incomplete|rolled back):(?: from index (\d+) to (\d+):| index (\d+):)?")

Place = tuple[str, int | None, int | None]


def place(line: str) -> Place:
    """The kind of a finding and the indices that it names, the first and the last."""
    match = PLACE.match(line)
    assert match, line
    kind, first, last, only = match.groups()
    numbers = (first, last) if first else (only, only)
    return kind, *(None if number is None else int(number) for number in numbers)  # type: ignore[return-value]


def verify(bundle: Path, keys: Iterable[str] = (), checkpoints: Iterable[Path] = ()) -> Report:
    """The first verifier's report, if the second comes to the same exit code and names the same places."""
    keys, checkpoints = list(keys), list(checkpoints)
    first = verify_evidence.verify(bundle, keys=keys, checkpoints=checkpoints)
    second = second_verifier.verify(bundle, keys=keys, checkpoints=checkpoints)
    assert first.exit_code == second.exit_code, (first.findings, second)
    if first.exit_code != 3:
        assert_same_places([place(line) for line in first.findings], second.findings)
    return first


def assert_same_places(named: Iterable[Place], found: Iterable[second_verifier.Finding]) -> None:
    """The first names every place that the second does, and no other; what is said again it may leave out."""
    may, must = defaultdict(set), defaultdict(set)
    for one in found:
        may[one.first, one.last].add(one.kind)
        if not one.again:
            must[one.first, one.last].add(one.kind)
    said = defaultdict(set)
    for kind, first, last in named:
        said[first, last].add(kind)
    assert must.keys() <= said.keys() <= may.keys(), (said, may)
    for where, kinds in said.items():
        assert kinds <= may[where], where
        assert "tampered" in kinds or "tampered" not in must[where], where
