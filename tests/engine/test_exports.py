"""What is asked for comes out as a bundle that proves itself, and what somebody changed in the database is found."""

import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection

from rollback_audit.engine import checkpoint_file, checkpoints, clock, exports, integrity, ledger_keys, signing_keys
from rollback_audit.engine.actors import SYSTEM, Actor
from rollback_audit.engine.drain import drain
from rollback_audit.engine.export_scopes import Scope
from rollback_audit.engine.integrity import Finding
from rollback_audit.errors import InvalidInput, NotAllowed, StateForbids, UnknownRecord
from rollback_audit.evidence import notes
from rollback_audit.models import EvidenceEntry, LedgerCheckpoint, LedgerLeaf, guards
from rollback_audit.states import LedgerFault, MetadataKind, Permission
from tests.engine.conftest import People
from tests.engine.loop import Loop
from tests.evidence.agreement import verify
from tests.receivers import RecordingReceiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Path, settings: LazySettings) -> None:
    settings.CAVRA_LEDGER_KEY_FILE = tmp_path / "ledger_key"
    settings.CAVRA_CHECKPOINT_FILE = tmp_path / "checkpoints.txt"
    signing_keys.ensure(settings.CAVRA_LEDGER_KEY_FILE)


@pytest.fixture
def run_id(receiver: RecordingReceiver, people: People, configure: Callable[..., None]) -> str:
    """A live run over two failed deliveries, sealed twice on the way; a third stays failed."""
    configure(siem=receiver.port, chat=receiver.port)
    loop = Loop(people)
    loop.fail(receiver)
    loop.fail(receiver, to="siem")
    checkpoints.sign_everything()
    run = loop.approved_run()
    drain(run.run.run_id)
    loop.fail(receiver)
    checkpoints.sign_everything()
    return run.run.run_id


@pytest.fixture
def out(tmp_path: Path) -> Callable[..., Path]:
    """Writes a bundle and names its file."""
    numbers = iter(range(100))

    def write(scope: Scope = exports.WHOLE, **options: object) -> Path:
        path = tmp_path / f"{next(numbers)}.zip"
        with path.open("wb") as file:
            file.writelines(exports.export(actor=SYSTEM, scope=scope, **options).chunks())  # type: ignore[arg-type]
        return path

    return write


def lines(path: Path, what: bytes = b"entry ") -> list[dict[str, object]]:
    with zipfile.ZipFile(path) as bundle:
        shown = [line for line in bundle.read("ledger.txt").splitlines() if line.startswith(what)]
    return [json.loads(line.split(b" ", 3)[3]) for line in shown]


def verdict(path: Path, *, held: Path | None = None) -> tuple[int, list[str]]:
    key = str(ledger_keys.announced()[0].key)
    report = verify(path, keys=[key], checkpoints=[held] if held else [])
    return report.exit_code, report.findings


def test_the_whole_ledger_is_a_bundle_that_verifies(run_id: str, out: Callable[..., Path]) -> None:
    whole = out()
    assert verdict(whole) == (0, [])
    assert [line["session_id"] for line in lines(whole)] == [
        entry.entry_id for entry in EvidenceEntry.objects.order_by("pk")
    ]


def test_a_bundle_of_a_delivery_has_its_whole_story_and_verifies_alone(run_id: str, out: Callable[..., Path]) -> None:
    record = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.EXECUTION_RECORD).first()
    assert record is not None
    bundle = out(Scope(delivery_id=record.delivery_id))
    assert verdict(bundle) == (0, [])
    told = lines(bundle)
    kinds = {line["metadata_kind"] for line in told}
    assert {
        MetadataKind.AUDIT_PACKAGE,
        MetadataKind.DELIVERY_PLAN,
        MetadataKind.ATTEMPT_SENDING,
        MetadataKind.CONNECTOR_DELIVERY,
        MetadataKind.RETRY_PLAN,
        MetadataKind.APPROVAL_PLAN,
        MetadataKind.APPROVAL_DECISION,
        MetadataKind.RUN_QUEUED,
        MetadataKind.WORKER_RUN,
        MetadataKind.EXECUTION_RECORD,
        MetadataKind.LEDGER_KEY,
    } == kinds
    assert {line["delivery_id"] for line in told} == {record.delivery_id, None}
    assert 0 < len(told) < EvidenceEntry.objects.count()


def test_a_bundle_of_a_run_counts_what_it_recorded(run_id: str, out: Callable[..., Path]) -> None:
    bundle = out(Scope(run_id=run_id))
    assert verdict(bundle) == (0, [])
    executed = [line for line in lines(bundle) if line["metadata_kind"] == MetadataKind.EXECUTION_RECORD]
    assert len(executed) == 3


def test_bundles_of_an_audit_and_since_a_moment_verify(run_id: str, out: Callable[..., Path]) -> None:
    newest = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.AUDIT_PACKAGE).order_by("pk").last()
    assert newest is not None
    of_audit = out(Scope(audit_id=newest.audit_id))
    assert verdict(of_audit) == (0, [])
    since = out(Scope(since=newest.created_at))
    assert verdict(since) == (0, [])
    assert {line["session_id"] for line in lines(of_audit)} <= {line["session_id"] for line in lines(since)}
    assert len(lines(out(Scope(since=clock.now() + timedelta(days=1))))) == 1


def test_a_single_line_is_proven_by_a_few_hashes(run_id: str, out: Callable[..., Path]) -> None:
    record = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.EXECUTION_RECORD).first()
    assert record is not None
    bundle = out(Scope(session_id=record.entry_id))
    assert verdict(bundle) == (0, [])
    assert {line["session_id"] for line in lines(bundle)} - {record.entry_id} == {
        entry.entry_id for entry in EvidenceEntry.objects.filter(metadata_kind=MetadataKind.LEDGER_KEY)
    }


def test_a_held_checkpoint_can_be_compared_with_any_bundle(
    run_id: str, out: Callable[..., Path], tmp_path: Path
) -> None:
    first, *_, last = checkpoint_file.every()
    held = tmp_path / "held.txt"
    held.write_text(notes.file_text([first]))
    record = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.EXECUTION_RECORD).first()
    assert record is not None
    assert verdict(out(Scope(session_id=record.entry_id), held=[first]), held=held) == (0, [])
    changed = notes.read(last).checkpoint._replace(root=bytes(32))
    forged = notes.sign(changed, [signing_keys.read(tmp_path / "ledger_key")])
    held.write_text(notes.file_text([forged]))
    assert verdict(out(held=[forged]), held=held)[0] == 1


def test_the_same_evidence_gives_the_same_ledger_text(run_id: str, out: Callable[..., Path]) -> None:
    def text(path: Path) -> bytes:
        with zipfile.ZipFile(path) as bundle:
            return bundle.read("ledger.txt")

    assert text(out()) == text(out())


def test_entries_that_wait_for_a_checkpoint_are_not_in_a_bundle(run_id: str, out: Callable[..., Path]) -> None:
    before = len(lines(out()))
    ledger_keys.rotate(actor=_keeper())
    assert len(lines(out())) == before
    checkpoints.sign_everything()
    after = out()
    assert len(lines(after)) == before + 1
    assert verdict(after) == (0, [])


def _keeper() -> Actor:
    return Actor(name="rita", user_id=1, permissions=frozenset(Permission))


@pytest.mark.parametrize(
    ("scope", "error"),
    [
        (Scope(delivery_id="gordackdelivery-0"), UnknownRecord),
        (Scope(audit_id="gordackaudit-0"), UnknownRecord),
        (Scope(run_id="gordackworker-0"), UnknownRecord),
        (Scope(session_id="gordledger-0"), UnknownRecord),
        (Scope(run_id="gordackworker-0", audit_id="gordackaudit-0"), InvalidInput),
    ],
)
def test_what_is_not_there_is_refused(run_id: str, scope: Scope, error: type[Exception]) -> None:
    with pytest.raises(error):
        exports.export(actor=SYSTEM, scope=scope)


def foreign() -> str:
    key = notes.SigningKey.draw("cavra-rollback-audit/0000000000000000")
    return notes.sign(notes.Checkpoint(key.name, 1, bytes(32)), [key])


def newer() -> str:
    name = notes.read(checkpoints.latest().note).checkpoint.origin  # type: ignore[union-attr]
    return notes.sign(notes.Checkpoint(name, 10_000, bytes(32)), [notes.SigningKey.draw(name)])


@pytest.mark.parametrize("held", [lambda: "hello", foreign, newer])
def test_a_held_text_that_does_not_belong_here_is_refused_by_name(run_id: str, held: Callable[[], str]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        exports.export(actor=SYSTEM, held=[held()])
    assert list(refusal.value.fields) == ["checkpoints"]


def test_without_a_checkpoint_there_is_nothing_to_export() -> None:
    with pytest.raises(StateForbids) as refusal:
        exports.export(actor=SYSTEM)
    assert refusal.value.code == "nothing_signed"


def test_who_may_not_see_evidence_may_not_export_it() -> None:
    with pytest.raises(NotAllowed):
        exports.export(actor=Actor(name="nobody", user_id=9, permissions=frozenset()))


@pytest.fixture
def unguarded() -> Iterator[Callable[..., None]]:
    """Whoever owns the database can take its guards away; the tree shows what he did then."""
    with connection.schema_editor() as editor:
        guards.remove(editor)

    def change(sql: str, *parameters: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)

    yield change
    with connection.schema_editor() as editor:
        guards.remove(editor)
        guards.install(editor)


ENTRY, LEAF, SIGNED = (model._meta.db_table for model in (EvidenceEntry, LedgerLeaf, LedgerCheckpoint))


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (f"UPDATE {ENTRY} SET body = replace(body, 'confirmed', 'confirm3d')", LedgerFault.ENTRY_CHANGED),
        (f"UPDATE {ENTRY} SET actor = 'mallory'", LedgerFault.COLUMN_CHANGED),
        (f"DELETE FROM {ENTRY} WHERE metadata_kind = 'attempt-sending'", LedgerFault.ENTRY_MISSING),
        (f'DELETE FROM {LEAF} WHERE "index" = 3', LedgerFault.LEAF_MISSING),
        (f'UPDATE {LEAF} SET leaf_hash = (SELECT leaf_hash FROM {LEAF} WHERE "index" = 2) WHERE "index" = 3',
         LedgerFault.ENTRY_CHANGED),
        (f"UPDATE {SIGNED} SET root_hash = (SELECT leaf_hash FROM {LEAF} LIMIT 1)", LedgerFault.CHECKPOINT_CHANGED),
        (f"UPDATE {SIGNED} SET note = 'trust me'", LedgerFault.CHECKPOINT_CHANGED),
        (f'DELETE FROM {LEAF} WHERE "index" > 3', LedgerFault.FILE_AHEAD),
    ],
)  # fmt: skip
def test_fsck_finds_what_was_changed(run_id: str, unguarded: Callable[..., None], sql: str, found: LedgerFault) -> None:
    unguarded(sql)
    faults = {finding.fault for finding in integrity.check(actor=SYSTEM)}
    assert faults >= {found, LedgerFault.GUARD_MISSING}


def test_fsck_finds_nothing_in_what_is_as_it_was_written(run_id: str) -> None:
    assert list(integrity.check(actor=SYSTEM)) == []


def test_fsck_says_where(run_id: str, unguarded: Callable[..., None]) -> None:
    place = 7
    entry_pk = LedgerLeaf.objects.get(index=place).entry_pk
    unguarded(f"UPDATE {ENTRY} SET body = replace(body, 'CAVRA', 'KAVRA') WHERE id = %s", entry_pk)
    assert Finding(LedgerFault.ENTRY_CHANGED, "7") in list(integrity.check(actor=SYSTEM))


def test_a_changed_entry_is_named_by_whoever_gets_the_bundle(
    run_id: str, unguarded: Callable[..., None], out: Callable[..., Path]
) -> None:
    entry_pk = LedgerLeaf.objects.get(index=7).entry_pk
    unguarded(f"UPDATE {ENTRY} SET body = replace(body, 'CAVRA', 'KAVRA') WHERE id = %s", entry_pk)
    code, findings = verdict(out())
    assert code == 1
    assert "7" in findings[0]
