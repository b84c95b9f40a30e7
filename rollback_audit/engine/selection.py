"""What a run sends, chosen in the transaction that makes it: due, approved, oldest first, up to its limit."""

from django.db import connection

from rollback_audit.engine import bulk, lanes
from rollback_audit.engine.approvers import standing_approvers
from rollback_audit.models import ApprovalDecision, Delivery, RetryDecision, WorkerResult, WorkerRun
from rollback_audit.states import Action, ApprovalState, ResultState, RunState, SkipReason

_RESULTS = WorkerResult._meta.db_table
_DECISIONS = RetryDecision._meta.db_table
_DELIVERIES = Delivery._meta.db_table
_APPROVALS = ApprovalDecision._meta.db_table
_OLDEST_DUE_FIRST = "ORDER BY c.next_retry_at, d.delivery_id, d.provider"
_COLUMNS = "run_id, ordinal, lane_ordinal, decision_id, delivery_id, connector_id, approval_id, state, skipped"
_PLACES = (
    f"row_number() OVER ({_OLDEST_DUE_FIRST}), row_number() OVER (PARTITION BY d.connector_id {_OLDEST_DUE_FIRST})"
)


def select_dry(run: WorkerRun) -> None:
    """Select what a live run would send, oldest due first, and finish."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO "{_RESULTS}" ({_COLUMNS})
            SELECT %s, {_PLACES}, c.id, c.delivery_id, d.connector_id, NULL,
                   '{ResultState.SKIPPED}', '{SkipReason.DRY_RUN}'
            FROM "{_DECISIONS}" c JOIN "{_DELIVERIES}" d ON d.id = c.delivery_id
            WHERE c.plan_id = %s AND c.action = '{Action.RETRY}' {_OLDEST_DUE_FIRST} LIMIT %s
            """,  # noqa: S608 - table names and enumerations
            [run.pk, run.retry_plan_id, run.max_retry_deliveries],
        )
        selected = cursor.rowcount
    run.started_at = run.completed_at = run.generated_at
    run.state = RunState.COMPLETED
    run.selected_retry_count = run.skipped_count = selected
    run.over_limit_count = run.retry_plan.retryable_count - selected
    run.save(
        update_fields=[
            "started_at",
            "completed_at",
            "state",
            "selected_retry_count",
            "skipped_count",
            "over_limit_count",
        ]
    )


def select_live(run: WorkerRun) -> None:
    """Select what is due and approved, oldest due first, up to the run's limit."""
    standing, ids = bulk.any_of(sorted(standing_approvers()) or [0])
    approved = f"""
        FROM "{_DECISIONS}" c
        JOIN "{_DELIVERIES}" d ON d.id = c.delivery_id
        JOIN "{_APPROVALS}" a ON a.delivery_id = c.delivery_id AND a.decision_digest = c.decision_digest
            AND a.approval_state = '{ApprovalState.APPROVED}' AND a.consumed_at IS NULL AND a.revoked_at IS NULL
            AND a.approver_id {standing} AND (NOT a.needs_second OR a.second_approver_id {standing})
        WHERE c.plan_id = %s AND c.action = '{Action.RETRY}' AND a.expires_at > %s
    """
    parameters = [*ids, *ids, run.retry_plan_id, bulk.moment(run.generated_at)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {approved}", parameters)
        approved_count = cursor.fetchone()[0]
        cursor.execute(
            f"""
            INSERT INTO "{_RESULTS}" ({_COLUMNS})
            SELECT %s, {_PLACES}, c.id, c.delivery_id, d.connector_id, a.id,
                   '{ResultState.REMAINING}', NULL
            {approved} {_OLDEST_DUE_FIRST} LIMIT %s
            """,
            [run.pk, *parameters, run.max_retry_deliveries],
        )
        selected = cursor.rowcount
    run.selected_retry_count = run.remaining_count = selected
    run.over_limit_count = approved_count - selected
    run.approval_pending_count = run.retry_plan.retryable_count - approved_count
    run.save(update_fields=["selected_retry_count", "remaining_count", "over_limit_count", "approval_pending_count"])
    lanes.lay(run)
