"""Legal holds: placing one, and a hold's page with its release."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from rollback_audit.console.doors import Refusals, SeeOther, button, page, show
from rollback_audit.console.forms import HoldForm, ReasonForm
from rollback_audit.engine import holds
from rollback_audit.engine.actors import Actor
from rollback_audit.states import HoldScope, Permission

# Where what a hold names is shown.
_PAGES = {
    HoldScope.AUDIT: "admin:rollback_audit_evidencepackage_record",
    HoldScope.DELIVERY: "console:delivery",
    HoldScope.SCHEDULE: "console:schedule",
}


@page
def place(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    actor.require(Permission.RETAIN_EVIDENCE)
    form = HoldForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        data = form.cleaned_data
        with Refusals(form):
            hold, _ = holds.place(
                actor=actor,
                scope=HoldScope(data["scope"]),
                subject_id=data["subject_id"],
                reason=data["reason"],
            )
            messages.success(request, "Held from now on. Nothing of it is pruned until the hold is released.")
            return SeeOther(reverse("console:hold", args=[hold.hold_id]))
    return show(request, actor, "console/place_hold.html", form=form)


@require_safe
@page
def hold(request: HttpRequest, actor: Actor, hold_id: str) -> HttpResponse:
    record = holds.read(actor=actor, hold_id=hold_id)
    subject = reverse(_PAGES[record.scope], args=[record.subject_id]) if record.subject_id else ""
    return show(request, actor, "console/hold.html", hold=record, subject=subject, form=ReasonForm())


@button("console:hold")
def release(request: HttpRequest, actor: Actor, hold_id: str) -> HttpResponseBase:
    holds.release(actor=actor, hold_id=hold_id, reason=request.POST.get("reason", ""))
    messages.success(request, "Released. What it covered may be pruned again, unless another hold covers it.")
    return SeeOther(reverse("console:hold", args=[hold_id]))
