"""One worker run: its receipt, its progress, its results, and the button that stops it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from rollback_audit.console import figures, flow
from rollback_audit.console.doors import SeeOther, button, page, show
from rollback_audit.console.forms import ReasonForm
from rollback_audit.engine import plans as plan_verbs
from rollback_audit.engine import worker
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.receipts import FINISHED

SHOWN = 100


@require_safe
@page
def run(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    answer = worker.read_run(actor=actor, run_id=run_id, most=SHOWN)
    summary = answer.run.summary
    plan = plan_verbs.find_plan(answer.run.retry_plan.retry_plan_id)
    return show(
        request,
        actor,
        "console/run.html",
        run=answer.run,
        results=answer.retry_results,
        finished=answer.run.state in FINISHED,
        done=summary.selected_retry_count - summary.remaining_count,
        plan=plan,
        steps=flow.steps(figures.plan_progress(plan)),
        form=ReasonForm(),
    )


@button("console:run")
def abort(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponseBase:
    worker.abort_run(actor=actor, run_id=run_id, reason=request.POST.get("reason", ""))
    messages.success(request, "Aborted. What had not been sent is skipped; what was on the wire settles as it will.")
    return SeeOther(reverse("console:run", args=[run_id]))
