"""One connector: whether it may be sent to, a harmless test, and the end of a hold."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from rollback_audit.console import figures, words
from rollback_audit.console.doors import SeeOther, button, page, show
from rollback_audit.console.forms import ReasonForm
from rollback_audit.engine import clock, present, queries
from rollback_audit.engine import connectors as verbs
from rollback_audit.engine.actors import Actor
from rollback_audit.errors import UnknownRecord


@require_safe
@page
def connector(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    row = queries.connectors().filter(name=name).first()
    if row is None:
        raise UnknownRecord("No connector with this name.")
    backlog = next(item for item in figures.backlog_by_connector(clock.now()) if item.name == row.name)
    attempts = [present.attempt(found) for found in queries.attempts().filter(delivery__connector=row)[:10]]
    return show(
        request,
        actor,
        "console/connector.html",
        connector=verbs.record(row),
        backlog=backlog,
        attempts=attempts,
        form=ReasonForm(),
    )


@button("console:connector")
def test(request: HttpRequest, actor: Actor, name: str) -> HttpResponseBase:
    answer = verbs.test(actor=actor, name=name)
    if answer.succeeded:
        messages.success(request, f"The receiver confirmed a harmless test event in {answer.duration_ms:,} ms.")
    else:
        messages.warning(request, f"The test event did not arrive: {words.name(str(answer.failure_kind))}.")
    return SeeOther(reverse("console:connector", args=[name]))


@button("console:connector")
def release(request: HttpRequest, actor: Actor, name: str) -> HttpResponseBase:
    verbs.release(actor=actor, name=name, reason=request.POST.get("reason", ""))
    messages.success(request, "The hold is over. The next plan decides about its deliveries again.")
    return SeeOther(reverse("console:connector", args=[name]))
