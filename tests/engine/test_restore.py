"""An older copy of the database is recognised: by the file beside it, and by whoever holds a newer checkpoint."""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import LazySettings, settings
from django.db import ProgrammingError, connection

from cavra_site import env
from rollback_audit.engine import (
    checkpoint_file,
    checkpoints,
    deliveries,
    exports,
    holds,
    integrity,
    retention,
    signing_keys,
)
from rollback_audit.engine.integrity import Finding
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.errors import StateForbids
from rollback_audit.evidence import notes
from rollback_audit.models import EvidenceEntry, guards
from rollback_audit.states import HoldScope, LedgerFault
from tests import postgres
from tests.engine.conftest import People
from tests.engine.loop import Loop
from tests.evidence.agreement import verify
from tests.receivers import RecordingReceiver

pytestmark = pytest.mark.django_db(transaction=True)

OPERATIONS = env.BASE_DIR / "docs" / "operations.md"


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Path, settings: LazySettings) -> None:
    settings.CAVRA_LEDGER_KEY_FILE = tmp_path / "ledger_key"
    settings.CAVRA_CHECKPOINT_FILE = tmp_path / "checkpoints.txt"
    signing_keys.ensure(settings.CAVRA_LEDGER_KEY_FILE)


@pytest.fixture
def loop(people: People, receiver: RecordingReceiver, configure: Callable[..., None]) -> Loop:
    configure(webhook=receiver.port)
    return Loop(people)


def deliver(loop: Loop) -> None:
    assert deliveries.deliver_audit(actor=loop.manager, filters=AuditFilters()).success


def bundle(loop: Loop, path: Path) -> Path:
    path.write_bytes(b"".join(exports.export(actor=loop.owner).chunks()))
    return path


def test_the_sealer_and_whoever_holds_a_newer_checkpoint_recognise_an_older_copy(loop: Loop, tmp_path: Path) -> None:
    deliver(loop)
    checkpoints.sign_everything()
    restore = backed_up(tmp_path)
    deliver(loop)
    newer = checkpoints.sign_everything()
    held = tmp_path / "held.txt"
    held.write_text(notes.file_text([newer.note]), encoding="utf-8")
    key = str(signing_keys.read(settings.CAVRA_LEDGER_KEY_FILE).public)
    assert verify(bundle(loop, tmp_path / "before.zip"), keys=[key], checkpoints=[held]).exit_code == 0

    restore()
    assert guards.missing(connection) == []
    assert Finding(LedgerFault.FILE_AHEAD, str(newer.tree_size)) in list(integrity.check(actor=loop.owner))
    # Fewer lines than were signed, and then more: neither is signed.
    for _ in range(3):
        deliver(loop)
        with pytest.raises(StateForbids) as refused:
            checkpoints.sign_everything()
        assert refused.value.code in {"ledger_rolled_back", "ledger_inconsistent"}
    report = verify(bundle(loop, tmp_path / "after.zip"), keys=[key], checkpoints=[held])
    assert report.exit_code == 2
    assert report.findings[0].startswith("rolled back")

    # What docs/operations.md says to do then.
    settings.CAVRA_CHECKPOINT_FILE.rename(tmp_path / "checkpoints-until-restore.txt")
    holds.place(actor=loop.owner, scope=HoldScope.EVERYTHING, reason="Restored the backup of 31 January.")
    signed = checkpoints.sign_everything()
    assert checkpoint_file.newest() == signed.note
    assert list(integrity.check(actor=loop.owner)) == []
    assert verify(bundle(loop, tmp_path / "went-on.zip"), keys=[key], checkpoints=[]).exit_code == 0
    assert verify(tmp_path / "went-on.zip", keys=[key], checkpoints=[held]).exit_code in {1, 2}


def test_a_bundle_from_before_a_pruning_and_one_after_it_prove_the_same(
    loop: Loop, tmp_path: Path, later: Callable[[timedelta], None]
) -> None:
    deliver(loop)
    signed = checkpoints.sign_everything()
    held = tmp_path / "held.txt"
    held.write_text(notes.file_text([signed.note]), encoding="utf-8")
    before = bundle(loop, tmp_path / "before.zip")
    later(timedelta(days=60))
    assert retention.prune(actor=loop.owner, older_than_days=30, reason="Over.", dry_run=False).pruned_count > 0
    checkpoints.sign_everything()
    after = bundle(loop, tmp_path / "after.zip")
    reports = [verify(path, keys=[], checkpoints=[held]) for path in (before, after)]
    assert [(report.exit_code, report.findings) for report in reports] == [(0, []), (0, [])]
    assert any("pruned" in remark for remark in reports[1].remarks)


@pytest.mark.postgres
def test_the_loop_runs_under_a_role_that_cannot_change_the_ledger(
    loop: Loop, receiver: RecordingReceiver, as_application: Callable[[], None]
) -> None:
    as_application()
    keys = {model._meta.db_table: model._meta.pk.column for model in apps.get_app_config("rollback_audit").get_models()}
    for table, verbs in guards.GUARDED.items():
        key = keys[table]
        changes = {
            "update": f'UPDATE "{table}" SET "{key}" = "{key}"',
            "delete": f'DELETE FROM "{table}"',
            "truncate": f'TRUNCATE "{table}"',
        }
        for verb in verbs:
            with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
                cursor.execute(changes[verb])
    loop.fail(receiver)
    run = loop.drained(loop.approved_run()).run
    assert run.summary.delivered_count == 1
    hold, _ = holds.place(actor=loop.owner, scope=HoldScope.EVERYTHING, reason="Case 4711.")
    holds.release(actor=loop.owner, hold_id=hold.hold_id, reason="Case 4711 is closed.")
    assert checkpoints.sign_everything().tree_size == EvidenceEntry.objects.count()
    assert list(integrity.check(actor=loop.owner)) == []


@pytest.mark.postgres
def test_that_role_may_not_prune(
    loop: Loop, later: Callable[[timedelta], None], as_application: Callable[[], None]
) -> None:
    deliver(loop)
    checkpoints.sign_everything()
    later(timedelta(days=60))
    as_application()
    with pytest.raises(StateForbids) as refused:
        retention.prune(actor=loop.owner, older_than_days=30, reason="Over.", dry_run=False)
    assert refused.value.code == "prune_not_granted"


@pytest.fixture
def as_application(transactional_db: None) -> Iterator[Callable[[], None]]:
    """Makes every connection from then on that of the role in docs/operations.md; afterwards the owner's again."""
    grants = OPERATIONS.read_text(encoding="utf-8").partition("```sql\n")[2].partition("```")[0]
    options = connection.settings_dict["OPTIONS"]
    usual = options.get("options", "")

    def become() -> None:
        with connection.cursor() as cursor:
            cursor.execute("DROP ROLE IF EXISTS cavra_app; CREATE ROLE cavra_app")
            cursor.execute(grants)
        options["options"] = f"{usual} -c role=cavra_app".strip()
        _reconnect()

    yield become
    options["options"] = usual
    _reconnect()
    with connection.cursor() as cursor:
        cursor.execute("DROP OWNED BY cavra_app; DROP ROLE cavra_app")


def _reconnect() -> None:
    connection.close()
    connection.close_pool()


def backed_up(folder: Path) -> Callable[[], None]:
    """A copy of the database as docs/operations.md makes it; what puts it back."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(folder / "backup.sqlite3")])
        return lambda: _put_back(folder / "backup.sqlite3")
    _postgresql("pg_dump", "--format=custom", f"--file={folder / 'cavra.dump'}", str(connection.settings_dict["NAME"]))
    restore = (
        "--clean",
        "--if-exists",
        "--single-transaction",
        "--no-owner",
        f"--dbname={connection.settings_dict['NAME']}",
    )
    return lambda: _postgresql("pg_restore", *restore, str(folder / "cavra.dump"))


def _put_back(backup: Path) -> None:
    connection.close()
    with closing(sqlite3.connect(backup)) as copy, closing(sqlite3.connect(connection.settings_dict["NAME"])) as there:
        copy.backup(there)


def _postgresql(program: str, *arguments: str) -> None:
    found = postgres.find(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    connection.close()
    at = connection.settings_dict
    whom = {"PGHOST": at["HOST"], "PGPORT": str(at["PORT"]), "PGUSER": at["USER"], "PGPASSWORD": at["PASSWORD"]}
    subprocess.run([str(found), *arguments], env=os.environ | whom, check=True, timeout=60)
