"""Nothing live without a fitting approval: reviews, approval plans and decisions.

An approval names the plan's and the decision's digest and what would be sent. It is good for one attempt, until it
expires, and a later word on the same decision takes it back. Whoever made the plan cannot approve it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery

from rollback_audit.engine import clock, ledger, plans, present
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.labels import label
from rollback_audit.engine.reviews import DecisionKey
from rollback_audit.errors import InvalidInput, NotAllowed, StateForbids, UnknownRecord
from rollback_audit.ids import new_id
from rollback_audit.models import (
    ApprovalDecision,
    ApprovalPlan,
    ApprovalPlanEntry,
    RetryAcknowledgement,
    RetryDecision,
    RetryPlan,
)
from rollback_audit.records.approvals import (
    ApprovalDecisionRecord,
    ApprovalPlanRecord,
)
from rollback_audit.records.history import HistoryRow
from rollback_audit.redaction import check_text
from rollback_audit.states import (
    Action,
    ApprovalAction,
    ApprovalState,
    MetadataKind,
    Permission,
    RetryAcknowledgementState,
)

MAX_EXPIRY_MINUTES = 1440
_SHOWN = 1000
_BATCH = 500
_DECISION_RELATIONS = ("decision__plan", "decision__delivery")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAnswer:
    """What was decided: the first 1,000 records with their history rows, and how many there are."""

    decision_count: int
    decisions: list[ApprovalDecisionRecord]
    metadata: list[HistoryRow]


def request_approval(
    *, actor: Actor, retry_plan_id: str | None = None, require_retry_ack: bool = True, generated_by: str = ""
) -> tuple[ApprovalPlanRecord, HistoryRow]:
    """Ask for approval of a plan's due decisions (the newest plan's, where none is named).

    Raises UnknownRecord without a plan, StateForbids (nothing_to_approve) where nothing is due.
    """
    actor.require(Permission.REQUEST_APPROVAL)
    plan = _newest_plan() if retry_plan_id is None else plans.find_plan(retry_plan_id)
    with transaction.atomic():
        due = list(_due_decisions(plan))
        if not due:
            raise StateForbids("This plan has no decision that is due for retry.", code="nothing_to_approve")
        actions = [_entry_action(item, require_retry_ack=require_retry_ack) for item in due]
        row = ApprovalPlan.objects.create(
            approval_plan_id=new_id("gordackapproval"),
            retry_plan=plan,
            require_retry_ack=require_retry_ack,
            entry_count=len(due),
            approval_required_count=sum(action is not ApprovalAction.ALREADY_APPROVED for action in actions),
            generated_by=label("generated_by", generated_by, actor=actor),
            actor=actor.name,
            generated_at=clock.now(),
        )
        ApprovalPlanEntry.objects.bulk_create(
            [
                ApprovalPlanEntry(approval_plan=row, decision=item, action=action)
                for item, action in zip(due, actions, strict=True)
            ],
            batch_size=_BATCH,
        )
        line = ledger.row(
            MetadataKind.APPROVAL_PLAN,
            session_id=row.approval_plan_id,
            signer=actor.name,
            at=row.generated_at,
            record=present.approval_plan(row),
            decision_count=row.entry_count,
            approval_required_count=row.approval_required_count,
        )
        ledger.append([line])
    return read_approval_plan(actor=actor, approval_plan_id=row.approval_plan_id), line


def read_approval_plan(*, actor: Actor, approval_plan_id: str, most: int = _SHOWN) -> ApprovalPlanRecord:
    """A stored approval plan with its first `most` entries, as they stood when it was made."""
    actor.require(Permission.VIEW_EVIDENCE)
    row = _approval_plan(approval_plan_id)
    entries = row.entries.select_related(*_DECISION_RELATIONS).order_by("pk")[:most]
    return present.approval_plan(row, list(entries))


def decide(
    *,
    actor: Actor,
    approval_plan_id: str,
    key: DecisionKey | None = None,
    approval_state: ApprovalState = ApprovalState.APPROVED,
    external_ref: str = "",
    notes: str = "",
    approved_by: str = "",
    expires_in_minutes: int = MAX_EXPIRY_MINUTES,
) -> ApprovalAnswer:
    """Approve, deny, defer or expire one entry, or all of them (`key` None). The latest word on a decision counts.

    Approving all takes those that may be approved; approving one that may not is refused. Raises NotAllowed
    (four_eyes), StateForbids (retry_ack_missing, nothing_to_approve, decided_meanwhile), UnknownRecord, InvalidInput.
    """
    actor.require(Permission.APPROVE_RETRY)
    if not 1 <= expires_in_minutes <= MAX_EXPIRY_MINUTES:
        raise InvalidInput({"expires_in_minutes": [f"Expected 1 to {MAX_EXPIRY_MINUTES}."]})
    word = _Word(
        approval_state=approval_state,
        external_ref=check_text("external_ref", external_ref, 200),
        notes=check_text("notes", notes, 2000, multiline=True),
        approved_by=label("approved_by", approved_by, actor=actor),
        approver_id=_person(actor),
        lasts=timedelta(minutes=expires_in_minutes),
    )
    row = _approval_plan(approval_plan_id)
    if approval_state is ApprovalState.APPROVED:
        _refuse_own_plan(word.approver_id, row.retry_plan)
    with transaction.atomic():
        # Whoever decides on a plan's entries does so one after the other: the latest word must be one word.
        ApprovalPlan.objects.select_for_update(of=("self",)).get(pk=row.pk)
        entries = _entries(row, key=key)
        if approval_state is ApprovalState.APPROVED:
            entries = _approvable(entries, row, single=key is not None)
        lines = _store(word, row, entries, actor=actor)
        ledger.append(line for _, line in lines)
    shown = lines[:_SHOWN]
    return ApprovalAnswer(
        decision_count=len(lines), decisions=[record for record, _ in shown], metadata=[line for _, line in shown]
    )


class _Word(NamedTuple):
    """What somebody says of entries, checked."""

    approval_state: ApprovalState
    external_ref: str
    notes: str
    approved_by: str
    approver_id: int
    lasts: timedelta


def _newest_plan() -> RetryPlan:
    plan = RetryPlan.objects.order_by("-pk").first()
    if plan is None:
        raise UnknownRecord("There is no retry plan yet.")
    return plan


def _approval_plan(approval_plan_id: str) -> ApprovalPlan:
    row = ApprovalPlan.objects.select_related("retry_plan").filter(approval_plan_id=approval_plan_id).first()
    if row is None:
        raise UnknownRecord("No approval plan with this id.")
    return row


def _latest_review() -> Subquery:
    reviews = RetryAcknowledgement.objects.filter(decision=OuterRef("pk")).order_by("-pk")
    return Subquery(reviews.values("acknowledgement_state")[:1])


def _live_approval() -> Exists:
    return Exists(
        ApprovalDecision.objects.filter(
            delivery=OuterRef("delivery"),
            decision_digest=OuterRef("decision_digest"),
            approval_state=ApprovalState.APPROVED,
            consumed_at__isnull=True,
            revoked_at__isnull=True,
            expires_at__gt=clock.now(),
        )
    )


def _due_decisions(plan: RetryPlan) -> QuerySet[RetryDecision]:
    return (
        RetryDecision.objects.filter(plan=plan, action=Action.RETRY)
        .annotate(review=_latest_review(), is_approved=_live_approval())
        .order_by("ordinal")
    )


def _entry_action(decision: RetryDecision, *, require_retry_ack: bool) -> ApprovalAction:
    """What to ask for a row of `_due_decisions`."""
    if decision.is_approved:  # type: ignore[attr-defined]
        return ApprovalAction.ALREADY_APPROVED
    if require_retry_ack and decision.review != RetryAcknowledgementState.ACCEPTED:  # type: ignore[attr-defined]
        return ApprovalAction.WAIT_FOR_RETRY_ACK
    return ApprovalAction.REQUEST_APPROVAL


def _person(actor: Actor) -> int:
    if actor.user_id is None:
        raise NotAllowed("Approvals are decided by people.")
    return actor.user_id


def _refuse_own_plan(approver_id: int, plan: RetryPlan) -> None:
    if settings.CAVRA_FOUR_EYES and plan.maker_id == approver_id:
        raise NotAllowed("You made this plan; somebody else has to approve it.", code="four_eyes")


def _entries(row: ApprovalPlan, *, key: DecisionKey | None) -> list[ApprovalPlanEntry]:
    entries = row.entries.select_related(*_DECISION_RELATIONS).order_by("pk")
    if key is not None:
        entries = entries.filter(
            decision__delivery__delivery_id=key.delivery_id,
            decision__delivery__audit_id=key.audit_id,
            decision__delivery__provider=key.provider,
        )
    found = list(entries)
    if not found:
        raise UnknownRecord("The approval plan has no entry for this delivery.")
    return found


def _approvable(entries: Sequence[ApprovalPlanEntry], row: ApprovalPlan, *, single: bool) -> list[ApprovalPlanEntry]:
    """Entries that may be approved now: not spent, and reviewed where the plan asks for a review."""
    spent = set(
        ApprovalDecision.objects.filter(
            approval_plan__retry_plan=row.retry_plan, consumed_at__isnull=False
        ).values_list("retry_decision_id", flat=True)
    )
    fresh = [entry for entry in entries if entry.decision_id not in spent]
    if not row.require_retry_ack:
        reviewed = fresh
    else:
        accepted = set(
            RetryDecision.objects.filter(plan=row.retry_plan)
            .annotate(review=_latest_review())
            .filter(review=RetryAcknowledgementState.ACCEPTED)
            .values_list("pk", flat=True)
        )
        reviewed = [entry for entry in fresh if entry.decision_id in accepted]
    if reviewed:
        return reviewed
    if fresh and row.require_retry_ack:
        raise StateForbids("Somebody has to accept the retry decision first.", code="retry_ack_missing")
    detail = "This decision's approval has been used." if single else "Every approval of this plan has been used."
    raise StateForbids(f"{detail} Make a new plan.", code="nothing_to_approve")


def _revoke(decisions: Sequence[RetryDecision], *, now: datetime) -> None:
    """Take back what was approved before: the latest word counts."""
    for start in range(0, len(decisions), _BATCH):
        batch = decisions[start : start + _BATCH]
        ApprovalDecision.objects.filter(
            delivery__in=[item.delivery_id for item in batch],
            decision_digest__in=[item.decision_digest for item in batch],
            approval_state=ApprovalState.APPROVED,
            consumed_at__isnull=True,
            revoked_at__isnull=True,
        ).update(revoked_at=now)


def _store(
    word: _Word, row: ApprovalPlan, entries: Sequence[ApprovalPlanEntry], *, actor: Actor
) -> list[tuple[ApprovalDecisionRecord, HistoryRow]]:
    """Take back what was said of the entries before, and store the word with its ledger lines."""
    now = clock.now()
    _revoke([entry.decision for entry in entries], now=now)
    decisions = [
        ApprovalDecision(
            approval_decision_id=new_id("gordackapprove"),
            approval_plan=row,
            retry_decision=entry.decision,
            delivery=entry.decision.delivery,
            approval_state=word.approval_state,
            plan_digest=row.retry_plan.plan_digest,
            decision_digest=entry.decision.decision_digest,
            request_digest=entry.decision.request_digest,
            external_ref=word.external_ref,
            notes=word.notes,
            approved_by=word.approved_by,
            approver_id=word.approver_id,
            decided_at=now,
            expires_at=now + word.lasts,
        )
        for entry in entries
    ]
    try:
        ApprovalDecision.objects.bulk_create(decisions, batch_size=_BATCH)
    except IntegrityError:
        # Another plan may hold the same decision. Its approval came while ours was being written.
        raise StateForbids("Somebody else decided at the same moment; look again.", code="decided_meanwhile") from None
    return _decision_lines(decisions, actor=actor, now=now)


def _decision_lines(
    decisions: Sequence[ApprovalDecision], *, actor: Actor, now: datetime
) -> list[tuple[ApprovalDecisionRecord, HistoryRow]]:
    lines = []
    for item in decisions:
        record = present.approval_decision(item, approver=actor.name)
        line = ledger.row(
            MetadataKind.APPROVAL_DECISION,
            session_id=item.approval_decision_id,
            signer=actor.name,
            at=now,
            record=record,
            decision_count=1,
            blocked_count=int(record.approval_state is not ApprovalState.APPROVED),
            connector_delivery_source=item.delivery.source,
            provider=record.provider,
            audit_id=record.audit_id,
            delivery_id=record.delivery_id,
        )
        lines.append((record, line))
    return lines
