from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from rollback_audit.records.plans import RetryDecisionRecord
from rollback_audit.states import (
    ApprovalAction,
    ApprovalState,
    FourEyes,
    ResultState,
    RetryAcknowledgementState,
    SkipReason,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAcknowledgementRecord:
    """A review of one decision, without its notes."""

    retry_acknowledgement_id: str
    retry_plan_id: str
    delivery_id: str
    audit_id: str
    provider: str
    acknowledgement_state: RetryAcknowledgementState
    acknowledged_by: str
    acknowledged_at: datetime
    external_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalEntryRecord:
    """What was asked for one decision, and how many of the people it needs have approved it by now."""

    decision: RetryDecisionRecord
    action: ApprovalAction
    approval_required: bool
    approvals_needed: int
    approvals_given: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPlanRecord:
    """An approval plan with its first entries; `entries_next` leads to the rest."""

    approval_plan_id: str
    retry_plan_id: str
    plan_digest: str
    require_retry_ack: bool
    generated_at: datetime
    generated_by: str
    entry_count: int
    approval_required_count: int
    approvals_needed: int
    entries: list[ApprovalEntryRecord]
    entries_next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDecisionRecord:
    """A word on one entry. One that needs two approvals counts once both are given."""

    approval_decision_id: str
    approval_plan_id: str
    retry_plan_id: str
    delivery_id: str
    audit_id: str
    provider: str
    approval_state: ApprovalState
    plan_digest: str
    decision_digest: str
    request_digest: str
    four_eyes: FourEyes
    approved_by: str
    approver: str
    decided_at: datetime
    approvals_needed: int
    approvals_given: int
    seconded_by: str | None
    second_approver: str | None
    seconded_at: datetime | None
    expires_at: datetime
    consumed_at: datetime | None
    revoked_at: datetime | None
    external_ref: str
    second_external_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRecord:
    """What a live attempt leaves: who executed which approved decision, and what came of it."""

    execution_id: str
    execution_hash: str
    execution_status: ResultState
    executed_at: datetime
    executed_by: str
    run_id: str
    retry_plan_id: str
    approval_decision_id: str | None
    approval_plan_id: str | None
    delivery_id: str
    audit_id: str
    provider: str
    skipped: SkipReason | None
    delivery_metadata_id: str | None
    delivery_success: bool
    public_evidence_refs: list[str]

    @classmethod
    def from_line(cls, record: dict[str, Any]) -> Self:
        """The record as a ledger line holds it."""
        return cls(
            **{
                **record,
                "execution_status": ResultState(record["execution_status"]),
                "executed_at": datetime.fromisoformat(record["executed_at"]),
                "skipped": SkipReason(record["skipped"]) if record["skipped"] else None,
            }
        )
