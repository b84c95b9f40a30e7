"""`cavra evidence` from the terminal: what it writes, and what it says of files that are no good."""

import io
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from rollback_audit.engine import checkpoints, ledger_keys
from rollback_audit.evidence import notes
from tests import factories
from tests.api.test_pages import write_lines

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def signed(tmp_path: Path, settings: LazySettings) -> str:
    """The note over three lines."""
    factories.ledger_files(settings, tmp_path)
    write_lines(3)
    return checkpoints.sign_everything().note


def evidence(*arguments: object) -> str:
    out = io.StringIO()
    call_command("evidence", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_a_bundle_is_written_and_verified_with_what_somebody_kept(tmp_path: Path, signed: str) -> None:
    bundle, kept = tmp_path / "evidence.zip", tmp_path / "kept.txt"
    kept.write_text(notes.file_text([signed]), "utf-8")
    write_lines(2)
    checkpoints.sign_everything()
    assert evidence("export", "--out", bundle, "--checkpoints", kept) == f"6 of 6 entries in {bundle}.\n"
    key = ledger_keys.announced()[0].key
    with pytest.raises(SystemExit) as ended:
        evidence("verify", bundle, "--checkpoints", kept, "--key", key)
    assert ended.value.code == 0
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


@pytest.mark.parametrize("content", [b"hello", b"\xff\xfe", None])
def test_a_file_that_holds_no_checkpoints_is_refused(tmp_path: Path, content: bytes | None) -> None:
    kept = tmp_path / "kept.txt"
    if content is not None:
        kept.write_bytes(content)
    with pytest.raises(CommandError, match="checkpoints: "):
        evidence("export", "--out", tmp_path / "evidence.zip", "--checkpoints", kept)
    assert not (tmp_path / "evidence.zip").exists()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--out: this file cannot be written"):
        evidence("export", "--out", tmp_path / "nowhere" / "evidence.zip")


def test_fsck_says_what_is_as_it_was_written() -> None:
    assert evidence("fsck").startswith("4 entries are as they were written.")


def test_a_checkpoint_is_printed_as_it_was_signed(signed: str) -> None:
    assert evidence("checkpoint") == signed
