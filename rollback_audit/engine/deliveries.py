"""First deliveries: a package to each selected connector, tried once, here and now. Every later try is the worker's."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from rollback_audit.engine import clock, connectors, dispatch, ledger, packages, present, providers
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.attempts import check_timeout
from rollback_audit.engine.labels import label
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.errors import UnknownRecord
from rollback_audit.models import Delivery, DeliveryAttempt
from rollback_audit.records.deliveries import (
    ConnectorDeliveryRecord,
    DeliveryDetailRecord,
    DeliveryPlanRecord,
    DestinationRecord,
)
from rollback_audit.records.drills import AuditPackageRecord
from rollback_audit.records.history import HistoryRow
from rollback_audit.redaction import check_text
from rollback_audit.states import Permission

AUDIT_EVENT_TYPE = "cavra.go_backend.rollback_drill.acknowledgement_audit_delivery"


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


def deliver_audit(
    *,
    actor: Actor,
    filters: AuditFilters,
    delivery_provider: str = providers.ALL,
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
    chosen = providers.select(delivery_provider)
    terms = dispatch.Terms(
        cadence=check_text("cadence", cadence, 64) or "on_demand",
        schedule_ref=check_text("schedule_ref", schedule_ref, 128),
        next_delivery_at=next_delivery_at,
        timeout_seconds=check_timeout(timeout_seconds),
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
        prepared = dispatch.prepare(
            actor=actor,
            package=package,
            chosen=chosen,
            event_type=AUDIT_EVENT_TYPE,
            summary=summary,
            routes=ledger.jsonable(record.routes),
            terms=terms,
        )
    sent = dispatch.send(prepared, timeout_seconds=timeout_seconds)
    return DeliverAuditAnswer(
        audit_package=record,
        audit_metadata=line,
        **{name: getattr(sent, name) for name in dispatch.PackageDelivery.__dataclass_fields__},
    )


def read_delivery(*, actor: Actor, delivery_id: str, provider: str = "") -> DeliveryDetailRecord:
    """A delivery id with its plan and, for each connector (or the one named), the delivery and its attempts."""
    actor.require(Permission.VIEW_EVIDENCE)
    rows = Delivery.objects.filter(delivery_id=delivery_id).select_related("plan__package").order_by("provider")
    if provider:
        rows = rows.filter(provider=provider)
    deliveries = list(rows)
    if not deliveries:
        raise UnknownRecord("No delivery with this id.")
    tries = DeliveryAttempt.objects.filter(delivery__in=deliveries).select_related(*dispatch.ATTEMPT_RELATIONS)
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
