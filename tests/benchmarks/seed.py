"""Rows to measure with: deliveries in bulk, some of them failed, through the columns the engine itself fills."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from rollback_audit.engine import bulk, clock
from rollback_audit.ids import new_id
from rollback_audit.models import Connector, Delivery, DeliveryAttempt, DeliveryPlan, EvidencePackage
from rollback_audit.states import AlertLevel, AttemptState, DeliveryState, FailureKind, Outcome, Source

_BATCH = 5_000
_DELIVERY = (
    "id",
    "plan_id",
    "connector_id",
    "delivery_id",
    "audit_id",
    "provider",
    "source",
    "event_digest",
    "event_id",
    "state",
    "attempt_count",
    "failure_count",
    "failure_kind",
    "failed_status_codes",
    "in_doubt",
    "last_attempt_at",
    "last_failed_at",
    "due_at",
    "fence",
    "delivered_at",
    "created_at",
)
_PLAN = (
    "id",
    "delivery_id",
    "package_id",
    "event",
    "event_digest",
    "event_type",
    "selected_providers",
    "cadence",
    "schedule_ref",
    "generated_by",
    "actor",
    "created_at",
)
_ATTEMPT = (
    "delivery_id",
    "number",
    "fence",
    "state",
    "started_at",
    "settled_at",
    "outcome",
    "failure_kind",
    "status_code",
    "duration_ms",
)


def deliveries(count: int, *, failed: int, chosen: Sequence[Connector]) -> None:
    """`count` more deliveries with one attempt each, over the chosen connectors in turn.

    `failed` of them, evenly spread, failed an hour ago with 503.
    """
    now = clock.now()
    package = EvidencePackage.objects.create(
        audit_id=new_id("gordackaudit"),
        source=Source.ACKNOWLEDGEMENT_AUDIT,
        alert_level=AlertLevel.HEALTHY,
        route_count=0,
        record="{}",
        digest="0" * 64,
        generated_by="benchmark",
        actor="benchmark",
        created_at=now,
    )
    first = (DeliveryPlan.objects.aggregate(last=Max("pk"))["last"] or 0) + 1
    rows = _rows(
        range(first, first + count),
        every=count // failed,
        chosen=chosen,
        package=package,
        at=now - timedelta(hours=1),
    )
    while batch := list(islice(rows, _BATCH)):
        plans, found, attempts = zip(*batch, strict=True)
        with transaction.atomic(), connection.cursor() as cursor:
            bulk.insert(cursor, DeliveryPlan, _PLAN, plans)
            bulk.insert(cursor, Delivery, _DELIVERY, found)
            bulk.insert(cursor, DeliveryAttempt, _ATTEMPT, attempts)
    if bulk.on_postgresql():
        # Ids were given by hand, which a sequence does not notice; statistics as autovacuum would have made them.
        with connection.cursor() as cursor:
            for model in (DeliveryPlan, Delivery):
                table = model._meta.db_table
                cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {first + count - 1})")
            cursor.execute("VACUUM ANALYZE")


def _rows(
    numbers: range, *, every: int, chosen: Sequence[Connector], package: EvidencePackage, at: datetime
) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]]:
    moment, due = bulk.moment(at), bulk.moment(at + timedelta(minutes=15))
    for number in numbers:
        connector = chosen[number % len(chosen)]
        has_failed = number % every == 0
        delivery_id = new_id("gordackdelivery")
        event = _event(package.audit_id, delivery_id)
        digest = hashlib.sha256(event.encode()).hexdigest()
        yield (
            (
                number,
                delivery_id,
                package.pk,
                event,
                digest,
                "cavra.go_backend.rollback_drill.acknowledgement_audit_delivery",
                json.dumps([connector.name]),
                "on_demand",
                "",
                "benchmark",
                "benchmark",
                moment,
            ),
            (
                number,
                number,
                connector.pk,
                delivery_id,
                package.audit_id,
                connector.name,
                package.source,
                digest,
                new_id("gordackevent"),
                (DeliveryState.FAILED if has_failed else DeliveryState.DELIVERED).value,
                1,
                int(has_failed),
                FailureKind.UNAVAILABLE.value if has_failed else None,
                "503" if has_failed else "",
                False,
                moment,
                moment if has_failed else None,
                due if has_failed else None,
                1,
                None if has_failed else moment,
                moment,
            ),
            (
                number,
                1,
                1,
                AttemptState.SETTLED.value,
                moment,
                moment,
                (Outcome.ANSWERED_5XX if has_failed else Outcome.CONFIRMED).value,
                FailureKind.UNAVAILABLE.value if has_failed else None,
                503 if has_failed else 200,
                20,
            ),
        )


def _event(audit_id: str, delivery_id: str) -> str:
    """An event of a usual size: a summary and two routes."""
    route = {
        "acknowledged": False,
        "acknowledgement_state": "outstanding",
        "owner": "release-team",
        "provider": "webhook",
        "route_id": "gordroute-0000000000000000",
        "schedule_id": "payments-weekly",
    }
    event = {
        "event_type": "cavra.go_backend.rollback_drill.acknowledgement_audit_delivery",
        "routes": [route, route],
        "summary": {"audit_id": audit_id, "delivery_id": delivery_id, "cadence": "on_demand", "route_count": 2},
    }
    return json.dumps(event, sort_keys=True, separators=(",", ":"))
