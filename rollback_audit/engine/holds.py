"""Legal holds: what may not be pruned, whoever asks, until somebody releases it."""

import json
from collections.abc import Iterable
from typing import NamedTuple

from django.db import transaction

from rollback_audit.engine import bulk, clock, ledger
from rollback_audit.engine.actors import Actor
from rollback_audit.errors import InvalidInput, StateForbids, UnknownRecord
from rollback_audit.ids import new_id
from rollback_audit.models import DeliveryPlan, DrillSchedule, EvidencePackage, LegalHold
from rollback_audit.records.history import HistoryRow
from rollback_audit.records.retention import LegalHoldRecord
from rollback_audit.redaction import check_text
from rollback_audit.states import HoldScope, MetadataKind, Permission

MOST_REASON = 500
# Where each scope's subject is found, and the field of a history row that its line is indexed by.
_SUBJECTS = {
    HoldScope.AUDIT: (EvidencePackage, "audit_id"),
    HoldScope.DELIVERY: (DeliveryPlan, "delivery_id"),
    HoldScope.SCHEDULE: (DrillSchedule, "schedule_id"),
}


class Held(NamedTuple):
    """What the holds in force cover. A held delivery counts with its whole package."""

    everything: bool
    audits: frozenset[str]
    schedules: frozenset[str]

    def __bool__(self) -> bool:
        return self.everything or bool(self.audits or self.schedules)


def place(*, actor: Actor, scope: HoldScope, subject_id: str = "", reason: str) -> tuple[LegalHoldRecord, HistoryRow]:
    """Hold evidence back from pruning, from now on. Raises InvalidInput (a subject that is not there, no reason)."""
    actor.require(Permission.RETAIN_EVIDENCE)
    reason = check_text("reason", reason, MOST_REASON, required=True)
    _check_subject(scope, check_text("subject_id", subject_id, 64))
    with transaction.atomic():
        wait_for_pruning()
        row = LegalHold.objects.create(
            hold_id=new_id("gordhold"),
            scope=scope,
            subject_id=subject_id,
            reason=reason,
            placed_by=actor.name,
            placed_at=clock.now(),
        )
        line = _line(row, session_id=row.hold_id, actor=actor)
        ledger.append([line])
    return record(row), line


def release(*, actor: Actor, hold_id: str, reason: str) -> tuple[LegalHoldRecord, HistoryRow]:
    """End a hold. What it kept may be pruned again, unless another hold covers it.

    Raises UnknownRecord, InvalidInput (no reason) and StateForbids (hold_released).
    """
    actor.require(Permission.RETAIN_EVIDENCE)
    reason = check_text("reason", reason, MOST_REASON, required=True)
    with transaction.atomic():
        released = LegalHold.objects.filter(hold_id=hold_id, released_at__isnull=True).update(
            released_at=clock.now(), released_by=actor.name, release_reason=reason
        )
        row = find(hold_id)
        if not released:
            raise StateForbids("This hold was released already.", code="hold_released")
        line = _line(row, session_id=f"{hold_id}-released", actor=actor)
        ledger.append([line])
    return record(row), line


def read(*, actor: Actor, hold_id: str) -> LegalHoldRecord:
    """A hold as it stands."""
    actor.require(Permission.VIEW_EVIDENCE)
    return record(find(hold_id))


def find(hold_id: str) -> LegalHold:
    row = LegalHold.objects.filter(hold_id=hold_id).first()
    if row is None:
        raise UnknownRecord("No legal hold with this id.")
    return row


def record(row: LegalHold) -> LegalHoldRecord:
    return LegalHoldRecord(
        hold_id=row.hold_id,
        scope=HoldScope(row.scope),
        subject_id=row.subject_id or None,
        reason=row.reason,
        placed_by=row.placed_by,
        placed_at=row.placed_at,
        released_at=row.released_at,
        released_by=row.released_by or None,
        release_reason=row.release_reason or None,
    )


def in_force() -> Held:
    """What is held now. Ask after `wait_for_pruning`, in the transaction that acts on it."""
    rows = LegalHold.objects.filter(released_at__isnull=True).order_by().values_list("scope", "subject_id")
    subjects: dict[str, set[str]] = {scope: set() for scope in HoldScope}
    for scope, subject_id in rows:
        subjects[scope].add(subject_id)
    plans = DeliveryPlan.objects.filter(delivery_id__in=subjects[HoldScope.DELIVERY])
    of_deliveries = set(plans.values_list("package__audit_id", flat=True)) if subjects[HoldScope.DELIVERY] else set()
    return Held(
        everything=bool(subjects[HoldScope.EVERYTHING]),
        audits=frozenset(subjects[HoldScope.AUDIT] | of_deliveries),
        schedules=frozenset(subjects[HoldScope.SCHEDULE]),
    )


def mentions(schedule_ids: Iterable[str]) -> list[str]:
    """Texts of which a package's canonical record has one if it covers any of these schedules."""
    return [f'"schedule_id":{json.dumps(item, ensure_ascii=False)}' for item in sorted(schedule_ids)]


def wait_for_pruning() -> None:
    """Let no batch be pruned beside this transaction, so that a hold counts from the moment it is placed."""
    bulk.take_turns(LegalHold)


def _check_subject(scope: HoldScope, subject_id: str) -> None:
    if scope is HoldScope.EVERYTHING:
        if subject_id:
            raise InvalidInput({"subject_id": ["A hold on everything names nothing."]})
        return
    model, column = _SUBJECTS[scope]
    if not subject_id or not model._default_manager.filter(**{column: subject_id}).exists():
        raise InvalidInput({"subject_id": [f"No {scope} has this id."]})


def _line(row: LegalHold, *, session_id: str, actor: Actor) -> HistoryRow:
    scope = HoldScope(row.scope)
    return ledger.row(
        MetadataKind.LEGAL_HOLD_CHANGED,
        session_id=session_id,
        signer=actor.name,
        at=row.released_at or row.placed_at,
        record=record(row),
        **({_SUBJECTS[scope][1]: row.subject_id} if row.subject_id else {}),
    )
