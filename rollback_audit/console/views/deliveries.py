"""One delivery: where it stands at each connector, and everything that happened to it."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from rollback_audit.console.doors import page, show
from rollback_audit.engine import deliveries, queries
from rollback_audit.engine.actors import Actor
from rollback_audit.states import DeliveryState

MOST = 100


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
        decisions=queries.decisions().filter(delivery__delivery_id=delivery_id)[:10],
        approvals=queries.approval_decisions().filter(delivery__delivery_id=delivery_id)[:10],
        lines=queries.history().filter(delivery_id=delivery_id)[:MOST],
    )
