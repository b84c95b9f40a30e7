"""Escalations of recoveries, and the executive report: as it is now, and as it was stored."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from rollback_audit.console import report_figures
from rollback_audit.console.doors import Refusals, SeeOther, button, page, read, show
from rollback_audit.console.forms import EscalationForm, EscalationWordForm, ScopeForm, SendForm
from rollback_audit.engine import escalation_words, escalations, executive_reports, providers
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.dispatch import PackageDelivery
from rollback_audit.states import EscalationAcknowledgementState, Permission


@page
def plan_escalation(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """A press without choices takes the defaults."""
    actor.require(Permission.OPEN_RECOVERY)
    form = EscalationForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        with Refusals(form):
            record, _ = escalations.plan_escalation(
                actor=actor, policy=form.policy(), provider=form.cleaned_data["provider"]
            )
            if record.escalation_count:
                noun = "recovery" if record.escalation_count == 1 else "recoveries"
                messages.success(request, f"{record.escalation_count:,} {noun} escalated. Nothing is sent yet.")
            else:
                messages.info(request, "No open recovery is near its objective.")
            return SeeOther(reverse("console:escalation", args=[record.plan_id]))
    return show(request, actor, "console/plan_escalation.html", form=form)


@require_safe
@page
def escalation(request: HttpRequest, actor: Actor, plan_id: str) -> HttpResponse:
    record = escalations.read_escalation(actor=actor, plan_id=plan_id)
    had = {item.provider for item in record.deliveries}
    usable = [row.name for row in providers.working(avoid=record.plan.failing_providers)]
    return show(
        request,
        actor,
        "console/escalation.html",
        plan=record.plan,
        said=record.acknowledgements,
        deliveries=record.deliveries,
        send_form=SendForm(names=[name for name in usable if name not in had]),
        word_form=EscalationWordForm(names=record.plan.failing_providers),
    )


@button("console:escalation")
def deliver_escalation(request: HttpRequest, actor: Actor, plan_id: str) -> HttpResponseBase:
    answer = escalations.deliver_escalation(actor=actor, plan_id=plan_id, delivery_provider=_to(request))
    _say(request, answer.sent)
    return SeeOther(reverse("console:escalation", args=[plan_id]))


@button("console:escalation")
def acknowledge_escalation(request: HttpRequest, actor: Actor, plan_id: str) -> HttpResponseBase:
    plan = escalations.read_escalation(actor=actor, plan_id=plan_id).plan
    data = read(EscalationWordForm(request.POST, names=plan.failing_providers))
    escalation_words.acknowledge_escalation(
        actor=actor,
        plan_id=plan_id,
        provider=data["provider"],
        acknowledgement_state=EscalationAcknowledgementState(data["acknowledgement_state"]),
        external_ref=data["external_ref"],
        notes=data["notes"],
    )
    messages.success(request, f"The escalation is {data['acknowledgement_state']}.")
    return SeeOther(reverse("console:escalation", args=[plan_id]))


@require_safe
@page
def executive_report(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The report as it would be stored now."""
    form = ScopeForm(request.GET or None)
    scope = form.scope() if form.is_bound and form.is_valid() else executive_reports.DEFAULT_SCOPE
    report = executive_reports.executive_report(actor=actor, scope=scope)
    return show(
        request,
        actor,
        "console/executive_report.html",
        report=report,
        form=form,
        trend=report_figures.deliveries_by_day(report),
        providers=report_figures.providers_of(report),
    )


@button("console:executive-report")
def store_report(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    form = ScopeForm(request.POST)
    read(form)
    stored = executive_reports.store_report(actor=actor, scope=form.scope())
    if stored.created:
        messages.success(request, "Stored. It can be sent now, and read later as it is.")
    else:
        messages.info(request, "Today's report was stored before; this is it.")
    return SeeOther(reverse("console:report", args=[stored.run.run_id]))


@require_safe
@page
def report(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    record = executive_reports.read_report(actor=actor, run_id=run_id)
    had = {item.provider for item in record.deliveries}
    return show(
        request,
        actor,
        "console/report.html",
        run=record.run,
        report=record.run.executive_report,
        deliveries=record.deliveries,
        trend=report_figures.deliveries_by_day(record.run.executive_report),
        providers=report_figures.providers_of(record.run.executive_report),
        send_form=SendForm(names=[row.name for row in providers.working() if row.name not in had]),
    )


@button("console:report")
def deliver_report(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponseBase:
    answer = executive_reports.deliver_report(actor=actor, run_id=run_id, delivery_provider=_to(request))
    _say(request, answer.sent)
    return SeeOther(reverse("console:report", args=[run_id]))


def _to(request: HttpRequest) -> str:
    return request.POST.get("delivery_provider", "") or providers.ALL


def _say(request: HttpRequest, sent: PackageDelivery) -> None:
    if sent.success:
        messages.success(request, f"Delivered to {', '.join(sent.delivery.providers)}.")
        return
    failed, asked = len(sent.delivery.failed_providers), len(sent.delivery.providers)
    messages.warning(request, f"{failed} of {asked} connectors did not confirm it. It is in the next retry plan.")
