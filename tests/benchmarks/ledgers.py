"""The ledger's part of what is measured: writers side by side, and a bundle of everything with its verifier."""

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.db import connection, connections, transaction

from rollback_audit.engine import bulk, checkpoints, clock, exports, ledger, ledger_keys, proofs
from rollback_audit.engine.actors import SYSTEM
from rollback_audit.engine.lines import AttemptFacts, attempt_line
from rollback_audit.evidence.bundle import VERIFIER
from rollback_audit.ids import new_id
from rollback_audit.models import EvidenceEntry
from rollback_audit.states import MetadataKind, Outcome, Source

_TRANSACTION_SECONDS = 0.005
_BATCH = 10_000
_BUNDLE = "whole.zip"
_PROOFS = 200
_LOOK_EVERY_SECONDS = 0.01

Figures = dict[str, float]


def write(writers: int, total: int) -> Figures:
    """Have writers append `total` lines, one in each transaction, which takes 5 ms beside that."""
    share = total // writers
    started = time.perf_counter()
    with ThreadPoolExecutor(writers) as pool:
        for done in [pool.submit(_write, share) for _ in range(writers)]:
            done.result()
    return {"seconds": time.perf_counter() - started, "rows": share * writers, "mebibytes": 0.0}


def _write(count: int) -> None:
    try:
        for _ in range(count):
            with transaction.atomic():
                line = ledger.row(
                    MetadataKind.CONNECTOR_CHANGED,
                    session_id=ledger.new_entry_id(),
                    signer="benchmark",
                    at=clock.now(),
                    record={"change": "held", "reason": ""},
                )
                ledger.append([line])
                time.sleep(_TRANSACTION_SECONDS)
    finally:
        connections.close_all()


def fill(count: int) -> Figures:
    """A ledger of `count` entries, all placed and signed: first deliveries, each sent and confirmed."""
    started = time.perf_counter()
    entries = _attempts(count // 2)
    while rows := list(islice(entries, _BATCH)):
        with transaction.atomic(), connection.cursor() as cursor:
            bulk.insert(cursor, EvidenceEntry, ledger.COLUMNS, rows)
    size = checkpoints.sign_everything().tree_size
    return {"seconds": time.perf_counter() - started, "rows": size}


def _attempts(count: int) -> Iterator[tuple[object, ...]]:
    begun = clock.now() - timedelta(days=1)
    for number in range(count):
        started = begun + timedelta(milliseconds=number)
        settled = started + timedelta(milliseconds=20)
        facts = AttemptFacts(
            event_id=new_id("gordackevent"),
            delivery_id=new_id("gordackdelivery"),
            audit_id=new_id("gordackaudit"),
            provider="webhook",
            source=Source.ACKNOWLEDGEMENT_AUDIT.value,
            attempt_number=1,
            fence=1,
            started_at=started,
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
        yield attempt_line(MetadataKind.ATTEMPT_SENDING, facts, signer="benchmark", at=started)
        confirmed = facts._replace(settled_at=settled, outcome=Outcome.CONFIRMED, status_code=200, duration_ms=20)
        yield attempt_line(MetadataKind.CONNECTOR_DELIVERY, confirmed, signer="benchmark", at=settled)


def export() -> Figures:
    """Write the bundle of everything."""
    started = time.perf_counter()
    with _bundle().open("wb") as file:
        file.writelines(exports.export(actor=SYSTEM).chunks())
    return {"seconds": time.perf_counter() - started}


def verify() -> Figures:
    """Have the verifier check that bundle, as an auditor starts it. Its time and its peak memory."""
    command = [sys.executable, "-I", str(VERIFIER), str(_bundle()), "--key", str(ledger_keys.announced()[0].key)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    # Looked up while it runs: what the system says of it afterwards counts this process in, as it was when it forked.
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _peak_mebibytes(process.pid))
        time.sleep(_LOOK_EVERY_SECONDS)
    if process.returncode:
        raise RuntimeError("the bundle was not found intact")
    return {"seconds": time.perf_counter() - started, "mebibytes": peak}


def _peak_mebibytes(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def prove() -> Figures:
    """The time of one entry's proof against the newest checkpoint: the median over entries chosen at random."""
    newest = EvidenceEntry.objects.order_by("-pk").values_list("pk", flat=True)[0]
    chosen = random.Random(9162).sample(range(1, newest + 1), min(_PROOFS, newest))
    names = EvidenceEntry.objects.filter(pk__in=chosen).values_list("entry_id", flat=True)
    took = []
    for name in list(names):
        started = time.perf_counter()
        if not proofs.of_entry(actor=SYSTEM, session_id=name).audit_path:
            raise RuntimeError("an entry has no proof")
        took.append(time.perf_counter() - started)
    return {"seconds": statistics.median(took), "rows": len(took)}


def _bundle() -> Path:
    folder: Path = settings.CAVRA_CHECKPOINT_FILE.parent
    return folder / _BUNDLE
