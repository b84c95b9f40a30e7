"""One retry plan: what it says, and the steps from there to a live run."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from rollback_audit.console import figures, flow
from rollback_audit.console.doors import Refusals, SeeOther, button, page, read, show
from rollback_audit.console.forms import MOST_PER_RUN, ExecuteForm, LimitForm, ReviewForm
from rollback_audit.engine import approvals, approvers, clock, present, queries, reviews, runs, worker
from rollback_audit.engine import plans as verbs
from rollback_audit.engine.actors import Actor
from rollback_audit.models import WorkerRun
from rollback_audit.states import Action, Permission, RetryAcknowledgementState

SHOWN = 50
MOST_ACCEPTED = 500


@require_safe
@page
def plan(request: HttpRequest, actor: Actor, retry_plan_id: str) -> HttpResponse:
    record = verbs.read_plan(actor=actor, retry_plan_id=retry_plan_id, most=0)
    row = verbs.find_plan(retry_plan_id)
    due = queries.decisions().filter(plan=row, action=Action.RETRY.value)
    asked = queries.approval_plans().filter(retry_plan=row).first()
    walk = flow.steps(figures.plan_progress(row))
    return show(
        request,
        actor,
        "console/plan.html",
        plan=record,
        is_own=approvers.is_own(row, actor=actor),
        steps=walk,
        here=flow.here(walk),
        groups=figures.decision_groups(retry_plan_id),
        decisions=figures.first_decisions(row, most=SHOWN),
        unreviewed=due.filter(acknowledgements__isnull=True).exists(),
        approval_plan=present.approval_plan(asked) if asked else None,
        ready=figures.ready_to_send(row, most=MOST_PER_RUN, now=clock.now()),
        runs=[runs.summary(found) for found in queries.runs().filter(retry_plan=row)[:10]],
        review_form=ReviewForm(),
    )


@button("console:plan")
def review(request: HttpRequest, actor: Actor, retry_plan_id: str) -> HttpResponseBase:
    form = ReviewForm(request.POST)
    data = read(form)
    record, _ = reviews.acknowledge_retry(
        actor=actor,
        retry_plan_id=retry_plan_id,
        key=reviews.DecisionKey(data["delivery_id"], data["audit_id"], data["provider"]),
        acknowledgement_state=RetryAcknowledgementState(data["acknowledgement_state"]),
        external_ref=data["external_ref"],
        notes=data["notes"],
    )
    messages.success(request, f"Reviewed as {record.acknowledgement_state}.")
    return SeeOther(reverse("console:plan", args=[retry_plan_id]))


@button("console:plan")
def accept_all(request: HttpRequest, actor: Actor, retry_plan_id: str) -> HttpResponseBase:
    """Accept every due decision that has no review yet, oldest first, at most MOST_ACCEPTED at a press."""
    actor.require(Permission.REVIEW_RETRY)
    due = queries.decisions().filter(
        plan=verbs.find_plan(retry_plan_id), action=Action.RETRY.value, acknowledgements__isnull=True
    )
    rows = list(due.order_by("ordinal")[: MOST_ACCEPTED + 1])
    for row in rows[:MOST_ACCEPTED]:
        key = reviews.DecisionKey(row.delivery.delivery_id, row.delivery.audit_id, row.delivery.provider)
        reviews.acknowledge_retry(actor=actor, retry_plan_id=retry_plan_id, key=key)
    rest = " There are more; press again." if len(rows) > MOST_ACCEPTED else ""
    messages.success(request, f"{min(len(rows), MOST_ACCEPTED)} decisions accepted.{rest}")
    return SeeOther(reverse("console:plan", args=[retry_plan_id]))


@button("console:plan")
def ask_approval(request: HttpRequest, actor: Actor, retry_plan_id: str) -> HttpResponseBase:
    record, _ = approvals.request_approval(
        actor=actor, retry_plan_id=retry_plan_id, require_retry_ack="without_review" not in request.POST
    )
    messages.success(request, "Approval asked for. Someone other than the plan's maker decides.")
    return SeeOther(reverse("console:approval-plan", args=[record.approval_plan_id]))


@button("console:plan")
def dry_run(request: HttpRequest, actor: Actor, retry_plan_id: str) -> HttpResponseBase:
    record = verbs.read_plan(actor=actor, retry_plan_id=retry_plan_id, most=0)
    answer = worker.start_run(
        actor=actor,
        request=worker.RunRequest(
            retry_plan_id=retry_plan_id,
            plan_digest=record.plan_digest,
            max_retry_deliveries=max(1, min(record.retryable_count, MOST_PER_RUN)),
        ),
    )
    messages.success(request, "Dry run finished. Nothing was sent.")
    return SeeOther(reverse("console:run", args=[answer.run.run_id]))


@page
def execute(request: HttpRequest, actor: Actor, retry_plan_id: str) -> HttpResponseBase:
    """Says exactly what would be sent where, and sends it only while that is still so."""
    actor.require(Permission.EXECUTE_RETRY)
    row = verbs.find_plan(retry_plan_id)
    form = ExecuteForm(request.POST if request.method == "POST" else None)
    ready = figures.ready_to_send(row, most=_most(request), now=clock.now())
    under_way = figures.live_run_under_way(row)
    if form.is_bound and form.is_valid() and _is_as_shown(form, ready, under_way):
        with Refusals(form):
            answer = worker.start_run(
                actor=actor,
                request=worker.RunRequest(
                    dry_run=False,
                    retry_plan_id=retry_plan_id,
                    plan_digest=form.cleaned_data["plan_digest"],
                    max_retry_deliveries=form.cleaned_data["max_retry_deliveries"],
                    reason=form.cleaned_data["reason"],
                ),
            )
            messages.success(request, "The run is queued; a worker takes it from here.")
            return SeeOther(reverse("console:run", args=[answer.run.run_id]))
    waiting = max(figures.due_and_failed(row) - ready.approved, 0)
    return show(
        request,
        actor,
        "console/execute.html",
        form=form,
        plan=present.plan(row),
        ready=ready,
        waiting=waiting,
        under_way=runs.summary(under_way) if under_way else None,
    )


def _is_as_shown(form: ExecuteForm, ready: figures.Ready, under_way: WorkerRun | None) -> bool:
    if form.cleaned_data["expected"] == ready.count > 0 and under_way is None:
        return True
    form.add_error(None, "What is approved has changed since this page was shown. Look again, then confirm.")
    return False


def _most(request: HttpRequest) -> int:
    """The limit as sent, if it is one; else the largest."""
    sent = LimitForm(request.POST or request.GET)
    return sent.cleaned_data["max_retry_deliveries"] if sent.is_valid() else MOST_PER_RUN
