"""Lists of the retry loop: plans, decisions, reviews, approvals, runs, results."""

from django.db.models import Q

from rollback_audit.admin import filters, pages
from rollback_audit.admin.columns import Column, Kind, flag, identity, number, time, word
from rollback_audit.admin.lists import EvidenceList
from rollback_audit.engine import clock, queries, standings
from rollback_audit.states import (
    Action,
    AlertLevel,
    ApprovalState,
    ReasonCode,
    ResultState,
    RetryAcknowledgementState,
    RunState,
    SkipReason,
    Source,
    StopReason,
)

_PLAN = identity("Plan", "retry_plan_id", pages.PLAN)


class RetryPlanList(EvidenceList):
    rows = staticmethod(queries.plans)
    slug = "plans"
    heading = "Retry plans"
    explanation = "Each plan is a list of decisions about the failures of one moment. A plan never changes."
    empty = "No plan yet. Plan Audit Retry on the overview makes one."
    columns = (
        _PLAN,
        word("Alert", "alert_level"),
        number("Decisions", "decision_count"),
        number("Retry", "retryable_count"),
        number("Wait", "waiting_count"),
        number("Suppress", "suppressed_count"),
        Column("Made by", "generated_by"),
        time("Made", "generated_at"),
    )
    list_filter = (
        filters.choice("alert_level", "alert level", AlertLevel),
        filters.choice("source", "source", Source),
        filters.provider(),
        filters.age("generated_at"),
        filters.exact("plan_id", "plan id", column="retry_plan_id"),
    )


class DecisionList(EvidenceList):
    rows = staticmethod(queries.decisions)
    slug = "decisions"
    heading = "Retry decisions"
    explanation = "What a plan says of one delivery, with the facts it was made from."
    empty = "No decision yet: nothing has failed, or nobody has planned."
    columns = (
        Column("Delivery", "delivery.delivery_id", Kind.ID, pages.DELIVERY),
        Column("Connector", "delivery.provider"),
        word("Action", "action"),
        word("Reason", "reason_code"),
        number("Failures", "retry_count"),
        time("Next retry", "next_retry_at"),
        Column("Plan", "plan.retry_plan_id", Kind.ID, pages.PLAN),
    )
    list_filter = (
        filters.choice("action", "action", Action),
        filters.choice("reason_code", "reason", ReasonCode),
        filters.provider("delivery__provider"),
        filters.choice("source", "source", Source, column="delivery__source"),
        filters.age("plan__generated_at"),
        filters.exact("plan_id", "plan id", column="plan__retry_plan_id"),
        filters.exact("delivery_id", "delivery id", column="delivery__delivery_id"),
        filters.exact("audit_id", "audit id", column="delivery__audit_id"),
    )


class ReviewList(EvidenceList):
    rows = staticmethod(queries.retry_acknowledgements)
    slug = "reviews"
    heading = "Reviews"
    explanation = "A person's word on one decision of a plan. The latest one counts."
    empty = "No decision has been reviewed yet. A plan's page has the button."
    columns = (
        identity("Review", "retry_acknowledgement_id"),
        word("State", "acknowledgement_state"),
        Column("Delivery", "decision.delivery.delivery_id", Kind.ID, pages.DELIVERY),
        Column("Connector", "decision.delivery.provider"),
        Column("Plan", "decision.plan.retry_plan_id", Kind.ID, pages.PLAN),
        Column("By", "acknowledged_by"),
        time("When", "acknowledged_at"),
    )
    list_filter = (
        filters.choice("acknowledgement_state", "state", RetryAcknowledgementState),
        filters.provider("decision__delivery__provider"),
        filters.age("acknowledged_at"),
        filters.exact("plan_id", "plan id", column="decision__plan__retry_plan_id"),
        filters.exact("delivery_id", "delivery id", column="decision__delivery__delivery_id"),
    )


class ApprovalPlanList(EvidenceList):
    rows = staticmethod(queries.approval_plans)
    slug = "approval-plans"
    heading = "Approval plans"
    explanation = "Asks for approval of a plan's due retries. Someone other than the plan's maker decides."
    empty = "No approval has been asked for yet. A plan's page has the button."
    columns = (
        identity("Approval plan", "approval_plan_id", pages.APPROVAL_PLAN),
        Column("Plan", "retry_plan.retry_plan_id", Kind.ID, pages.PLAN),
        number("Entries", "entry_count"),
        number("Asked for", "approval_required_count"),
        number("Approvals each", "approvals_needed"),
        Column("Asked by", "generated_by"),
        time("When", "generated_at"),
    )
    list_filter = (
        filters.age("generated_at"),
        filters.exact("plan_id", "plan id", column="retry_plan__retry_plan_id"),
        filters.exact("approval_plan_id", "approval plan id"),
    )


APPROVALS = {
    "usable": lambda: standings.usable_approvals(clock.now()),
    "waiting": lambda: standings.half_approved(clock.now()),
    "used": lambda: Q(consumed_at__isnull=False),
    "revoked": lambda: Q(revoked_at__isnull=False),
    "lapsed": lambda: standings.lapsed_approvals(clock.now()),
}


class ApprovalList(EvidenceList):
    rows = staticmethod(queries.approval_decisions)
    slug = "approvals"
    heading = "Approval decisions"
    explanation = "Each approval is good for one attempt of exactly the planned request, until it expires."
    empty = "Nothing has been approved or denied yet."
    columns = (
        Column("Delivery", "delivery.delivery_id", Kind.ID, pages.DELIVERY),
        Column("Connector", "delivery.provider"),
        word("State", "approval_state"),
        Column("By", "approved_by"),
        Column("Second", "seconded_by"),
        time("Decided", "decided_at"),
        time("Expires", "expires_at"),
        time("Used", "consumed_at"),
        time("Revoked", "revoked_at"),
    )
    list_filter = (
        filters.choice("approval_state", "state", ApprovalState),
        filters.cases("use", "use", APPROVALS),
        filters.provider("delivery__provider"),
        filters.age("decided_at"),
        filters.exact("plan_id", "plan id", column="approval_plan__retry_plan__retry_plan_id"),
        filters.exact("delivery_id", "delivery id", column="delivery__delivery_id"),
    )


class RunList(EvidenceList):
    rows = staticmethod(queries.runs)
    slug = "runs"
    heading = "Worker runs"
    explanation = "Each pass of the retry worker, with its receipt. A dry run sends nothing."
    empty = "No run yet. Run Audit Worker on the overview makes a dry run."
    columns = (
        identity("Run", "run_id", pages.RUN),
        flag("Dry run", "dry_run"),
        word("State", "state"),
        number("Selected", "selected_retry_count"),
        number("Delivered", "delivered_count"),
        number("Failed", "failed_count"),
        number("Skipped", "skipped_count"),
        Column("By", "generated_by"),
        time("Window", "window_start"),
        time("Made", "generated_at"),
    )
    list_filter = (
        filters.yes_no("dry_run", "dry run"),
        filters.choice("state", "state", RunState),
        filters.age("generated_at"),
        filters.exact("run_id", "run id"),
        filters.exact("plan_id", "plan id", column="retry_plan__retry_plan_id"),
        filters.exact("generated_by", "made by"),
    )


class ResultList(EvidenceList):
    rows = staticmethod(queries.results)
    slug = "results"
    heading = "Run results"
    explanation = "What became of each decision that a run selected."
    empty = "No run has selected anything yet."
    columns = (
        Column("Run", "run.run_id", Kind.ID, pages.RUN),
        Column("Delivery", "delivery.delivery_id", Kind.ID, pages.DELIVERY),
        Column("Connector", "delivery.provider"),
        word("State", "state"),
        word("Skipped because", "skipped"),
        time("Run made", "run.generated_at"),
    )
    list_filter = (
        filters.choice("state", "state", ResultState),
        filters.choice("skipped", "skipped because", SkipReason),
        filters.yes_no("dry_run", "dry run", column="run__dry_run"),
        filters.provider("delivery__provider"),
        filters.choice("source", "source", Source, column="delivery__source"),
        filters.age("run__generated_at"),
        filters.exact("run_id", "run id", column="run__run_id"),
        filters.exact("delivery_id", "delivery id", column="delivery__delivery_id"),
        filters.exact("audit_id", "audit id", column="delivery__audit_id"),
    )


class LaneList(EvidenceList):
    rows = staticmethod(queries.lanes)
    slug = "run-connectors"
    heading = "Runs by connector"
    explanation = "What each live run sent over a connector: how far its waves came, and whether its rule stopped it."
    empty = "No live run yet."
    columns = (
        Column("Run", "run.run_id", Kind.ID, pages.RUN),
        Column("Connector", "connector.name", Kind.TEXT, pages.CONNECTOR),
        number("Wave", "wave"),
        number("Selected", "selected_count"),
        number("Delivered", "delivered_count"),
        number("Failed", "failed_count"),
        number("Skipped", "skipped_count"),
        number("Unknown", "unknown_count"),
        number("Remaining", "remaining_count"),
        word("Stopped because", "stop_reason"),
        time("Stopped", "stopped_at"),
    )
    list_filter = (
        filters.choice("stop_reason", "stopped because", StopReason),
        filters.provider("connector__name"),
        filters.age("run__generated_at"),
        filters.exact("run_id", "run id", column="run__run_id"),
    )


class WorkerScheduleList(EvidenceList):
    rows = staticmethod(queries.worker_schedules)
    slug = "worker-schedules"
    heading = "Worker schedules"
    explanation = "Recurring dry runs. Each window is run once, however many workers are up."
    empty = "No schedule yet. The worker installs one when it starts."
    columns = (
        Column("Schedule", "name"),
        number("Every (min)", "interval_minutes"),
        flag("Enabled", "enabled"),
        time("Changed", "updated_at"),
    )
    list_filter = (filters.yes_no("enabled", "enabled"),)
