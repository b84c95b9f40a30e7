"""What an auditor finds in the ledger afterwards: nothing, in the database, the file beside it, and a whole bundle."""

import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from rollback_audit.engine import bulk, checkpoints, exports, integrity, ledger, ledger_keys, lines, tree
from rollback_audit.engine.actors import SYSTEM
from rollback_audit.engine.lines import AttemptFacts
from rollback_audit.evidence import notes
from rollback_audit.models import Delivery, DeliveryAttempt, EvidenceEntry
from rollback_audit.states import FailureKind, MetadataKind, Outcome


def tell_first_attempts(deliveries: Iterable[Delivery]) -> None:
    """The ledger lines of the first attempts of rows that no engine has written."""
    first = DeliveryAttempt.objects.filter(delivery__in=[row.pk for row in deliveries], number=1)
    rows = [line for attempt in first.select_related("delivery") for line in _lines(attempt)]
    with transaction.atomic(), connection.cursor() as cursor:
        bulk.insert(cursor, EvidenceEntry, ledger.COLUMNS, rows)


def _lines(attempt: DeliveryAttempt) -> Iterable[tuple[object, ...]]:
    sending = AttemptFacts(
        event_id=attempt.delivery.event_id,
        delivery_id=attempt.delivery.delivery_id,
        audit_id=attempt.delivery.audit_id,
        provider=attempt.delivery.provider,
        source=attempt.delivery.source,
        attempt_number=1,
        fence=attempt.fence,
        started_at=attempt.started_at,
        settled_at=None,
        outcome=None,
        failure_kind=None,
        status_code=None,
        retry_after_seconds=None,
        duration_ms=None,
        already_held=False,
        run_id=None,
        approval_decision_id=None,
        request_digest=None,
    )
    settled = sending._replace(
        settled_at=attempt.settled_at,
        outcome=Outcome(attempt.outcome),
        failure_kind=FailureKind(attempt.failure_kind),
        status_code=attempt.status_code,
        duration_ms=attempt.duration_ms,
    )
    for kind, facts in ((MetadataKind.ATTEMPT_SENDING, sending), (MetadataKind.CONNECTOR_DELIVERY, settled)):
        yield lines.attempt_line(kind, facts, signer="test", at=attempt.started_at)


def assert_the_ledger_is_whole() -> None:
    """Every entry has a place, every place is signed, and each size has one root, here and in the file outside."""
    entries = EvidenceEntry.objects.count()
    checkpoints.sign_everything()
    assert tree.size() >= entries
    kept = [notes.read(text).checkpoint for text in notes.split(settings.CAVRA_CHECKPOINT_FILE.read_text())]
    assert [found.size for found in kept] == sorted(found.size for found in kept)
    roots = {(found.size, found.root) for found in kept} | {(size, tree.root(size)) for size in {k.size for k in kept}}
    assert len(roots) == len({size for size, _ in roots})
    assert list(integrity.check(actor=SYSTEM)) == []


def assert_a_bundle_of_everything_verifies(folder: Path) -> str:
    """As an auditor finds it, with a key and checkpoints of their own, by the verifier alone. What it said."""
    path, verifier = folder / "whole.zip", folder / "verify_evidence.py"
    held = list(notes.split(settings.CAVRA_CHECKPOINT_FILE.read_text()))
    with path.open("wb") as file:
        file.writelines(exports.export(actor=SYSTEM, held=held).chunks())
    with zipfile.ZipFile(path) as bundle:
        verifier.write_bytes(bundle.read(verifier.name))
    key = str(ledger_keys.announced()[0].key)
    command = [sys.executable, "-I", verifier, path, "--key", key, "--checkpoints", settings.CAVRA_CHECKPOINT_FILE]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "tampered" not in done.stdout
    return done.stdout
