"""One approval plan: what is asked for, what has been said, and the second person's word."""

from dataclasses import dataclass

from django.contrib import messages
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from rollback_audit.console import figures, flow
from rollback_audit.console.doors import SeeOther, button, page, read, show
from rollback_audit.console.forms import DecideForm
from rollback_audit.engine import approval_entries, approvals, approvers, present, queries, reviews
from rollback_audit.engine import plans as plan_verbs
from rollback_audit.engine.actors import Actor
from rollback_audit.models import ApprovalDecision, ApprovalPlanEntry
from rollback_audit.records.approvals import ApprovalDecisionRecord, ApprovalEntryRecord
from rollback_audit.states import ApprovalState

SHOWN = 50
A_DAY = 1440


@dataclass(frozen=True, slots=True)
class Entry:
    """What was asked for one decision, and the plan's newest word on it. `number` tells the page's forms apart."""

    number: int
    asked: ApprovalEntryRecord
    word: ApprovalDecisionRecord | None


@require_safe
@page
def approval_plan(request: HttpRequest, actor: Actor, approval_plan_id: str) -> HttpResponse:
    record = approvals.read_approval_plan(actor=actor, approval_plan_id=approval_plan_id, most=0)
    plan = plan_verbs.find_plan(record.retry_plan_id)
    rows = list(_entries(approval_plan_id)[:SHOWN])
    given = approval_entries.given_to([row.decision for row in rows])
    return show(
        request,
        actor,
        "console/approval_plan.html",
        asked=record,
        plan=present.plan(plan),
        is_own=approvers.is_own(plan, actor=actor),
        is_first=any(found.is_waiting and found.approver_id == actor.user_id for found in given.values()),
        steps=flow.steps(figures.plan_progress(plan)),
        entries=[_entry(row, approval_entries.count_of(given, row)) for row in rows],
        form=DecideForm(),
    )


def _entry(row: ApprovalPlanEntry, approvals_given: int) -> Entry:
    words: list[ApprovalDecision] = row.decision.words  # type: ignore[attr-defined]
    return Entry(
        number=row.pk,
        asked=present.approval_entry(row, approvals_given=approvals_given),
        word=present.approval_decision(words[0]) if words else None,
    )


def _entries(approval_plan_id: str) -> QuerySet[ApprovalPlanEntry]:
    """An approval plan's entries, each decision with the plan's `words` on it, newest first."""
    words = queries.approval_decisions().filter(approval_plan__approval_plan_id=approval_plan_id)
    return (
        ApprovalPlanEntry.objects.filter(approval_plan__approval_plan_id=approval_plan_id)
        .select_related("approval_plan", "decision__delivery", "decision__plan")
        .prefetch_related(Prefetch("decision__approval_decisions", words, to_attr="words"))
        .order_by("id")
    )


@button("console:approval-plan")
def decide(request: HttpRequest, actor: Actor, approval_plan_id: str) -> HttpResponseBase:
    """A word on one entry where the form names one, else on all of them."""
    form = DecideForm(request.POST)
    data = read(form)
    one = reviews.DecisionKey(data["delivery_id"], data["audit_id"], data["provider"])
    answer = approvals.decide(
        actor=actor,
        approval_plan_id=approval_plan_id,
        key=one if data["delivery_id"] else None,
        approval_state=ApprovalState(data["approval_state"]),
        external_ref=data["external_ref"],
        notes=data["notes"],
        expires_in_minutes=data["expires_in_minutes"] or A_DAY,
    )
    messages.success(request, _said(answer))
    return SeeOther(reverse("console:approval-plan", args=[approval_plan_id]))


def _said(answer: approvals.ApprovalAnswer) -> str:
    plural = "decision" if answer.decision_count == 1 else "decisions"
    first = answer.decisions[0]
    if first.approvals_given < first.approvals_needed and first.approval_state is ApprovalState.APPROVED:
        return f"{answer.decision_count:,} {plural} with 1 of 2 approvals. Another person gives the second."
    return f"{answer.decision_count:,} {plural} now {first.approval_state}."
