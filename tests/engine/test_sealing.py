"""Entries get their places, the tree its nodes, and what has a place is signed."""

import json
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from django.conf import LazySettings, settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Model

from rollback_audit.engine import (
    checkpoint_file,
    checkpoints,
    clock,
    ledger,
    ledger_keys,
    sequencer,
    signing_keys,
    tree,
)
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.sealing import Sealer
from rollback_audit.errors import NotAllowed, StateForbids, UnknownRecord
from rollback_audit.evidence import merkle, notes
from rollback_audit.models import EvidenceEntry, LedgerCheckpoint, LedgerLeaf, LedgerNode
from rollback_audit.states import MetadataKind, Permission

KEEPER = Actor(name="rita", user_id=1, permissions=frozenset({Permission.RETAIN_EVIDENCE}))
_number = count()


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Path, settings: LazySettings) -> None:
    settings.CAVRA_LEDGER_KEY_FILE = tmp_path / "ledger_key"
    settings.CAVRA_CHECKPOINT_FILE = tmp_path / "elsewhere" / "checkpoints.txt"
    signing_keys.ensure(settings.CAVRA_LEDGER_KEY_FILE)


def write(entries: int) -> None:
    now = clock.now()
    ledger.append(
        ledger.row(
            MetadataKind.CONNECTOR_CHANGED,
            session_id=f"gordledger-{next(_number):016x}",
            signer="system",
            at=now,
            record={"change": "held", "reason": ""},
        )
        for _ in range(entries)
    )


def bodies() -> list[bytes]:
    """The entries in the order of their places."""
    places = dict(LedgerLeaf.objects.values_list("entry_pk", "index"))
    entries = sorted(EvidenceEntry.objects.filter(pk__in=places), key=lambda entry: places[entry.pk])
    return [entry.body.encode() for entry in entries]


def expected_root(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word for word."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return merkle.node_hash(expected_root(leaves[:split]), expected_root(leaves[split:]))


@pytest.mark.django_db
@pytest.mark.parametrize("batches", [(1,), (255,), (256,), (257,), (3, 250, 3, 300), (1024, 1), (700, 68, 256)])
def test_the_tree_is_that_of_the_entries_however_they_came(batches: tuple[int, ...]) -> None:
    for entries in batches:
        write(entries)
        sequencer.sequence_all()
    assert tree.size() == sum(batches)
    leaves = [merkle.leaf_hash(body) for body in bodies()]
    assert tree.root(len(leaves)) == expected_root(leaves)
    half = len(leaves) // 2 + 1
    assert tree.root(half) == expected_root(leaves[:half])
    assert LedgerNode.objects.filter(level=8).count() == sum(batches) // 256


@pytest.mark.django_db
def test_a_place_is_given_once_and_an_entry_gets_one_place() -> None:
    write(3)
    sequencer.sequence_all()
    sequencer.sequence_all()
    assert list(LedgerLeaf.objects.values_list("index", flat=True)) == [0, 1, 2]
    taken = LedgerLeaf.objects.get(index=1)
    for leaf in ({"index": 1, "entry_pk": 999}, {"index": 3, "entry_pk": taken.entry_pk}):
        with pytest.raises(IntegrityError), transaction.atomic():
            LedgerLeaf.objects.create(**leaf, leaf_hash=bytes(32))


@pytest.mark.django_db
def test_two_sequencers_take_turns() -> None:
    first, second = sequencer.Sequencer(), sequencer.Sequencer()
    for turn in (first, second, first, second):
        write(5)
        while turn.advance():
            pass
    assert tree.size() == 20
    assert tree.root(20) == expected_root([merkle.leaf_hash(body) for body in bodies()])


def changes(model: type[Model]) -> list[str]:
    """Every way there is to change a row of the table, and the ways around a trigger."""
    table, key = model._meta.db_table, model._meta.pk.column
    update = f'UPDATE "{table}" SET "{key}" = "{key}"'
    if connection.vendor == "sqlite":
        return [update, f'DELETE FROM "{table}"', f'REPLACE INTO "{table}" SELECT * FROM "{table}"']
    unguarded = "SET LOCAL session_replication_role = replica"
    return [
        update,
        f'DELETE FROM "{table}"',
        f'TRUNCATE "{table}"',
        f"{unguarded}; {update}",
        f'{unguarded}; DELETE FROM "{table}"',
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("model", [EvidenceEntry, LedgerLeaf, LedgerNode, LedgerCheckpoint])
def test_the_database_refuses_to_change_what_is_there(model: type[Model]) -> None:
    write(256)
    checkpoints.sign_everything()
    for statement in changes(model):
        with connection.cursor() as cursor, pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            cursor.execute(statement)
    assert model.objects.exists()


@pytest.mark.django_db
def test_a_checkpoint_says_what_the_tree_is_and_the_key_is_announced_first() -> None:
    write(4)
    newest = checkpoints.sign_everything()
    assert newest.tree_size == 5
    key = signing_keys.read(settings.CAVRA_LEDGER_KEY_FILE).public
    assert [found.key for found in ledger_keys.announced()] == [key]
    note = notes.read(newest.note)
    assert note.is_signed_by(key)
    assert note.checkpoint.root == tree.root(5)
    assert checkpoint_file.newest() == newest.note
    # Nothing new, nothing signed.
    assert checkpoints.sign() is None
    assert checkpoints.sign_everything() == newest


@pytest.mark.django_db
def test_an_empty_ledger_has_nothing_to_sign() -> None:
    with pytest.raises(UnknownRecord):
        checkpoints.sign_everything()


@pytest.mark.django_db
def test_checkpoints_are_a_second_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    write(1)
    sealer = Sealer()
    sealer()
    sealer()
    assert LedgerCheckpoint.objects.count() == 1
    write(1)
    sealer()
    assert tree.size() == 3
    assert LedgerCheckpoint.objects.count() == 1
    later = clock.now() + timedelta(seconds=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    sealer()
    assert checkpoints.latest().tree_size == 3


@pytest.mark.django_db
def test_every_checkpoint_continues_the_one_before_it() -> None:
    for _ in range(5):
        write(60)
        checkpoints.sign_everything()
    kept = [notes.read(note).checkpoint for note in notes.split(settings.CAVRA_CHECKPOINT_FILE.read_text())]
    assert [found.size for found in kept] == [61, 121, 181, 241, 301]
    for old in kept:
        proof = merkle.consistency_proof(old.size, 301, tree.hashes)
        assert merkle.verify_consistency(old.size, 301, old_root=old.root, new_root=tree.root(301), proof=proof)


@pytest.mark.django_db
def test_a_rotated_key_is_vouched_for_by_the_one_before_it() -> None:
    write(1)
    checkpoints.sign_everything()
    old = signing_keys.read(settings.CAVRA_LEDGER_KEY_FILE).public
    new = ledger_keys.rotate(actor=KEEPER)
    assert new.name == old.name
    with pytest.raises(StateForbids) as refusal:
        ledger_keys.rotate(actor=KEEPER)
    assert refusal.value.code == "rotation_pending"
    between = notes.read(checkpoints.sign_everything().note)
    assert between.is_signed_by(old)
    assert between.is_signed_by(new)
    write(1)
    after = notes.read(checkpoints.sign_everything().note)
    assert not after.is_signed_by(old)
    assert after.is_signed_by(new)
    assert signing_keys.read(settings.CAVRA_LEDGER_KEY_FILE).public == new
    assert signing_keys.read_next(settings.CAVRA_LEDGER_KEY_FILE) is None
    assert [found.key for found in ledger_keys.announced()] == [old, new]
    announcement = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.LEDGER_KEY).first()
    assert json.loads(announcement.body)["record"]["replaces"] == old.key_id.hex()
    assert json.loads(announcement.body)["signer"] == "rita"


@pytest.mark.django_db
def test_only_who_keeps_evidence_rotates_its_key() -> None:
    with pytest.raises(NotAllowed):
        ledger_keys.rotate(actor=Actor(name="sam", user_id=2, permissions=frozenset({Permission.VIEW_EVIDENCE})))


def no_key() -> None:
    settings.CAVRA_LEDGER_KEY_FILE.unlink()


def other_key() -> None:
    settings.CAVRA_LEDGER_KEY_FILE.unlink()
    signing_keys.ensure(settings.CAVRA_LEDGER_KEY_FILE)


def another_ledgers_file() -> None:
    key = notes.SigningKey.draw("cavra-rollback-audit/0000000000000000")
    settings.CAVRA_CHECKPOINT_FILE.write_text(
        notes.file_text([notes.sign(notes.Checkpoint(key.name, 2, bytes(32)), [key])])
    )


def newer_than_the_database() -> None:
    key = signing_keys.read(settings.CAVRA_LEDGER_KEY_FILE)
    checkpoint_file.append(notes.sign(notes.Checkpoint(key.name, 900, bytes(32)), [key]))


def another_past() -> None:
    key = signing_keys.read(settings.CAVRA_LEDGER_KEY_FILE)
    checkpoint_file.append(notes.sign(notes.Checkpoint(key.name, 2, bytes(32)), [key]))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("what", "code"),
    [
        (no_key, "ledger_key_missing"),
        (lambda: settings.CAVRA_LEDGER_KEY_FILE.write_text("PRIVATE+KEY+x"), "ledger_key_missing"),
        (other_key, "ledger_key_unknown"),
        (another_ledgers_file, "ledger_inconsistent"),
        (lambda: settings.CAVRA_CHECKPOINT_FILE.write_text("what\n\nis this"), "ledger_inconsistent"),
        (newer_than_the_database, "ledger_rolled_back"),
        (another_past, "ledger_inconsistent"),
    ],
)
def test_what_does_not_fit_is_not_signed_and_the_worker_says_why_once(
    what: Callable[[], object], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(2)
    checkpoints.sign_everything()
    what()
    write(1)
    sequencer.sequence_all()
    with pytest.raises(StateForbids) as refusal:
        checkpoints.sign()
    assert refusal.value.code == code
    assert LedgerCheckpoint.objects.count() == 1
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        later = clock.now() + timedelta(seconds=2)
        patch.setattr(clock, "now", lambda: later)
        sealer = Sealer()
        sealer()
        sealer()
    assert [(entry.message, entry.state) for entry in caplog.records] == [("ledger_not_signed", code)]
