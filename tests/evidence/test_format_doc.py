"""The example in docs/evidence-format.md is a bundle, and its hashes are what the page says they are."""

import hashlib
import re
import zipfile
from pathlib import Path

import pytest

from cavra_site.env import BASE_DIR
from rollback_audit.evidence.verify_evidence import verify
from tests.evidence.bundles import leaf

TEXT = (BASE_DIR / "docs" / "evidence-format.md").read_text(encoding="utf-8")
FILES: dict[str, str] = dict(re.findall(r"^`(\w+\.\w+)`:.*?^```\w+\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))
HASHES = dict(re.findall(r"^\| (leaf \d|root at \d) \|.*\| `(\w+)` \|$", TEXT, re.MULTILINE))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as file:
        for name, text in FILES.items():
            file.writestr(name, text)
    return tmp_path / "bundle.zip"


def test_the_example_verifies(bundle: Path) -> None:
    assert set(FILES) == {"keys.txt", "ledger.txt", "checkpoints.txt", "bundle.json"}
    report = verify(bundle, keys=[FILES["keys.txt"].strip()])
    assert (report.exit_code, report.findings) == (0, [])


def test_the_examples_hashes_are_real() -> None:
    shown = {line.split(" ", 3)[1]: line.split(" ", 3)[3] for line in FILES["ledger.txt"].splitlines()}
    hidden = re.search(r"Its bytes were\s+`(.*?)`\.", TEXT, re.DOTALL)
    assert hidden
    leaves = [leaf(entry.encode()) for entry in (shown["0"], hidden[1], shown["2"])]
    first = hashlib.sha256(b"\1" + leaves[0] + leaves[1]).digest()
    both = hashlib.sha256(b"\1" + first + leaves[2]).digest()
    names = ["leaf 0", "leaf 1", "leaf 2", "root at 2", "root at 3"]
    assert {name: each.hex() for name, each in zip(names, [*leaves, first, both], strict=True)} == HASHES


def test_the_page_names_each_kind_that_the_verifier_reads() -> None:
    for kind in ("attempt-sending", "late-result", "possible-duplicate", "worker-run-queued", "ledger-pruned"):
        assert f"`{kind}`" in TEXT
