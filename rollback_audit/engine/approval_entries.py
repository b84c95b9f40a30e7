"""Entries of an approval plan, and what people have said of them so far."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from rollback_audit.engine import approvers, clock, present
from rollback_audit.engine.reviews import DecisionKey
from rollback_audit.engine.standings import usable_approvals
from rollback_audit.errors import UnknownRecord
from rollback_audit.models import (
    ApprovalDecision,
    ApprovalPlan,
    ApprovalPlanEntry,
    RetryAcknowledgement,
    RetryDecision,
    RetryPlan,
)
from rollback_audit.planning.approval import counts
from rollback_audit.records.approvals import ApprovalEntryRecord
from rollback_audit.states import Action, ApprovalAction, ApprovalState, RetryAcknowledgementState

BATCH = 500


class Given(NamedTuple):
    """The approval of one decision that has not been taken back: who gave it, and whether it still counts.

    `maker_id` made the plan that it was given on. `is_used` says that an attempt has spent it.
    """

    approval_pk: int
    approver_id: int
    maker_id: int | None
    needs_second: bool
    second_approver_id: int | None
    is_used: bool
    is_live: bool

    @property
    def approvals(self) -> int:
        """How many people's approval it is; 0 once it has run out or one of them may no longer approve."""
        return (1 + (self.second_approver_id is not None)) if self.is_used or self.is_live else 0

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for a second person."""
        return self.is_live and self.needs_second and self.second_approver_id is None


def due_decisions(plan: RetryPlan) -> QuerySet[RetryDecision]:
    """A plan's due decisions with their latest `review`, and whether they hold an approval to spend."""
    usable = ApprovalDecision.objects.filter(
        usable_approvals(clock.now()), delivery=OuterRef("delivery"), decision_digest=OuterRef("decision_digest")
    )
    return (
        RetryDecision.objects.filter(plan=plan, action=Action.RETRY)
        .annotate(review=_latest_review(), is_approved=Exists(usable))
        .order_by("ordinal")
    )


def action_for(decision: RetryDecision, *, require_retry_ack: bool) -> ApprovalAction:
    """What to ask for a row of `due_decisions`."""
    if decision.is_approved:  # type: ignore[attr-defined]
        return ApprovalAction.ALREADY_APPROVED
    if require_retry_ack and decision.review != RetryAcknowledgementState.ACCEPTED:  # type: ignore[attr-defined]
        return ApprovalAction.WAIT_FOR_RETRY_ACK
    return ApprovalAction.REQUEST_APPROVAL


def accepted(plan: RetryPlan) -> set[int]:
    """Keys of a plan's decisions whose latest review accepted them."""
    reviewed = RetryDecision.objects.filter(plan=plan).annotate(review=_latest_review())
    return set(reviewed.filter(review=RetryAcknowledgementState.ACCEPTED).values_list("pk", flat=True))


def of_plan(row: ApprovalPlan, *, key: DecisionKey | None = None) -> QuerySet[ApprovalPlanEntry]:
    """An approval plan's entries in their order, or the one that is named, with all that records ask of them."""
    rows = row.entries.select_related("approval_plan", "decision__plan", "decision__delivery").order_by("pk")
    if key is None:
        return rows
    return rows.filter(
        decision__delivery__delivery_id=key.delivery_id,
        decision__delivery__audit_id=key.audit_id,
        decision__delivery__provider=key.provider,
    )


def find(row: ApprovalPlan, *, key: DecisionKey | None) -> list[ApprovalPlanEntry]:
    """The entries a word is about. Raises UnknownRecord."""
    found = list(of_plan(row, key=key))
    if not found:
        raise UnknownRecord("The approval plan has no entry for this delivery.")
    return found


def records(rows: Sequence[ApprovalPlanEntry]) -> list[ApprovalEntryRecord]:
    """Entries as they are shown, with how many people have approved each by now."""
    given = given_to([row.decision for row in rows])
    return [present.approval_entry(row, approvals_given=count_of(given, row)) for row in rows]


def count_of(given: dict[int, Given], row: ApprovalPlanEntry) -> int:
    """How many people have approved an entry."""
    found = given.get(row.decision_id)
    return found.approvals if found else 0


def given_to(decisions: Sequence[RetryDecision]) -> dict[int, Given]:
    """The approval of each decision that has one, by the decision's key. Other plans' equal decisions share it."""
    standing, now = approvers.standing_approvers(), clock.now()
    given: dict[tuple[int, str], Given] = {}
    for start in range(0, len(decisions), BATCH):
        batch = decisions[start : start + BATCH]
        rows = ApprovalDecision.objects.filter(
            delivery__in=[item.delivery_id for item in batch],
            approval_state=ApprovalState.APPROVED,
            revoked_at__isnull=True,
        )
        for row in rows.select_related("approval_plan__retry_plan").order_by("pk"):
            given[row.delivery_id, row.decision_digest] = _given(row, standing=standing, now=now)
    keys = {item.pk: (item.delivery_id, item.decision_digest) for item in decisions}
    return {pk: given[key] for pk, key in keys.items() if key in given}


def _given(row: ApprovalDecision, *, standing: frozenset[int], now: datetime) -> Given:
    is_used = row.consumed_at is not None
    allowed = counts(approver_id=row.approver_id, second_approver_id=row.second_approver_id, standing=standing)
    return Given(
        approval_pk=row.pk,
        approver_id=row.approver_id,
        maker_id=row.approval_plan.retry_plan.maker_id,
        needs_second=row.needs_second,
        second_approver_id=row.second_approver_id,
        is_used=is_used,
        is_live=not is_used and now < row.expires_at and allowed,
    )


def _latest_review() -> Subquery:
    reviews = RetryAcknowledgement.objects.filter(decision=OuterRef("pk")).order_by("-pk")
    return Subquery(reviews.values("acknowledgement_state")[:1])
