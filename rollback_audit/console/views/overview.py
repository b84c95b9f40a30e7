"""The front page: what is the matter, what to do next, and what the worker has done."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from rollback_audit.console import figures, flow
from rollback_audit.console.doors import page, show
from rollback_audit.engine import clock, dashboards, health, present, queries, runs
from rollback_audit.engine.actors import Actor
from rollback_audit.records.runs import WorkerDashboardRecord
from rollback_audit.states import DeliveryState

LATEST = 6


@dataclass(frozen=True, slots=True)
class Card:
    """A number, what it means, and the list it counts."""

    label: str | Promise
    number: int
    explanation: str | Promise
    address: str
    tone: str = ""


@require_safe
@page
def overview(request: HttpRequest, actor: Actor) -> HttpResponse:
    now, plan = clock.now(), figures.newest_plan()
    worker = dashboards.worker_dashboard(actor=actor)
    failed = queries.deliveries().filter(state=DeliveryState.FAILED.value)
    return show(
        request,
        actor,
        "console/overview.html",
        worker=worker,
        health=health.glance(actor=actor),
        cards=[*_delivery_cards(worker), *_loop_cards(worker)],
        steps=flow.steps(figures.newest_progress(plan)),
        newest_plan=present.plan(plan) if plan else None,
        outcomes=figures.outcomes_by_hour(now),
        backlog=figures.backlog_by_connector(now),
        runs=[runs.summary(row) for row in queries.runs()[:LATEST]],
        failures=[present.delivery(row) for row in failed[:LATEST]],
    )


def _delivery_cards(worker: WorkerDashboardRecord) -> list[Card]:
    failed = queries.deliveries().filter(state=DeliveryState.FAILED.value).count()
    return [
        Card(
            _("Retryable audit deliveries"),
            worker.retryable_count,
            _("Failed, due, and nothing stands against a retry."),
            _list("delivery", standing="retryable"),
            "accent" if worker.retryable_count else "",
        ),
        Card(
            _("Waiting for approval"),
            worker.approval_pending_count,
            _("Due retries that nobody has approved yet."),
            _list("delivery", standing="waiting_for_approval"),
        ),
        Card(
            _("Waiting"),
            worker.waiting_count,
            _("Not yet: a delay, a connector on hold, or an attempt on the wire."),
            _list("delivery", standing="waiting"),
        ),
        Card(
            _("Suppressed"),
            worker.suppressed_count,
            _("Given up: refused for good, or out of attempts."),
            _list("delivery", standing="suppressed"),
        ),
        Card(
            _("Failed"),
            failed,
            _("Deliveries whose latest attempt did not arrive."),
            _list("delivery", state="failed"),
            "bad" if failed else "",
        ),
    ]


def _loop_cards(worker: WorkerDashboardRecord) -> list[Card]:
    return [
        Card(
            _("Audit retry plans"),
            queries.plans().count(),
            _("Lists of decisions, one for each failure of its moment."),
            _list("retryplan"),
        ),
        Card(
            _("Worker runs"),
            worker.run_count,
            _("Passes of the retry worker, dry runs included."),
            _list("workerrun"),
        ),
        Card(
            _("Worker dry-runs"),
            worker.dry_run_count,
            _("Passes that showed what would be sent, and sent nothing."),
            _list("workerrun", dry_run="yes"),
        ),
    ]


def _list(model: str, **filters: str) -> str:
    address = reverse(f"admin:rollback_audit_{model}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address
