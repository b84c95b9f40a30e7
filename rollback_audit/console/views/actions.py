"""The three buttons of the overview: deliver, plan, run dry. A press without choices takes the defaults."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from rollback_audit.console.doors import Refusals, SeeOther, page, show
from rollback_audit.console.forms import DeliverForm, DryRunForm, PolicyForm
from rollback_audit.engine import deliveries, plans, providers, worker
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.states import Permission


@page
def deliver_audit(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    actor.require(Permission.DELIVER_EVIDENCE)
    form = DeliverForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        data = form.cleaned_data
        with Refusals(form):
            answer = deliveries.deliver_audit(
                actor=actor,
                filters=AuditFilters(schedule_id=data["schedule_id"], provider=data["provider"], owner=data["owner"]),
                delivery_provider=data["delivery_provider"] or providers.ALL,
            )
            _say_delivered(request, answer)
            return SeeOther(reverse("console:delivery", args=[answer.delivery_plan.delivery_id]))
    return show(request, actor, "console/deliver_audit.html", form=form)


def _say_delivered(request: HttpRequest, answer: deliveries.DeliverAuditAnswer) -> None:
    if answer.success:
        messages.success(request, "Delivered to every connector.")
        return
    failed, asked = len(answer.delivery.failed_providers), len(answer.delivery.providers)
    messages.warning(request, f"{failed} of {asked} connectors did not confirm it. Plan Audit Retry is the next step.")


@page
def plan_retry(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    actor.require(Permission.PLAN_RETRY)
    form = PolicyForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        with Refusals(form):
            plan, _ = plans.plan_retry(
                actor=actor,
                policy=form.policy(),
                source=form.cleaned_data["source"],
                provider=form.cleaned_data["provider"],
            )
            counts = f"{plan.retryable_count:,} to retry, {plan.waiting_count:,} wait"
            messages.success(request, f"{counts}, {plan.suppressed_count:,} suppressed.")
            return SeeOther(reverse("console:plan", args=[plan.retry_plan_id]))
    return show(request, actor, "console/plan_retry.html", form=form)


@page
def run_worker(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """A dry run. Live runs start on a plan's page, which says what they would send."""
    actor.require(Permission.RUN_DRY)
    form = DryRunForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        with Refusals(form):
            answer = worker.start_run(
                actor=actor,
                request=worker.RunRequest(
                    policy=form.policy(),
                    source=form.cleaned_data["source"],
                    provider=form.cleaned_data["provider"],
                    max_retry_deliveries=form.cleaned_data["max_retry_deliveries"] or 5,
                ),
            )
            messages.success(request, "Dry run finished. Nothing was sent.")
            return SeeOther(reverse("console:run", args=[answer.run.run_id]))
    return show(request, actor, "console/run_worker.html", form=form)
