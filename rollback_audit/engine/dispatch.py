"""Sending a package for the first time: plan and attempts are written, driven here and now, then settled."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import Send, Settlement
from rollback_audit.engine import attempts, clock, connectors, ledger, present, settlement
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.attempts import Claim
from rollback_audit.engine.lines import attempt_entry_id
from rollback_audit.ids import new_id
from rollback_audit.models import Connector, Delivery, DeliveryAttempt, DeliveryPlan, EvidencePackage
from rollback_audit.records.deliveries import (
    AttemptRecord,
    ConnectorDeliveryRecord,
    DeliveryPlanRecord,
)
from rollback_audit.records.history import HistoryRow
from rollback_audit.states import ConnectorStanding, DeliveryState, FailureKind, MetadataKind, Outcome, RepeatCheck

ATTEMPT_RELATIONS = ("delivery", "approval", "result__run")


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
    attempts.record_sending(claims)
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
    settlement.settle(settled)
    return _outcome(prepared)


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
        repeat_check=RepeatCheck(connector.repeat_check),
        in_doubt=False,
        receipt=None,
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
        *ATTEMPT_RELATIONS
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
