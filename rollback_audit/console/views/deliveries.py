"""One delivery: where it stands at each connector, and everything that happened to it."""

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from rollback_audit.console.doors import page, show
from rollback_audit.engine import deliveries, ledger, present, pruned, queries
from rollback_audit.engine.actors import Actor
from rollback_audit.records.history import HistoryRow
from rollback_audit.records.plans import RetryDecisionRecord
from rollback_audit.states import DeliveryState

MOST = 100


@dataclass(frozen=True, slots=True)
class Planned:
    """What one plan decided about the delivery."""

    retry_plan_id: str
    generated_at: datetime
    decision: RetryDecisionRecord


@require_safe
@page
def delivery(request: HttpRequest, actor: Actor, delivery_id: str) -> HttpResponse:
    record = deliveries.read_delivery(actor=actor, delivery_id=delivery_id)
    return show(
        request,
        actor,
        "console/delivery.html",
        plan=record.delivery_plan,
        destinations=record.destinations,
        is_open=any(to.delivery.state == DeliveryState.FAILED for to in record.destinations),
        decisions=[
            Planned(row.plan.retry_plan_id, row.plan.generated_at, present.decision(row))
            for row in queries.decisions().filter(delivery__delivery_id=delivery_id)[:10]
        ],
        approvals=[
            present.approval_decision(row)
            for row in queries.approval_decisions().filter(delivery__delivery_id=delivery_id)[:10]
        ],
        lines=_lines(delivery_id),
        pruned=pruned.find([delivery_id]).get(delivery_id),
    )


def _lines(delivery_id: str) -> list[HistoryRow]:
    """What the ledger says of the delivery, newest first."""
    ids = list(queries.history().filter(delivery_id=delivery_id).values_list("entry_id", flat=True)[:MOST])
    found = ledger.find(ids)
    return [found[entry_id] for entry_id in ids if entry_id in found]
