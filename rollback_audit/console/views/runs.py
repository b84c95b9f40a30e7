"""One worker run: its receipt, its progress, its results, and the buttons that pause, resume and stop it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from rollback_audit.console import figures, flow, run_figures
from rollback_audit.console.doors import SeeOther, button, page, show
from rollback_audit.console.forms import ReasonForm
from rollback_audit.engine import plans as plan_verbs
from rollback_audit.engine import pruned, runs, worker
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.receipts import FINISHED

SHOWN = 100


@require_safe
@page
def run(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    answer = worker.read_run(actor=actor, run_id=run_id, most=SHOWN)
    row, summary = runs.find(run_id), answer.run.summary
    other = run_figures.other_run(row)
    plan = plan_verbs.find_plan(answer.run.retry_plan.retry_plan_id)
    other_record = runs.summary(other) if other else None
    return show(
        request,
        actor,
        "console/run.html",
        run=answer.run,
        pruned=pruned.find([run_id]).get(run_id),
        results=run_figures.compared(answer.retry_results, other),
        other=other_record,
        left_out=run_figures.left_out(row, most=SHOWN),
        left_out_count=summary.approval_pending_count + summary.over_limit_count,
        finished=answer.run.state in FINISHED,
        done=summary.selected_retry_count - summary.remaining_count,
        plan=answer.run.retry_plan,
        steps=flow.steps(figures.plan_progress(plan)),
        pause_form=ReasonForm(auto_id="pause_%s"),
        abort_form=ReasonForm(auto_id="abort_%s"),
    )


@button("console:run")
def pause(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponseBase:
    worker.pause_run(actor=actor, run_id=run_id, reason=request.POST.get("reason", ""))
    messages.success(request, "Paused. Nothing more is sent until somebody resumes it.")
    return SeeOther(reverse("console:run", args=[run_id]))


@button("console:run")
def resume(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponseBase:
    worker.resume_run(actor=actor, run_id=run_id, reason=request.POST.get("reason", ""))
    messages.success(request, "Resumed. A worker goes on where the run stands.")
    return SeeOther(reverse("console:run", args=[run_id]))


@button("console:run")
def abort(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponseBase:
    worker.abort_run(actor=actor, run_id=run_id, reason=request.POST.get("reason", ""))
    messages.success(request, "Aborted. What had not been sent is skipped; what was on the wire settles as it will.")
    return SeeOther(reverse("console:run", args=[run_id]))
