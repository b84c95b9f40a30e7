"""First deliveries: a package to each selected connector, tried once, here and now. Every later try is the worker's."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import Send, Settlement
from rollback_audit.engine import attempts, clock, connectors, ledger, packages, present
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.attempts import Claim
from rollback_audit.engine.labels import label
from rollback_audit.engine.lines import attempt_entry_id
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.errors import InvalidInput, UnknownRecord
from rollback_audit.ids import new_id
from rollback_audit.models import Connector, Delivery, DeliveryAttempt, DeliveryPlan, EvidencePackage
from rollback_audit.records.deliveries import (
    AttemptRecord,
    ConnectorDeliveryRecord,
    DeliveryDetailRecord,
    DeliveryPlanRecord,
    DestinationRecord,
)
from rollback_audit.records.drills import AuditPackageRecord
from rollback_audit.records.history import HistoryRow
from rollback_audit.redaction import check_text
from rollback_audit.states import ConnectorStanding, DeliveryState, FailureKind, MetadataKind, Outcome, Permission

AUDIT_EVENT_TYPE = "cavra.go_backend.rollback_drill.acknowledgement_audit_delivery"
_ATTEMPT_RELATIONS = ("delivery", "approval", "result__run")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageDelivery:
    """What came of delivering a package. `metadata` is the line of the first failure, or of the first attempt."""

    delivery_plan: DeliveryPlanRecord
    plan_metadata: HistoryRow
    delivery: ConnectorDeliveryRecord
    metadata: HistoryRow
    delivery_metadata: list[HistoryRow]
    success: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverAuditAnswer:
    """An audit package and what came of delivering it."""

    audit_package: AuditPackageRecord
    audit_metadata: HistoryRow
    delivery_plan: DeliveryPlanRecord
    plan_metadata: HistoryRow
    delivery: ConnectorDeliveryRecord
    metadata: HistoryRow
    delivery_metadata: list[HistoryRow]
    success: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a package is to be delivered. `timeout_seconds` bounds each whole exchange."""

    cadence: str = "on_demand"
    schedule_ref: str = ""
    next_delivery_at: datetime | None = None
    timeout_seconds: float = 10.0
    generated_by: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A delivery plan, written and on its way: its attempts are on the wire.

    `prepared_at` (time.monotonic) is from before the leases began, so that a pause never adds to them.
    """

    plan: DeliveryPlan
    plan_metadata: HistoryRow
    claims: list[Claim]
    prepared_at: float


def deliver_audit(
    *,
    actor: Actor,
    filters: AuditFilters,
    delivery_provider: str = "all",
    cadence: str = "on_demand",
    schedule_ref: str = "",
    next_delivery_at: datetime | None = None,
    timeout_seconds: float = 10.0,
    generated_by: str = "",
) -> DeliverAuditAnswer:
    """Package the acknowledgements and deliver the package to the named connectors (comma list, or all).

    A delivery that fails is an answer with `success` False, not an error. Raises InvalidInput for unknown providers.
    """
    actor.require(Permission.DELIVER_EVIDENCE)
    connectors.sync()
    chosen = select_connectors("delivery_provider", delivery_provider)
    terms = Terms(
        cadence=check_text("cadence", cadence, 64) or "on_demand",
        schedule_ref=check_text("schedule_ref", schedule_ref, 128),
        next_delivery_at=next_delivery_at,
        timeout_seconds=timeout_seconds,
        generated_by=label("generated_by", generated_by, actor=actor),
    )
    with transaction.atomic():
        package, record, line = packages.build_audit_package(
            actor=actor, filters=filters, generated_by=generated_by, at=clock.now()
        )
        summary = {
            name: value
            for name, value in ledger.jsonable(record).items()
            if name.endswith("_count") or name in {"audit_id", "alert_level", "filters"}
        }
        prepared = prepare(
            actor=actor,
            package=package,
            chosen=chosen,
            event_type=AUDIT_EVENT_TYPE,
            summary=summary,
            routes=ledger.jsonable(record.routes),
            terms=terms,
        )
    sent = send(prepared, timeout_seconds=timeout_seconds)
    return DeliverAuditAnswer(
        audit_package=record,
        audit_metadata=line,
        **{name: getattr(sent, name) for name in PackageDelivery.__dataclass_fields__},
    )


def deliver_package(
    *,
    actor: Actor,
    package: EvidencePackage,
    connectors: Sequence[Connector],
    event_type: str,
    summary: dict[str, Any],
    routes: list[Any],
    cadence: str,
    schedule_ref: str,
    next_delivery_at: datetime | None,
    timeout_seconds: float,
    generated_by: str,
) -> PackageDelivery:
    """Interim door for stored packages."""
    terms = Terms(
        cadence=cadence, schedule_ref=schedule_ref, next_delivery_at=next_delivery_at, generated_by=generated_by
    )
    with transaction.atomic():
        prepared = prepare(
            actor=actor,
            package=package,
            chosen=connectors,
            event_type=event_type,
            summary=summary,
            routes=routes,
            terms=terms,
        )
    return send(prepared, timeout_seconds=timeout_seconds)


def select_connectors(field: str, names: str) -> list[Connector]:
    """The connectors of a comma list, or all that are enabled. Raises InvalidInput for an unknown name."""
    rows = {row.name: row for row in Connector.objects.exclude(configuration=ConnectorStanding.UNKNOWN)}
    if names.strip() == "all":
        chosen = [row for row in rows.values() if row.configuration != ConnectorStanding.DISABLED]
        if not chosen:
            raise InvalidInput({field: ["No connector is configured. Name a file in CAVRA_CONNECTOR_CONFIG."]})
        return chosen
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",")))
    if any(name not in rows for name in wanted):
        raise InvalidInput({field: [f"Unknown provider. Configured: {', '.join(sorted(rows)) or 'none'}."]})
    return [rows[name] for name in wanted]


def prepare(
    *,
    actor: Actor,
    package: EvidencePackage,
    chosen: Sequence[Connector],
    event_type: str,
    summary: dict[str, Any],
    routes: list[Any],
    terms: Terms,
) -> Prepared:
    """Write the delivery plan, its deliveries and their first attempts, inside the caller's transaction.

    Whatever happens to this process afterwards, the attempts are there: the sweeper settles them as unknown.
    """
    prepared_at = time.monotonic()
    now = clock.now()
    plan = _store_plan(
        actor=actor,
        package=package,
        chosen=chosen,
        event={"event_type": event_type, "summary": summary, "routes": routes},
        terms=terms,
        now=now,
    )
    line = _plan_line(plan, actor=actor)
    ledger.append([line])
    claims = [_first_claim(plan, row, actor=actor, now=now, terms=terms) for row in chosen]
    attempts.record_sending(claims, after_unknown=[])
    return Prepared(plan=plan, plan_metadata=line, claims=claims, prepared_at=prepared_at)


def send(prepared: Prepared, *, timeout_seconds: float) -> PackageDelivery:
    """Drive the prepared attempts and record what came of them. Call it outside any transaction."""
    start_by = prepared.prepared_at + attempts.lease_seconds(timeout_seconds) - timeout_seconds
    rows = Connector.objects.in_bulk([claim.connector_pk for claim in prepared.claims])
    sends: list[Send[Claim]] = []
    settled: list[Settlement[Claim]] = []
    for claim in prepared.claims:
        settings = connectors.settings_of(rows[claim.connector_pk])
        if settings is None or rows[claim.connector_pk].standing != ConnectorStanding.READY:
            settled.append(attempts.not_sent(claim, FailureKind.CONNECTOR_UNAVAILABLE))
            continue
        built = attempts.send_of(claim, settings, timeout_seconds=timeout_seconds, start_by=start_by)
        if isinstance(built, Settlement):
            settled.append(built)
        else:
            sends.append(built)
    with Client[Claim](max_in_flight=max(1, len(sends))) as client:
        settled += client.send_all(sends)
    attempts.settle(settled)
    return _outcome(prepared)


def read_delivery(*, actor: Actor, delivery_id: str, provider: str = "") -> DeliveryDetailRecord:
    """A delivery id with its plan and, for each connector (or the one named), the delivery and its attempts."""
    actor.require(Permission.VIEW_EVIDENCE)
    rows = Delivery.objects.filter(delivery_id=delivery_id).select_related("plan__package").order_by("provider")
    if provider:
        rows = rows.filter(provider=provider)
    deliveries = list(rows)
    if not deliveries:
        raise UnknownRecord("No delivery with this id.")
    tries = DeliveryAttempt.objects.filter(delivery__in=deliveries).select_related(*_ATTEMPT_RELATIONS)
    records = [present.attempt(row) for row in tries.order_by("delivery__provider", "number")]
    return DeliveryDetailRecord(
        delivery_plan=present.delivery_plan(deliveries[0].plan),
        destinations=[
            DestinationRecord(
                delivery=present.delivery(row), attempts=[item for item in records if item.provider == row.provider]
            )
            for row in deliveries
        ],
    )


def _store_plan(
    *,
    actor: Actor,
    package: EvidencePackage,
    chosen: Sequence[Connector],
    event: dict[str, Any],
    terms: Terms,
    now: datetime,
) -> DeliveryPlan:
    delivery_id = new_id("gordackdelivery")
    summary = {
        **event["summary"],
        "delivery_id": delivery_id,
        "cadence": terms.cadence,
        "schedule_ref": terms.schedule_ref or None,
        "next_delivery_at": ledger.jsonable(terms.next_delivery_at),
    }
    text = ledger.canonical_text({**event, "summary": summary})
    return DeliveryPlan.objects.create(
        delivery_id=delivery_id,
        package=package,
        event=text,
        event_digest=hashlib.sha256(text.encode()).hexdigest(),
        event_type=event["event_type"],
        selected_providers=[row.name for row in chosen],
        cadence=terms.cadence,
        schedule_ref=terms.schedule_ref,
        next_delivery_at=terms.next_delivery_at,
        generated_by=terms.generated_by,
        actor=actor.name,
        created_at=now,
    )


def _plan_line(plan: DeliveryPlan, *, actor: Actor) -> HistoryRow:
    return ledger.row(
        MetadataKind.DELIVERY_PLAN,
        session_id=plan.delivery_id,
        signer=actor.name,
        at=plan.created_at,
        record=present.delivery_plan(plan),
        connector_delivery_source=plan.package.source,
        providers=list(plan.selected_providers),
        audit_id=plan.package.audit_id,
        delivery_id=plan.delivery_id,
        alert_level=plan.package.alert_level,
        cadence=plan.cadence,
    )


def _first_claim(plan: DeliveryPlan, connector: Connector, *, actor: Actor, now: datetime, terms: Terms) -> Claim:
    delivery = Delivery.objects.create(
        plan=plan,
        connector=connector,
        delivery_id=plan.delivery_id,
        audit_id=plan.package.audit_id,
        provider=connector.name,
        source=plan.package.source,
        event_digest=plan.event_digest,
        event_id=new_id("gordackevent"),
        state=DeliveryState.SENDING,
        attempt_count=1,
        last_attempt_at=now,
        fence=1,
        lease_until=now + timedelta(seconds=attempts.lease_seconds(terms.timeout_seconds)),
        created_at=now,
    )
    return Claim(
        delivery_pk=delivery.pk,
        connector_pk=connector.pk,
        delivery_id=delivery.delivery_id,
        audit_id=delivery.audit_id,
        provider=delivery.provider,
        source=delivery.source,
        event_id=delivery.event_id,
        event_digest=delivery.event_digest,
        event=plan.event,
        event_type=plan.event_type,
        created_at=now,
        drops_repeats=connector.drops_repeats,
        attempt_number=1,
        failure_count=0,
        failed_status_codes="",
        fence=1,
        started_at=now,
        actor=actor.name,
        run=None,
    )


def _outcome(prepared: Prepared) -> PackageDelivery:
    tries = DeliveryAttempt.objects.filter(delivery__delivery_id=prepared.plan.delivery_id, number=1).select_related(
        *_ATTEMPT_RELATIONS
    )
    records = [present.attempt(row) for row in tries.order_by("pk")]
    ids = [attempt_entry_id(MetadataKind.CONNECTOR_DELIVERY, item.event_id, item.attempt_number) for item in records]
    lines = ledger.find(ids)
    ordered = [lines[item] for item in ids if item in lines]
    failed = [line for line in ordered if not line.delivery_success]
    delivery = _connector_delivery(prepared.plan, records)
    return PackageDelivery(
        delivery_plan=present.delivery_plan(prepared.plan),
        plan_metadata=prepared.plan_metadata,
        delivery=delivery,
        metadata=(failed or ordered)[0],
        delivery_metadata=ordered,
        success=delivery.delivery_success,
    )


def _connector_delivery(plan: DeliveryPlan, records: list[AttemptRecord]) -> ConnectorDeliveryRecord:
    failed = [item.provider for item in records if item.outcome is not Outcome.CONFIRMED]
    return ConnectorDeliveryRecord(
        connector_delivery_source=plan.package.source,
        audit_id=plan.package.audit_id,
        delivery_id=plan.delivery_id,
        event_id=records[0].event_id,
        delivery_success=not failed,
        providers=[item.provider for item in records],
        failed_providers=failed,
        status_codes=[item.status_code for item in records if item.status_code is not None],
        attempt_count=len(records),
        attempts=records,
    )
