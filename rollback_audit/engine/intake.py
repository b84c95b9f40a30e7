"""What comes in: drill schedules, their notifications, and people's words on the routes those made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from rollback_audit.engine import clock, connectors, ledger, present_drills, queries
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.drill_input import (
    CHANGEABLE,
    RouteWord,
    checked_schedule,
    checked_word,
    find_schedule,
)
from rollback_audit.engine.labels import label
from rollback_audit.engine.notifications import NotificationAnswer, deliver_notifications
from rollback_audit.errors import InvalidInput, StateForbids, UnknownRecord
from rollback_audit.ids import new_id
from rollback_audit.models import DrillAcknowledgement, DrillRoute, DrillSchedule
from rollback_audit.records.drills import DrillAcknowledgementRecord, DrillScheduleRecord
from rollback_audit.records.history import HistoryRow
from rollback_audit.states import AcknowledgementState, MetadataKind, Permission

__all__ = [
    "NotificationAnswer",
    "RouteWord",
    "acknowledge",
    "acknowledge_bulk",
    "change_schedule",
    "deliver_notifications",
    "save_schedule",
]

MOST_BULK_ROUTES = 100

Acknowledged = tuple[DrillAcknowledgementRecord, HistoryRow]


def save_schedule(*, actor: Actor, schedule: DrillScheduleRecord) -> tuple[DrillScheduleRecord, HistoryRow]:
    """Add a schedule. Raises InvalidInput naming each field, and StateForbids where the id is taken."""
    actor.require(Permission.EDIT_SCHEDULES)
    connectors.sync()
    schedule = checked_schedule(schedule, fields=["schedule_id", *CHANGEABLE])
    with transaction.atomic():
        now = clock.now()
        row = DrillSchedule(schedule_id=schedule.schedule_id, created_at=now)
        _fill(row, schedule, at=now)
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            raise StateForbids("A schedule with this id exists.", code="schedule_exists") from None
        line = _schedule_line(row, actor=actor, at=now, change="added")
        ledger.append([line])
    return present_drills.schedule(row), line


def change_schedule(
    *, actor: Actor, schedule_id: str, changes: Mapping[str, Any]
) -> tuple[DrillScheduleRecord, HistoryRow]:
    """Change some fields of a schedule; its routes stay as they were made.

    Raises UnknownRecord, and InvalidInput naming the field that is unknown or refused.
    """
    actor.require(Permission.EDIT_SCHEDULES)
    unknown = changes.keys() - CHANGEABLE
    if unknown:
        raise InvalidInput({name: ["This field cannot be changed."] for name in sorted(unknown)})
    connectors.sync()
    with transaction.atomic():
        row = find_schedule(schedule_id)
        schedule = checked_schedule(replace(present_drills.schedule(row), **changes), fields=changes.keys())
        now = clock.now()
        _fill(row, schedule, at=now)
        row.save(update_fields=[*CHANGEABLE, "updated_at"])
        line = _schedule_line(row, actor=actor, at=now, change="changed")
        ledger.append([line])
    return present_drills.schedule(row), line


def acknowledge(
    *,
    actor: Actor,
    schedule_id: str,
    provider: str,
    acknowledgement_state: AcknowledgementState,
    external_ref: str = "",
    notes: str = "",
    plan_id: str = "",
    acknowledged_by: str = "",
) -> Acknowledged:
    """Say a person's word on a route: the one of `plan_id`, else the newest. Raises UnknownRecord without a route."""
    actor.require(Permission.ACKNOWLEDGE_DRILL)
    word = RouteWord(
        schedule_id=schedule_id,
        provider=provider,
        acknowledgement_state=acknowledgement_state,
        external_ref=external_ref,
        notes=notes,
        plan_id=plan_id,
    )
    by = label("acknowledged_by", acknowledged_by, actor=actor)
    word = checked_word(word)
    with transaction.atomic():
        return _store([(word, _route(word))], actor=actor, by=by)[0]


def acknowledge_bulk(*, actor: Actor, routes: Sequence[RouteWord], acknowledged_by: str = "") -> list[Acknowledged]:
    """Say 1 to 100 words, all or none. InvalidInput names every refused `routes.<i>.<field>`."""
    actor.require(Permission.ACKNOWLEDGE_DRILL)
    if not 1 <= len(routes) <= MOST_BULK_ROUTES:
        raise InvalidInput({"routes": [f"Between 1 and {MOST_BULK_ROUTES} routes."]})
    by = label("acknowledged_by", acknowledged_by, actor=actor)
    with transaction.atomic():
        found: list[tuple[RouteWord, DrillRoute]] = []
        refused: dict[str, list[str]] = {}
        for position, word in enumerate(routes):
            try:
                checked = checked_word(word)
                found.append((checked, _route(checked)))
            except InvalidInput as problem:
                refused |= {f"routes.{position}.{name}": messages for name, messages in problem.fields.items()}
            except UnknownRecord as problem:
                refused[f"routes.{position}.schedule_id"] = [problem.detail]
        if refused:
            raise InvalidInput(refused)
        return _store(found, actor=actor, by=by)


def _fill(row: DrillSchedule, schedule: DrillScheduleRecord, *, at: datetime) -> None:
    for name in CHANGEABLE:
        setattr(row, name, getattr(schedule, name))
    row.updated_at = at


def _schedule_line(row: DrillSchedule, *, actor: Actor, at: datetime, change: str) -> HistoryRow:
    return ledger.row(
        MetadataKind.SCHEDULE_CHANGED,
        session_id=ledger.new_entry_id(),
        signer=actor.name,
        at=at,
        schedule_id=row.schedule_id,
        record={"change": change, "schedule": ledger.jsonable(present_drills.schedule(row))},
    )


def _route(word: RouteWord) -> DrillRoute:
    routes = queries.routes().filter(schedule__schedule_id=word.schedule_id, provider=word.provider)
    if word.plan_id:
        routes = routes.filter(plan__plan_id=word.plan_id)
    route = routes.first()
    if route is None:
        raise UnknownRecord("No route of this schedule, provider and plan.")
    return route


def _store(words: Iterable[tuple[RouteWord, DrillRoute]], *, actor: Actor, by: str) -> list[Acknowledged]:
    """Store acknowledgements with their ledger lines, in the caller's transaction."""
    now = clock.now()
    rows = [
        DrillAcknowledgement(
            acknowledgement_id=new_id("gordack"),
            route=route,
            acknowledgement_state=word.acknowledgement_state.value,
            external_ref=word.external_ref,
            notes=word.notes,
            acknowledged_by=by,
            actor=actor.name,
            acknowledged_at=now,
        )
        for word, route in words
    ]
    DrillAcknowledgement.objects.bulk_create(rows)
    records = [present_drills.acknowledgement(row) for row in rows]
    stored = [(record, _acknowledgement_line(record, actor=actor)) for record in records]
    ledger.append(line for _, line in stored)
    return stored


def _acknowledgement_line(record: DrillAcknowledgementRecord, *, actor: Actor) -> HistoryRow:
    return ledger.row(
        MetadataKind.NOTIFICATION_ACK,
        session_id=record.acknowledgement_id,
        signer=actor.name,
        at=record.acknowledged_at,
        record=record,
        decision_count=1,
        schedule_id=record.schedule_id,
        provider=record.provider,
        acknowledgement_state=record.acknowledgement_state,
    )
