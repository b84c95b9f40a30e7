"""Several workers sign one ledger: each continues what the one before it has signed."""

from pathlib import Path
from threading import Event

import pytest
from django.conf import LazySettings, settings

from rollback_audit.engine import checkpoint_file, checkpoints, clock, ledger, sequencer, signing_keys
from rollback_audit.evidence import notes
from rollback_audit.models import LedgerCheckpoint
from rollback_audit.states import MetadataKind
from tests.engine.threads import meanwhile

# As long as one waits for who should not come. It is all spent where nobody is overtaken.
PATIENCE_SECONDS = 0.5

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Path, settings: LazySettings) -> None:
    settings.CAVRA_LEDGER_KEY_FILE = tmp_path / "ledger_key"
    settings.CAVRA_CHECKPOINT_FILE = tmp_path / "checkpoints.txt"
    signing_keys.ensure(settings.CAVRA_LEDGER_KEY_FILE)


def write(name: str) -> None:
    ledger.append(
        [
            ledger.row(
                MetadataKind.CONNECTOR_CHANGED,
                session_id=name,
                signer="system",
                at=clock.now(),
                record={"change": "held"},
            )
        ]
    )
    sequencer.sequence_all()


def test_who_signs_is_not_overtaken_by_somebody_who_signs_a_larger_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the slower one takes the database for an older copy, or the sizes in the file outside fall."""
    write("gordledger-1")
    checkpoints.sign_everything()
    write("gordledger-2")
    looked, overtaken = Event(), Event()
    newest = checkpoint_file.newest

    def look() -> str | None:
        if not looked.is_set():
            looked.set()
            overtaken.wait(timeout=PATIENCE_SECONDS)
        return newest()

    def overtake() -> None:
        looked.wait()
        write("gordledger-3")
        checkpoints.sign()
        overtaken.set()

    monkeypatch.setattr(checkpoint_file, "newest", look)
    with meanwhile(overtake):
        checkpoints.sign()
    assert list(LedgerCheckpoint.objects.order_by("tree_size").values_list("tree_size", flat=True)) == [2, 3, 4]
    kept = [notes.read(text).checkpoint.size for text in notes.split(settings.CAVRA_CHECKPOINT_FILE.read_text())]
    assert kept == [2, 3, 4]
