"""What decides whether an entry may be pruned, asked of the database for many entries at once."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q, QuerySet

from rollback_audit.engine import bulk, holds
from rollback_audit.engine.holds import Held
from rollback_audit.engine.runs import queued_session_id
from rollback_audit.models import (
    ApprovalDecision,
    Delivery,
    EvidenceEntry,
    EvidencePackage,
    LedgerLeaf,
    NotificationPlan,
    RetryDecision,
    WorkerResult,
)
from rollback_audit.models.deliveries import OPEN
from rollback_audit.planning.retention import EntryFacts
from rollback_audit.states import MetadataKind

_QUEUED = queued_session_id("")


class Line(NamedTuple):
    """An entry that is old enough to be asked about. `body` is read only where nothing else says what it is about."""

    pk: int
    place: int | None
    kind: MetadataKind
    created_at: datetime
    entry_id: str
    audit_id: str
    schedule_id: str
    body: str | None

    @property
    def subject(self) -> str:
        """The id of the plan, approval plan, notification plan or run that it is about; else its own."""
        if self.kind is MetadataKind.RUN_QUEUED:
            return self.entry_id.removesuffix(_QUEUED)
        if self.kind is MetadataKind.RUN_CHANGED and self.body:
            return str(json.loads(self.body)["record"]["run_id"])
        return self.entry_id


def lines(*, after: int, before: datetime, most: int) -> list[Line]:
    """The next entries written before a moment, after a row id."""
    sql = f"""
        SELECT e.id, l."index", e.metadata_kind, {bulk.moment_column("e.created_at")}, e.entry_id, e.audit_id,
            e.schedule_id, CASE WHEN e.metadata_kind = %s THEN e.body END
        FROM "{EvidenceEntry._meta.db_table}" e
        LEFT JOIN "{LedgerLeaf._meta.db_table}" l ON l.entry_pk = e.id
        WHERE e.id > %s AND e.created_at < %s ORDER BY e.id LIMIT %s
    """  # noqa: S608 - names are ours
    with connection.cursor() as cursor:
        cursor.execute(sql, [MetadataKind.RUN_CHANGED.value, after, bulk.moment(before), most])
        return [_line(row) for row in cursor.fetchall()]


def judged(found: Sequence[Line], *, signed: int, held: Held) -> list[EntryFacts]:
    """The facts about each line. `signed` is the size of the newest checkpoint."""
    audits = {line.audit_id for line in found if line.audit_id}
    subjects = {line.subject for line in found if not line.audit_id}
    open_audits = set(Delivery.objects.filter(OPEN, audit_id__in=audits).values_list("audit_id", flat=True))
    is_open = open_audits | _governing(subjects, Delivery.objects.filter(OPEN))
    is_held = _held_audits(audits, held) | _held_subjects(subjects, held)
    return [
        EntryFacts(
            kind=line.kind,
            created_at=line.created_at,
            is_signed=line.place is not None and line.place < signed,
            is_held=held.everything or line.schedule_id in held.schedules or _key(line) in is_held,
            is_open=_key(line) in is_open,
        )
        for line in found
    ]


def of_held(held: Held) -> QuerySet[Delivery]:
    """The deliveries that holds cover one by one."""
    return Delivery.objects.filter(
        reduce(
            or_,
            (Q(plan__package__record__contains=text) for text in holds.mentions(held.schedules)),
            Q(audit_id__in=held.audits),
        )
    )


def _key(line: Line) -> str:
    return line.audit_id or line.subject


def _held_audits(audits: set[str], held: Held) -> set[str]:
    packages = EvidencePackage.objects.filter(audit_id__in=audits)
    found = audits & held.audits
    for text in holds.mentions(held.schedules):
        found |= set(packages.filter(record__contains=text).values_list("audit_id", flat=True))
    return found


def _held_subjects(subjects: set[str], held: Held) -> set[str]:
    """Whatever decided on a held delivery, and the plans that notified of a held schedule."""
    if not (held.audits or held.schedules):
        return set()
    deliveries = of_held(held)
    notified = NotificationPlan.objects.filter(plan_id__in=subjects, routes__schedule__schedule_id__in=held.schedules)
    decided = RetryDecision.objects.filter(plan__retry_plan_id__in=subjects, delivery__in=deliveries)
    selected = WorkerResult.objects.filter(run__run_id__in=subjects, delivery__in=deliveries)
    return {
        *_governing(subjects, deliveries),
        *notified.order_by().values_list("plan_id", flat=True),
        *decided.order_by().values_list("plan__retry_plan_id", flat=True).distinct(),
        *selected.order_by().values_list("run__run_id", flat=True).distinct(),
    }


def _governing(subjects: set[str], deliveries: QuerySet[Delivery]) -> set[str]:
    """The plans, approval plans and runs among these that approved or sent any of the deliveries."""
    return {subject for found in _governed(subjects, deliveries) for subject in found}


def _governed(subjects: set[str], deliveries: QuerySet[Delivery]) -> Iterator[QuerySet[Any, str]]:
    approvals = ApprovalDecision.objects.filter(delivery__in=deliveries).order_by()
    for path in ("approval_plan__retry_plan__retry_plan_id", "approval_plan__approval_plan_id"):
        yield approvals.filter(**{f"{path}__in": subjects}).values_list(path, flat=True).distinct()
    sent = WorkerResult.objects.filter(run__run_id__in=subjects, approval__isnull=False, delivery__in=deliveries)
    yield sent.order_by().values_list("run__run_id", flat=True).distinct()


def _line(row: tuple[Any, ...]) -> Line:
    pk, place, kind, created_at, *rest = row
    moment = bulk.read_moment(created_at)
    if moment is None:
        raise LookupError("an entry has a moment")
    return Line(pk, place, MetadataKind(kind), moment, *rest)
