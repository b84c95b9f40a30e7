"""Acknowledgement audit packages: which drills were answered, by whom, and which still wait."""

import hashlib
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, QuerySet, Subquery

from rollback_audit.engine import clock, ledger, present_drills
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.labels import label
from rollback_audit.ids import new_id
from rollback_audit.models import DrillAcknowledgement, DrillRoute, EvidencePackage
from rollback_audit.planning import packages as rules
from rollback_audit.planning.packages import RouteStanding
from rollback_audit.records.drills import AuditPackageRecord, AuditRouteRecord
from rollback_audit.records.history import HistoryRow
from rollback_audit.redaction import check_text
from rollback_audit.states import OUTSTANDING, AlertLevel, MetadataKind, Permission, Source

AUDIT_PREFIX = "gordackaudit"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilters:
    """Which routes a package covers; empty means all. Exact matches."""

    schedule_id: str = ""
    provider: str = ""
    owner: str = ""


def create_audit_package(
    *, actor: Actor, filters: AuditFilters, generated_by: str = ""
) -> tuple[AuditPackageRecord, HistoryRow]:
    """Package the current routes that match, with each one's latest acknowledgement. No match is an empty package."""
    actor.require(Permission.DELIVER_EVIDENCE)
    with transaction.atomic():
        _, record, line = build_audit_package(actor=actor, filters=filters, generated_by=generated_by, at=clock.now())
    return record, line


def build_audit_package(
    *, actor: Actor, filters: AuditFilters, generated_by: str, at: datetime
) -> tuple[EvidencePackage, AuditPackageRecord, HistoryRow]:
    """Make, store and record a package inside the caller's transaction. The caller has asked for the permission."""
    rows = _matching(filters)
    standings = [standing(row) for row in rows]
    record = AuditPackageRecord(
        audit_id=new_id(AUDIT_PREFIX),
        generated_at=at,
        generated_by=label("generated_by", generated_by, actor=actor),
        filters={name: value for name, value in asdict(filters).items() if value},
        alert_level=rules.alert_level(standings, now=at),
        routes=_with_answers(rows),
        digest="",
        **rules.counts(standings)._asdict(),
    )
    row = store(
        actor=actor,
        source=Source.ACKNOWLEDGEMENT_AUDIT,
        audit_id=record.audit_id,
        alert_level=record.alert_level,
        route_count=record.route_count,
        generated_by=record.generated_by,
        at=at,
        content={name: value for name, value in ledger.jsonable(record).items() if name != "digest"},
    )
    record = replace(record, digest=row.digest)
    line = _line(record, actor=actor)
    ledger.append([line])
    return row, record, line


def store(
    *,
    actor: Actor,
    source: Source,
    audit_id: str,
    alert_level: AlertLevel,
    route_count: int,
    generated_by: str,
    at: datetime,
    content: dict[str, Any],
) -> EvidencePackage:
    """Store evidence of one kind inside the caller's transaction. `content` is its public record as JSON types."""
    text = ledger.canonical_text(content)
    return EvidencePackage.objects.create(
        audit_id=audit_id,
        source=source.value,
        alert_level=alert_level.value,
        route_count=route_count,
        record=text,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        generated_by=generated_by,
        actor=actor.name,
        created_at=at,
    )


def current_routes() -> QuerySet[DrillRoute]:
    """The newest route of each schedule and provider: a repeated notification takes the older one's place.

    Annotated with the newest acknowledgement of that route, `answer_pk` and `answer_state` (None: outstanding), and
    with `waiting_since`, when the first notification went out that nobody answered: repeating it does not restart the
    clock.
    """
    newest = DrillRoute.objects.order_by().values("schedule", "provider").annotate(newest=Max("id")).values("newest")
    answers = DrillAcknowledgement.objects.filter(route=OuterRef("pk")).order_by("-id")
    answered_since = DrillAcknowledgement.objects.filter(
        route__schedule=OuterRef("schedule"), route__provider=OuterRef("provider"), route__gte=OuterRef("pk")
    )
    unanswered = DrillRoute.objects.filter(
        ~Exists(answered_since), schedule=OuterRef("schedule"), provider=OuterRef("provider")
    ).order_by("id")
    return (
        DrillRoute.objects.filter(id__in=newest)
        .select_related("plan", "schedule")
        .annotate(
            answer_pk=Subquery(answers.values("id")[:1]),
            answer_state=Subquery(answers.values("acknowledgement_state")[:1]),
            waiting_since=Subquery(unanswered.values("created_at")[:1]),
        )
        .order_by("-id")
    )


def standing(row: Any) -> RouteStanding:
    """How a row of `current_routes` stands, for the rules."""
    return RouteStanding(
        row.answer_state or OUTSTANDING, row.waiting_since or row.created_at, row.acknowledgement_minutes
    )


def _line(record: AuditPackageRecord, *, actor: Actor) -> HistoryRow:
    return ledger.row(
        MetadataKind.AUDIT_PACKAGE,
        session_id=record.audit_id,
        signer=actor.name,
        at=record.generated_at,
        record=record,
        decision_count=record.route_count,
        blocked_count=record.outstanding_count,
        provider=record.filters.get("provider"),
        schedule_id=record.filters.get("schedule_id"),
        audit_id=record.audit_id,
        alert_level=record.alert_level,
    )


def _matching(filters: AuditFilters) -> list[Any]:
    """Rows of `current_routes`, typed Any for their annotations."""
    check_text("schedule_id", filters.schedule_id, 64)
    check_text("provider", filters.provider, 63)
    check_text("owner", filters.owner, 128)
    wanted = {
        "schedule__schedule_id": filters.schedule_id,
        "provider": filters.provider,
        "owner": filters.owner,
    }
    return list(current_routes().filter(**{name: value for name, value in wanted.items() if value}))


def _with_answers(rows: list[Any]) -> list[AuditRouteRecord]:
    answers = DrillAcknowledgement.objects.defer("notes").in_bulk([row.answer_pk for row in rows if row.answer_pk])
    return [present_drills.audit_route(row, answers.get(row.answer_pk)) for row in rows]
