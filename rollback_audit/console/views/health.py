"""Whether the worker does its work: what is wrong now, the alerts that told of it, and people's words on them."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from rollback_audit.console.doors import SeeOther, button, page, read, show
from rollback_audit.console.forms import AcknowledgeForm
from rollback_audit.engine import alert_words, alerts, present_alerts, queries
from rollback_audit.engine import health as verbs
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.alerts import AlertTerms
from rollback_audit.errors import UnknownRecord
from rollback_audit.records.alerts import HealthConditionRecord
from rollback_audit.states import AcknowledgementState, HealthCode

SHOWN = 20
# Where to look first: the subject's own page, or the list that has it.
PAGES = {
    HealthCode.CONNECTOR_FAILURE: "console:connector",
    HealthCode.SILENT_CONNECTOR: "console:connector",
    HealthCode.ATTEMPTS_NEARING_LIMIT: "console:connector",
    HealthCode.SILENT_DRILL: "console:schedule",
}
LISTS = {
    HealthCode.MISSED_WORKER_RUN: "admin:rollback_audit_workerrun_changelist",
    HealthCode.FAILED_WORKER_RUN: "admin:rollback_audit_workerrun_changelist",
    HealthCode.RETRYABLE_DELIVERIES: "admin:rollback_audit_delivery_changelist",
    HealthCode.STALE_RETRY_PLAN: "admin:rollback_audit_retryplan_changelist",
    HealthCode.DISABLED_SCHEDULE: "admin:rollback_audit_workerschedule_changelist",
}


@require_safe
@page
def health(request: HttpRequest, actor: Actor) -> HttpResponse:
    record = verbs.read_health(actor=actor)
    wrong = [(item, _address(item)) for item in record.alerts]
    told = [present_alerts.alert(row) for row in queries.health_alerts()[:SHOWN]]
    return show(request, actor, "console/health.html", health=record, wrong=wrong, told=told)


def _address(item: HealthConditionRecord) -> str:
    name = PAGES.get(item.code)
    return reverse(name, args=[item.subject]) if name else reverse(LISTS[item.code])


@button("console:health")
def deliver(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    answer = alerts.deliver_alerts(actor=actor, terms=AlertTerms())
    if answer.plan is None:
        messages.info(request, "There is nothing new to tell, so nothing was sent.")
    else:
        said = f"{answer.plan.alert_count:,} wrong, {answer.plan.recovered_count:,} ended"
        if answer.sent is not None and answer.sent.success:
            messages.success(request, f"Told to {', '.join(answer.plan.selected_providers)}: {said}.")
        else:
            messages.warning(request, f"Recorded: {said}. Not every connector confirmed it; that can be retried.")
    return SeeOther(reverse("console:health"))


@require_safe
@page
def alert(request: HttpRequest, actor: Actor, alert_id: str) -> HttpResponse:
    row = queries.health_alerts().filter(alert_id=alert_id).first()
    if row is None:
        raise UnknownRecord("No alert with this id.")
    found = queries.health_acknowledgements().filter(alert=row)[:SHOWN]
    said = [present_alerts.acknowledgement(word) for word in found]
    return show(
        request, actor, "console/alert.html", alert=present_alerts.alert(row), said=said, form=AcknowledgeForm()
    )


@button("console:alert")
def acknowledge(request: HttpRequest, actor: Actor, alert_id: str) -> HttpResponseBase:
    data = read(AcknowledgeForm(request.POST))
    alert_words.acknowledge_alert(
        actor=actor,
        named=alert_id,
        acknowledgement_state=AcknowledgementState(data["acknowledgement_state"]),
        external_ref=data["external_ref"],
        notes=data["notes"],
    )
    messages.success(request, f"The alert is {data['acknowledgement_state']}.")
    return SeeOther(reverse("console:alert", args=[alert_id]))
