"""Rows to public records: the one border between what is stored and what is shown."""

from collections.abc import Sequence

from rollback_audit.models import (
    ApprovalDecision,
    ApprovalPlan,
    ApprovalPlanEntry,
    Delivery,
    DeliveryAttempt,
    DeliveryPlan,
    RetryAcknowledgement,
    RetryDecision,
    RetryPlan,
)
from rollback_audit.planning.facts import RetryPolicy
from rollback_audit.planning.retry import REASONS
from rollback_audit.records.approvals import (
    ApprovalDecisionRecord,
    ApprovalEntryRecord,
    ApprovalPlanRecord,
    RetryAcknowledgementRecord,
)
from rollback_audit.records.deliveries import AttemptRecord, DeliveryPlanRecord, DeliveryRecord
from rollback_audit.records.plans import PLAN_CONTROLS, RetryDecisionRecord, RetryPlanRecord
from rollback_audit.states import (
    Action,
    AlertLevel,
    ApprovalAction,
    ApprovalState,
    DeliveryState,
    FailureKind,
    FourEyes,
    Outcome,
    ReasonCode,
    RetryAcknowledgementState,
)


def status_codes(comma_list: str) -> list[int]:
    """The stored comma list as integers, oldest first."""
    return [int(code) for code in comma_list.split(",")] if comma_list else []


def delivery_plan(row: DeliveryPlan) -> DeliveryPlanRecord:
    """A delivery plan; `row.package` must be loaded."""
    return DeliveryPlanRecord(
        delivery_id=row.delivery_id,
        audit_id=row.package.audit_id,
        selected_providers=list(row.selected_providers),
        destination_count=len(row.selected_providers),
        route_count=row.package.route_count,
        cadence=row.cadence,
        schedule_ref=row.schedule_ref or None,
        next_delivery_at=row.next_delivery_at,
        alert_level=AlertLevel(row.package.alert_level),
        generated_by=row.generated_by,
        generated_at=row.created_at,
    )


def delivery(row: Delivery) -> DeliveryRecord:
    """A delivery as it stands."""
    return DeliveryRecord(
        delivery_id=row.delivery_id,
        audit_id=row.audit_id,
        provider=row.provider,
        source=row.source,
        event_id=row.event_id,
        state=DeliveryState(row.state),
        attempt_count=row.attempt_count,
        failure_count=row.failure_count,
        failure_kind=FailureKind(row.failure_kind) if row.failure_kind else None,
        failed_status_codes=status_codes(row.failed_status_codes),
        in_doubt=row.in_doubt,
        last_attempt_at=row.last_attempt_at,
        last_failed_at=row.last_failed_at,
        not_before=row.not_before,
        blocked_by=ReasonCode(row.blocked_by) if row.blocked_by else None,
        due_at=row.due_at,
        delivered_at=row.delivered_at,
        created_at=row.created_at,
    )


def attempt(row: DeliveryAttempt) -> AttemptRecord:
    """One try; `row.delivery`, `row.approval` and `row.result.run` must be loaded."""
    return AttemptRecord(
        event_id=row.delivery.event_id,
        delivery_id=row.delivery.delivery_id,
        audit_id=row.delivery.audit_id,
        provider=row.delivery.provider,
        attempt_number=row.number,
        fence=row.fence,
        started_at=row.started_at,
        settled_at=row.settled_at,
        outcome=Outcome(row.outcome) if row.outcome else None,
        failure_kind=FailureKind(row.failure_kind) if row.failure_kind else None,
        status_code=row.status_code,
        retry_after_seconds=row.retry_after_seconds,
        duration_ms=row.duration_ms,
        already_held=row.already_held,
        run_id=row.result.run.run_id if row.result else None,
        approval_decision_id=row.approval.approval_decision_id if row.approval else None,
        request_digest=row.approval.request_digest if row.approval else None,
    )


def policy(row: RetryPlan) -> RetryPolicy:
    """The policy a plan was made under."""
    return RetryPolicy(**row.policy)


def decision(row: RetryDecision) -> RetryDecisionRecord:
    """A plan's word on one delivery; `row.delivery` and `row.plan` must be loaded."""
    return RetryDecisionRecord(
        delivery_id=row.delivery.delivery_id,
        audit_id=row.delivery.audit_id,
        provider=row.delivery.provider,
        source=row.delivery.source,
        action=Action(row.action),
        reason_code=ReasonCode(row.reason_code),
        reason=REASONS[ReasonCode(row.reason_code)],
        retry_count=row.retry_count,
        max_retry_attempts=policy(row.plan).max_retry_attempts,
        retry_delay_minutes=row.retry_delay_minutes,
        latest_delivery_id=row.delivery.delivery_id,
        latest_delivery_at=row.latest_attempt_at,
        next_retry_at=row.next_retry_at,
        failed_status_codes=status_codes(row.failed_status_codes),
        attempt_number=row.attempt_number,
        request_digest=row.request_digest,
        decision_digest=row.decision_digest,
    )


def plan(row: RetryPlan, decisions: Sequence[RetryDecision] = ()) -> RetryPlanRecord:
    """A plan with the decisions given."""
    rules = policy(row)
    return RetryPlanRecord(
        retry_plan_id=row.retry_plan_id,
        plan_digest=row.plan_digest,
        generated_at=row.generated_at,
        generated_by=row.generated_by,
        alert_level=AlertLevel(row.alert_level),
        decision_count=row.decision_count,
        retryable_count=row.retryable_count,
        waiting_count=row.waiting_count,
        suppressed_count=row.suppressed_count,
        max_retry_attempts=rules.max_retry_attempts,
        base_retry_delay_minutes=rules.retry_delay_minutes,
        backoff_multiplier=rules.backoff_multiplier,
        max_delay_minutes=rules.max_delay_minutes,
        jitter_ratio=rules.jitter_ratio,
        allow_immediate_retry=rules.allow_immediate_retry,
        retry_unknown_outcome=rules.retry_unknown_outcome,
        source=row.source or None,
        provider=row.provider or None,
        controls=list(PLAN_CONTROLS),
        retry_decisions=[decision(item) for item in decisions],
    )


def retry_acknowledgement(row: RetryAcknowledgement) -> RetryAcknowledgementRecord:
    """A review, without its notes; `row.decision.plan` and `row.decision.delivery` must be loaded."""
    return RetryAcknowledgementRecord(
        retry_acknowledgement_id=row.retry_acknowledgement_id,
        retry_plan_id=row.decision.plan.retry_plan_id,
        delivery_id=row.decision.delivery.delivery_id,
        audit_id=row.decision.delivery.audit_id,
        provider=row.decision.delivery.provider,
        acknowledgement_state=RetryAcknowledgementState(row.acknowledgement_state),
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        external_ref=row.external_ref,
    )


def approval_entry(row: ApprovalPlanEntry, *, approvals_given: int = 0) -> ApprovalEntryRecord:
    """What an approval plan asks for one decision; the plan and the decision's own relations must be loaded."""
    action = ApprovalAction(row.action)
    return ApprovalEntryRecord(
        decision=decision(row.decision),
        action=action,
        approval_required=action is not ApprovalAction.ALREADY_APPROVED,
        approvals_needed=row.approval_plan.approvals_needed,
        approvals_given=approvals_given,
    )


def approval_plan(row: ApprovalPlan, entries: Sequence[ApprovalEntryRecord] = ()) -> ApprovalPlanRecord:
    """An approval plan with the entries given; `row.retry_plan` must be loaded."""
    return ApprovalPlanRecord(
        approval_plan_id=row.approval_plan_id,
        retry_plan_id=row.retry_plan.retry_plan_id,
        plan_digest=row.retry_plan.plan_digest,
        require_retry_ack=row.require_retry_ack,
        generated_at=row.generated_at,
        generated_by=row.generated_by,
        entry_count=row.entry_count,
        approval_required_count=row.approval_required_count,
        approvals_needed=row.approvals_needed,
        entries=list(entries),
    )


def approval_decision(row: ApprovalDecision, *, approver: str | None = None) -> ApprovalDecisionRecord:
    """A word on one entry, without its notes; `row.approval_plan.retry_plan` and `row.delivery` must be loaded.

    So must `row.approver`, unless its name is given, and `row.second_approver`.
    """
    approvals_given = int(row.approval_state == ApprovalState.APPROVED) + int(row.second_approver is not None)
    return ApprovalDecisionRecord(
        approval_decision_id=row.approval_decision_id,
        approval_plan_id=row.approval_plan.approval_plan_id,
        retry_plan_id=row.approval_plan.retry_plan.retry_plan_id,
        delivery_id=row.delivery.delivery_id,
        audit_id=row.delivery.audit_id,
        provider=row.delivery.provider,
        approval_state=ApprovalState(row.approval_state),
        plan_digest=row.plan_digest,
        decision_digest=row.decision_digest,
        request_digest=row.request_digest,
        four_eyes=FourEyes(row.four_eyes),
        approved_by=row.approved_by,
        approver=approver or row.approver.get_username(),
        decided_at=row.decided_at,
        approvals_needed=2 if row.needs_second else 1,
        approvals_given=approvals_given,
        seconded_by=row.seconded_by or None,
        second_approver=row.second_approver.get_username() if row.second_approver else None,
        seconded_at=row.seconded_at,
        expires_at=row.expires_at,
        consumed_at=row.consumed_at,
        revoked_at=row.revoked_at,
        external_ref=row.external_ref,
        second_external_ref=row.second_external_ref,
    )
