"""Recovery of connectors: the playbook's button, and a recovery's page with what to do, its clock and its closing."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from rollback_audit.console import timeline
from rollback_audit.console.doors import SeeOther, button, page, read, show
from rollback_audit.console.forms import ClosureForm
from rollback_audit.engine import clock, present_recoveries, recoveries
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.recoveries import Closing
from rollback_audit.planning.recovery import steps
from rollback_audit.states import ClosureState, RecoveryState


@button("admin:rollback_audit_recovery_changelist")
def playbook(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Looks at the last day. Leads to the recovery where there is one, else to the list of all."""
    made, _ = recoveries.make_playbook(actor=actor)
    found = [entry.recovery_id for entry in made.provider_playbooks]
    if not found:
        messages.info(request, "No connector failed twice in the last 24 hours, beyond what is closed.")
    else:
        plural = "connector wants" if len(found) == 1 else "connectors want"
        messages.success(request, f"{len(found):,} {plural} recovery. Each page says what to do.")
    if len(found) == 1:
        return SeeOther(reverse("console:recovery", args=found))
    return SeeOther(reverse("admin:rollback_audit_recovery_changelist"))


@require_safe
@page
def recovery(request: HttpRequest, actor: Actor, recovery_id: str) -> HttpResponse:
    row = recoveries.find_recovery(recovery_id)
    now = clock.now()
    record = present_recoveries.recovery(row, now=now)
    taken = (record.closed_at or now) - record.first_failure_at
    return show(
        request,
        actor,
        "console/recovery.html",
        recovery=record,
        minutes=int(taken.total_seconds()) // 60,
        steps=present_recoveries.steps(steps(record.failure_kinds), record.category),
        moments=timeline.of_recovery(row),
        is_open=record.state is RecoveryState.OPEN,
        form=ClosureForm(state=record.state),
    )


@button("console:recovery")
def close(request: HttpRequest, actor: Actor, recovery_id: str) -> HttpResponseBase:
    row = recoveries.find_recovery(recovery_id)
    data = read(ClosureForm(request.POST, state=RecoveryState(row.state)))
    closing = Closing(
        closure_state=ClosureState(data["closure_state"]),
        external_ref=data["external_ref"],
        notes=data["notes"],
        verification_refs=data["verification_refs"].split(),
    )
    _, after, _ = recoveries.close(actor=actor, playbook_id=row.playbook_id, provider=row.provider, closing=closing)
    messages.success(request, f"Recorded as {data['closure_state']}. The recovery is {after.state}.")
    return SeeOther(reverse("console:recovery", args=[recovery_id]))
