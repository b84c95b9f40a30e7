"""Addresses of ours inside answers. Paths without scheme and host: whoever reads them knows where they asked."""

from dataclasses import replace

from django.urls import reverse

from rollback_audit.api.pagination import LONGEST_PAGE, Cursor
from rollback_audit.records.approvals import ApprovalPlanRecord
from rollback_audit.records.plans import RetryPlanRecord
from rollback_audit.records.runs import WorkerRunRecord


def run_path(run_id: str) -> str:
    return reverse("api:worker-run", kwargs={"run_id": run_id})


def schedule_path(schedule_id: str) -> str:
    return reverse("api:drill-schedule", kwargs={"schedule_id": schedule_id})


def with_rest_of_plan(plan: RetryPlanRecord) -> RetryPlanRecord:
    """The plan with the address of the decisions it does not show."""
    shown = len(plan.retry_decisions)
    if shown >= plan.decision_count:
        return plan
    path = reverse("api:retry-plan-decisions", kwargs={"retry_plan_id": plan.retry_plan_id})
    return replace(plan, decisions_next=_rest(path, "retry-plan-decisions", shown))


def with_rest_of_approval_plan(plan: ApprovalPlanRecord) -> ApprovalPlanRecord:
    """The approval plan with the address of the entries it does not show."""
    if len(plan.entries) >= plan.entry_count:
        return plan
    path = reverse("api:approval-plan-entries", kwargs={"approval_plan_id": plan.approval_plan_id})
    return replace(plan, entries_next=f"{path}?limit={LONGEST_PAGE}&offset={len(plan.entries)}")


def with_rest_of_run(run: WorkerRunRecord) -> WorkerRunRecord:
    """The run with the addresses inside its plan."""
    return replace(run, retry_plan=with_rest_of_plan(run.retry_plan))


def _rest(path: str, listing: str, shown: int) -> str:
    # Ordinals count from 1, so the number shown is the last one shown.
    return f"{path}?limit={LONGEST_PAGE}&cursor={Cursor(forward=True, at=shown).sealed(listing)}"
