"""Drill schedules, the routes their notifications make, and people's words on them."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from rollback_audit.console.doors import Refusals, SeeOther, button, page, read, show
from rollback_audit.console.forms import AcknowledgeForm, ScheduleForm
from rollback_audit.engine import intake, notifications, present_drills, queries
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.drill_input import CHANGEABLE
from rollback_audit.errors import UnknownRecord
from rollback_audit.models import DrillRoute
from rollback_audit.records.drills import DrillScheduleRecord
from rollback_audit.states import AcknowledgementState, Permission


@page
def new_schedule(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    actor.require(Permission.EDIT_SCHEDULES)
    usual = {"interval_days": 30, "acknowledgement_minutes": 60, "enabled": True}
    form = ScheduleForm(request.POST if request.method == "POST" else None, initial=usual)
    if form.is_bound and form.is_valid():
        with Refusals(form):
            record, _ = intake.save_schedule(actor=actor, schedule=DrillScheduleRecord(**form.values()))
            messages.success(request, "Schedule added.")
            return SeeOther(reverse("console:schedule", args=[record.schedule_id]))
    return show(request, actor, "console/schedule.html", form=form, row=None)


@page
def schedule(request: HttpRequest, actor: Actor, schedule_id: str) -> HttpResponseBase:
    row = queries.schedules().filter(schedule_id=schedule_id).first()
    if row is None:
        raise UnknownRecord("No drill schedule with this id.")
    if request.method == "POST":
        actor.require(Permission.EDIT_SCHEDULES)
    stored = {name: getattr(row, name) for name in CHANGEABLE}
    form = ScheduleForm(request.POST if request.method == "POST" else None, initial=stored)
    del form.fields["schedule_id"]
    if form.is_bound and form.is_valid():
        with Refusals(form):
            intake.change_schedule(actor=actor, schedule_id=row.schedule_id, changes=form.values())
            messages.success(request, "Schedule changed. Routes that exist stay as they were made.")
            return SeeOther(reverse("console:schedule", args=[row.schedule_id]))
    routes = [present_drills.route(found) for found in queries.routes().filter(schedule=row)[:10]]
    record = present_drills.schedule(row)
    return show(request, actor, "console/schedule.html", form=form, row=record, routes=routes)


@button("admin:rollback_audit_drillroute_changelist")
def notify(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    answer = notifications.deliver_notifications(actor=actor, force="force" in request.POST)
    if not answer.plan.route_count:
        messages.info(request, "No drill is due within 14 days, so nothing was sent.")
    elif answer.success:
        messages.success(request, f"{answer.plan.route_count:,} routes made and notified.")
    else:
        messages.warning(request, f"{answer.plan.route_count:,} routes made; some notifications did not arrive.")
    return SeeOther(reverse("admin:rollback_audit_drillroute_changelist"))


@require_safe
@page
def route(request: HttpRequest, actor: Actor, route_id: str) -> HttpResponse:
    row = _route(route_id)
    said = [present_drills.acknowledgement(found) for found in queries.acknowledgements().filter(route=row)[:20]]
    record = present_drills.route(row)
    return show(request, actor, "console/route.html", row=record, said=said, form=AcknowledgeForm())


@button("console:route")
def acknowledge(request: HttpRequest, actor: Actor, route_id: str) -> HttpResponseBase:
    row = _route(route_id)
    form = AcknowledgeForm(request.POST)
    data = read(form)
    intake.acknowledge(
        actor=actor,
        schedule_id=row.schedule.schedule_id,
        provider=row.provider,
        plan_id=row.plan.plan_id,
        acknowledgement_state=AcknowledgementState(data["acknowledgement_state"]),
        external_ref=data["external_ref"],
        notes=data["notes"],
    )
    messages.success(request, f"The route is {data['acknowledgement_state']}.")
    return SeeOther(reverse("console:route", args=[route_id]))


def _route(route_id: str) -> DrillRoute:
    row = queries.routes().filter(route_id=route_id).first()
    if row is None:
        raise UnknownRecord("No route with this id.")
    return row
