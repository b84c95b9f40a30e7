"""What the ledger proves of itself, checked by RFC 9162's own algorithms."""

import base64
from pathlib import Path

import pytest
from django.conf import LazySettings

from rollback_audit.engine import checkpoints, clock, ledger, proofs, sequencer, signing_keys
from rollback_audit.engine.actors import SYSTEM
from rollback_audit.errors import InvalidInput, UnknownRecord
from rollback_audit.evidence import merkle
from rollback_audit.states import MetadataKind

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Path, settings: LazySettings) -> None:
    settings.CAVRA_LEDGER_KEY_FILE = tmp_path / "ledger_key"
    settings.CAVRA_CHECKPOINT_FILE = tmp_path / "checkpoints.txt"
    signing_keys.ensure(settings.CAVRA_LEDGER_KEY_FILE)


def write(*names: str) -> None:
    ledger.append(
        ledger.row(
            MetadataKind.CONNECTOR_CHANGED, session_id=name, signer="system", at=clock.now(), record={"change": "held"}
        )
        for name in names
    )


def decoded(text: str) -> bytes:
    return base64.b64decode(text)


def test_an_entry_waits_for_its_place_then_for_a_checkpoint_and_is_proven_then() -> None:
    write("gordledger-1", "gordledger-2", "gordledger-3")
    waiting = proofs.of_entry(actor=SYSTEM, session_id="gordledger-2")
    assert (waiting.index, waiting.checkpoint, waiting.audit_path) == (None, None, [])
    sequencer.sequence_all()
    placed = proofs.of_entry(actor=SYSTEM, session_id="gordledger-2")
    assert (placed.index, placed.checkpoint, placed.audit_path) == (1, None, [])
    checkpoints.sign_everything()
    proven = proofs.of_entry(actor=SYSTEM, session_id="gordledger-2")
    assert proven.index == 1
    assert proven.checkpoint is not None
    assert merkle.verify_inclusion(
        1,
        proven.checkpoint.tree_size,
        leaf=decoded(proven.leaf_hash),
        proof=[decoded(found) for found in proven.audit_path],
        expected_root=decoded(proven.checkpoint.root_hash),
    )


def test_an_unknown_entry_has_no_proof() -> None:
    with pytest.raises(UnknownRecord):
        proofs.of_entry(actor=SYSTEM, session_id="gordledger-none")


def test_an_older_tree_is_proven_to_begin_the_newer_one() -> None:
    write(*(f"gordledger-{number}" for number in range(9)))
    checkpoints.sign_everything()
    found = proofs.of_consistency(actor=SYSTEM, old_size=3, new_size=10)
    assert merkle.verify_consistency(
        3,
        10,
        old_root=decoded(found.old_root),
        new_root=decoded(found.new_root),
        proof=[decoded(item) for item in found.proof],
    )


@pytest.mark.parametrize(
    ("old", "new", "field"), [(0, 1, "old_size"), (2, 1, "new_size"), (1, 9, "new_size"), (9, 9, "old_size")]
)
def test_sizes_that_the_tree_never_had_are_refused_by_name(old: int, new: int, field: str) -> None:
    write("gordledger-1", "gordledger-2", "gordledger-3")
    checkpoints.sign_everything()
    with pytest.raises(InvalidInput) as refusal:
        proofs.of_consistency(actor=SYSTEM, old_size=old, new_size=new)
    assert list(refusal.value.fields) == [field]


def test_the_status_says_what_waits() -> None:
    empty = proofs.status(actor=SYSTEM)
    assert (empty.checkpoint, empty.tree_size, empty.unsequenced_count, empty.unsigned_count) == (None, 0, 0, 0)
    write("gordledger-1")
    checkpoints.sign_everything()
    write("gordledger-2", "gordledger-3")
    waiting = proofs.status(actor=SYSTEM)
    assert (waiting.tree_size, waiting.unsequenced_count, waiting.unsigned_count) == (2, 2, 0)
    sequencer.sequence_all()
    placed = proofs.status(actor=SYSTEM)
    assert (placed.tree_size, placed.unsequenced_count, placed.unsigned_count) == (4, 0, 2)
    assert placed.checkpoint is not None
    assert placed.checkpoint.tree_size == 2
    assert len(placed.keys) == 1
