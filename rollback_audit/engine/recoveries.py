"""Recovery of connectors: a playbook opens or updates recoveries, people's words close and reopen them.

A recovery is one outage of one connector. A connector's row is locked while its recovery is opened, updated or
reopened, and a partial unique constraint refuses a second open one all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from rollback_audit.engine import clock, ledger, outages, present_recoveries
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.labels import label
from rollback_audit.engine.outages import Outage
from rollback_audit.errors import InvalidInput, StateForbids, UnknownRecord
from rollback_audit.ids import new_id
from rollback_audit.models import (
    Connector,
    EvidenceEntry,
    Recovery,
    RecoveryClosure,
    RecoveryPlaybook,
    RecoveryPlaybookEntry,
)
from rollback_audit.planning import recovery as rules
from rollback_audit.records.history import HistoryRow
from rollback_audit.records.recoveries import RecoveryClosureRecord, RecoveryPlaybookRecord, RecoveryRecord
from rollback_audit.redaction import check_text
from rollback_audit.states import ClosureState, FailureKind, MetadataKind, Permission, RecoveryState

MIN_FAILURE_COUNT = 2
MOST_FAILURES = 10_000
LOOKBACK_HOURS = 24
MOST_LOOKBACK_HOURS = 720
MOST_REFS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What a person says of a recovery. `verification_refs` are ids of ledger lines.

    Deliveries, runs and execution records are found by their own ids, a test event by its line's.
    """

    closure_state: ClosureState = ClosureState.RESOLVED
    external_ref: str = ""
    notes: str = ""
    verification_refs: Sequence[str] = ()
    closed_by: str = ""


def make_playbook(
    *,
    actor: Actor,
    min_failure_count: int = MIN_FAILURE_COUNT,
    lookback_hours: int = LOOKBACK_HOURS,
    generated_by: str = "",
) -> tuple[RecoveryPlaybookRecord, HistoryRow]:
    """Look at the failures of the last hours: what to do for each connector that failed so often.

    Opens a recovery for each of them, or brings its open one up to date. Raises InvalidInput.
    """
    actor.require(Permission.OPEN_RECOVERY)
    _bounded("min_failure_count", min_failure_count, MOST_FAILURES)
    _bounded("lookback_hours", lookback_hours, MOST_LOOKBACK_HOURS)
    with transaction.atomic():
        now = clock.now()
        row = RecoveryPlaybook(
            playbook_id=new_id("gordackplaybook"),
            min_failure_count=min_failure_count,
            lookback_hours=lookback_hours,
            generated_by=label("generated_by", generated_by, actor=actor),
            actor=actor.name,
            generated_at=now,
        )
        since = now - timedelta(hours=lookback_hours)
        keys = outages.failing(since=since, at_least=min_failure_count)
        connectors = Connector.objects.select_for_update().filter(pk__in=keys).order_by("pk")
        recoveries = [_opened(row, connector, since=since, actor=actor) for connector in connectors]
        row.provider_count = len(recoveries)
        row.save(force_insert=True)
        entries = RecoveryPlaybookEntry.objects.bulk_create([_entry(row, item) for item in recoveries])
        record = present_recoveries.playbook(row, entries)
        line = ledger.row(
            MetadataKind.RECOVERY_PLAYBOOK,
            session_id=row.playbook_id,
            signer=actor.name,
            at=now,
            record=record,
            decision_count=row.provider_count,
            failed_providers=[item.provider for item in record.provider_playbooks],
        )
        ledger.append([line])
    return record, line


def close(
    *, actor: Actor, playbook_id: str, provider: str, closing: Closing
) -> tuple[RecoveryClosureRecord, RecoveryRecord, HistoryRow]:
    """Say a word on the recovery that a playbook lists for a connector: the word, the recovery after it, the line.

    Raises UnknownRecord, InvalidInput (a reference that names nothing, a reason that is missing) and StateForbids
    (recovery_unproven, recovery_closed, recovery_open, recovery_open_elsewhere).
    """
    actor.require(Permission.CLOSE_RECOVERY)
    closed_by = label("closed_by", closing.closed_by, actor=actor)
    external_ref = check_text("external_ref", closing.external_ref, 200)
    notes = check_text("notes", closing.notes, 2000, multiline=True)
    if rules.needs_reason(closing.closure_state) and not (external_ref.strip() or notes.strip()):
        raise InvalidInput({"external_ref": [f"{closing.closure_state} wants a reason, here or in notes."]})
    refs = _existing(closing.verification_refs)
    playbook = find_playbook(playbook_id)
    with transaction.atomic():
        row = _listed(playbook, provider)
        _judge(row, closing.closure_state)
        closure = RecoveryClosure.objects.create(
            closure_id=new_id("gordackclosure"),
            recovery=row,
            playbook=playbook,
            closure_state=closing.closure_state,
            external_ref=external_ref,
            notes=notes,
            verification_refs=refs,
            closed_by=closed_by,
            actor=actor.name,
            closed_at=clock.now(),
        )
        _move(row, closing.closure_state, at=closure.closed_at)
        record = present_recoveries.closure(closure)
        line = ledger.row(
            MetadataKind.RECOVERY_CLOSURE,
            session_id=closure.closure_id,
            signer=actor.name,
            at=closure.closed_at,
            record=record,
            decision_count=1,
            provider=row.provider,
            acknowledgement_state=record.closure_state,
        )
        ledger.append([line])
    return record, present_recoveries.recovery(row, now=closure.closed_at), line


def read_playbook(*, actor: Actor, playbook_id: str) -> RecoveryPlaybookRecord:
    """A stored playbook, as it stood when it was made."""
    actor.require(Permission.VIEW_EVIDENCE)
    row = find_playbook(playbook_id)
    return present_recoveries.playbook(row, row.entries.select_related("recovery"))


def read_recovery(*, actor: Actor, recovery_id: str) -> RecoveryRecord:
    """A recovery as it stands now."""
    actor.require(Permission.VIEW_EVIDENCE)
    return present_recoveries.recovery(find_recovery(recovery_id), now=clock.now())


def find_playbook(playbook_id: str) -> RecoveryPlaybook:
    row = RecoveryPlaybook.objects.filter(playbook_id=playbook_id).first()
    if row is None:
        raise UnknownRecord("No recovery playbook with this id.")
    return row


def find_recovery(recovery_id: str) -> Recovery:
    row = Recovery.objects.select_related("connector").filter(recovery_id=recovery_id).first()
    if row is None:
        raise UnknownRecord("No recovery with this id.")
    return row


def _bounded(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise InvalidInput({name: [f"Expected 1 to {most}."]})


def _opened(playbook: RecoveryPlaybook, connector: Connector, *, since: datetime, actor: Actor) -> Recovery:
    """The connector's open recovery, brought up to date, or a new one. The caller holds the connector's row."""
    row = Recovery.objects.select_for_update().filter(connector=connector, state=RecoveryState.OPEN.value).first()
    if row is None:
        row = Recovery(
            recovery_id=new_id("gordackrecovery"),
            connector=connector,
            provider=connector.name,
            category=connector.category,
            state=RecoveryState.OPEN.value,
            opened_by=actor.name,
            opened_at=playbook.generated_at,
            updated_at=playbook.generated_at,
            playbook_id=playbook.playbook_id,
        )
        _take_up(row, outages.begun(connector, since=since))
        row.save(force_insert=True)
        return row
    _take_up(row, outages.since_failure(connector, row.first_failure_at))
    row.playbook_id, row.updated_at = playbook.playbook_id, playbook.generated_at
    row.save(update_fields=["playbook_id", *_FACTS])
    return row


_FACTS = ("failure_count", "first_failure_at", "latest_failure_at", "status_codes", "failure_kinds", "updated_at")


def _take_up(row: Recovery, outage: Outage) -> None:
    row.failure_count = outage.failure_count
    row.first_failure_at, row.latest_failure_at = outage.first_failure_at, outage.latest_failure_at
    row.status_codes, row.failure_kinds = outage.status_codes, [kind.value for kind in outage.failure_kinds]


def _entry(playbook: RecoveryPlaybook, row: Recovery) -> RecoveryPlaybookEntry:
    return RecoveryPlaybookEntry(
        playbook=playbook,
        recovery=row,
        failure_count=row.failure_count,
        first_failure_at=row.first_failure_at,
        latest_failure_at=row.latest_failure_at,
        status_codes=row.status_codes,
        failure_kinds=row.failure_kinds,
        recovery_steps=[step.value for step in rules.steps(FailureKind(kind) for kind in row.failure_kinds)],
    )


def _existing(refs: Sequence[str]) -> list[str]:
    """The references, if each names a line of the ledger. InvalidInput names the others by their place."""
    if len(refs) > MOST_REFS:
        raise InvalidInput({"verification_refs": [f"At most {MOST_REFS}."]})
    for place, ref in enumerate(refs):
        check_text(f"verification_refs.{place}", ref, 128, required=True)
    lines = set(EvidenceEntry.objects.filter(entry_id__in=refs).values_list("entry_id", flat=True))
    unknown = [place for place, ref in enumerate(refs) if ref not in lines]
    if unknown:
        raise InvalidInput({f"verification_refs.{place}": ["No record has this id."] for place in unknown})
    return list(refs)


def _listed(playbook: RecoveryPlaybook, provider: str) -> Recovery:
    """The recovery that the playbook lists for the connector, with both rows locked: connectors come first."""
    connector = Connector.objects.select_for_update().filter(name=provider).first()
    row = Recovery.objects.select_for_update().filter(entries__playbook=playbook, connector=connector).first()
    if connector is None or row is None:
        raise UnknownRecord("The playbook has no entry for this connector.")
    row.connector = connector
    return row


def _judge(row: Recovery, word: ClosureState) -> None:
    """Raise StateForbids where the word may not be said now. Takes up what has failed since the last playbook."""
    if row.state == RecoveryState.OPEN:
        _take_up(row, outages.since_failure(row.connector, row.first_failure_at))
    others = Recovery.objects.filter(connector=row.connector, state=RecoveryState.OPEN.value).exclude(pk=row.pk)
    refusal = rules.why_not(
        RecoveryState(row.state),
        word,
        proven=word is ClosureState.RESOLVED
        and outages.works_again(row.connector, latest_failure_at=row.latest_failure_at),
        has_other_open=others.exists(),
    )
    if refusal is not None:
        raise StateForbids(refusal.detail, code=refusal.code)


def _move(row: Recovery, word: ClosureState, *, at: datetime) -> None:
    """Write what an allowed word makes of a recovery whose row the caller holds."""
    row.state = rules.state_after(RecoveryState(row.state), word).value
    row.closure_state = word.value
    row.closed_at = at if row.state == RecoveryState.CLOSED else None
    row.updated_at = at
    row.save(update_fields=["state", "closure_state", "closed_at", *_FACTS])
