"""Nothing live without a fitting approval: approval plans and the words on their entries.

An approval names the plan's and the decision's digest and what would be sent. It is good for one attempt, until it
expires, and a later word on the same decision takes it back. Whoever made the plan cannot approve it; a large approval
plan wants two people's approval of each entry.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Value
from django.db.models.functions import Least

from rollback_audit.engine import approval_entries as entries
from rollback_audit.engine import approvers, clock, ledger, plans, present, queries
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.labels import label
from rollback_audit.engine.reviews import DecisionKey
from rollback_audit.errors import InvalidInput, NotAllowed, StateForbids, UnknownRecord
from rollback_audit.ids import new_id
from rollback_audit.models import ApprovalDecision, ApprovalPlan, ApprovalPlanEntry, RetryPlan
from rollback_audit.planning import approval as rules
from rollback_audit.records.approvals import ApprovalDecisionRecord, ApprovalPlanRecord
from rollback_audit.records.history import HistoryRow
from rollback_audit.redaction import check_text
from rollback_audit.states import ApprovalAction, ApprovalState, MetadataKind, Permission

MAX_EXPIRY_MINUTES = 1440
_SHOWN = 1000

Lines = list[tuple[ApprovalDecisionRecord, HistoryRow]]


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
        due = list(entries.due_decisions(plan))
        if not due:
            raise StateForbids("This plan has no decision that is due for retry.", code="nothing_to_approve")
        actions = [entries.action_for(item, require_retry_ack=require_retry_ack) for item in due]
        row = ApprovalPlan.objects.create(
            approval_plan_id=new_id("gordackapproval"),
            retry_plan=plan,
            require_retry_ack=require_retry_ack,
            entry_count=len(due),
            approval_required_count=sum(action is not ApprovalAction.ALREADY_APPROVED for action in actions),
            approvals_needed=rules.approvals_needed(
                approvers.four_eyes(), entry_count=len(due), second_above=settings.CAVRA_SECOND_APPROVER_ABOVE
            ),
            generated_by=label("generated_by", generated_by, actor=actor),
            actor=actor.name,
            generated_at=clock.now(),
        )
        ApprovalPlanEntry.objects.bulk_create(
            [
                ApprovalPlanEntry(approval_plan=row, decision=item, action=action)
                for item, action in zip(due, actions, strict=True)
            ],
            batch_size=entries.BATCH,
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
    """A stored approval plan with its first `most` entries: what was asked then, and how far each is approved now."""
    actor.require(Permission.VIEW_EVIDENCE)
    row = _approval_plan(approval_plan_id)
    return present.approval_plan(row, entries.records(list(entries.of_plan(row)[:most])))


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

    An approval of an entry that waits for a second person completes it, and its end is then the earlier of the two.
    Approving all takes those that may be approved; approving one that may not is refused. Raises NotAllowed
    (four_eyes), StateForbids (retry_ack_missing, nothing_to_approve, approval_used, decided_meanwhile), UnknownRecord,
    InvalidInput.
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
    with transaction.atomic():
        # Whoever decides on a plan's entries does so one after the other: the latest word must be one word.
        ApprovalPlan.objects.select_for_update(of=("self",)).get(pk=row.pk)
        named = entries.find(row, key=key)
        if approval_state is ApprovalState.APPROVED:
            lines = _approve(word, row, named, actor=actor)
        else:
            lines = _take_back(word, row, named, actor=actor)
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


def _person(actor: Actor) -> int:
    if actor.user_id is None:
        raise NotAllowed("Approvals are decided by people.")
    return actor.user_id


def _approve(word: _Word, row: ApprovalPlan, named: Sequence[ApprovalPlanEntry], *, actor: Actor) -> Lines:
    """First approvals for what has none, second ones for what waits for one."""
    if not _may_approve(word, row.retry_plan.maker_id):
        raise NotAllowed("You made this plan; somebody else has to approve it.", code="four_eyes")
    given = entries.given_to([entry.decision for entry in named])
    reviewed = entries.accepted(row.retry_plan) if row.require_retry_ack else None
    open_entries = [entry for entry in named if _is_open(given.get(entry.decision_id))]
    ready = [entry for entry in open_entries if reviewed is None or entry.decision_id in reviewed]
    waiting = [given[entry.decision_id] for entry in ready if _is_waiting(given.get(entry.decision_id))]
    fresh = [entry for entry in ready if not _is_waiting(given.get(entry.decision_id))]
    to_second = [found for found in waiting if _may_second(word, found)]
    lines = _second(word, to_second, actor=actor) + _store(word, row, fresh, actor=actor)
    if not lines:
        _refuse_to_approve(waiting=len(waiting), unreviewed=len(open_entries) - len(ready), single=len(named) == 1)
    return lines


def _may_approve(word: _Word, maker_id: int | None) -> bool:
    return rules.may_approve(approvers.four_eyes(), approver_id=word.approver_id, maker_id=maker_id)


def _may_second(word: _Word, found: entries.Given) -> bool:
    """The approval that waits may have been given on another person's equal plan."""
    return found.approver_id != word.approver_id and _may_approve(word, found.maker_id)


def _is_waiting(found: entries.Given | None) -> bool:
    return found is not None and found.is_waiting


def _is_open(found: entries.Given | None) -> bool:
    """Whether one more person's approval can add anything. Where one is enough, a new one has a new end."""
    return found is None or not (found.is_used or (found.is_live and found.second_approver_id is not None))


def _refuse_to_approve(*, waiting: int, unreviewed: int, single: bool) -> None:
    """Say why nothing of what was named may be approved."""
    if waiting:
        detail = "The first approval is yours, or the plan is: another person gives the second."
        raise NotAllowed(detail, code="four_eyes")
    if unreviewed:
        raise StateForbids("Somebody has to accept the retry decision first.", code="retry_ack_missing")
    what = "This decision's approval has" if single else "Every approval of this plan has"
    raise StateForbids(f"{what} been given in full, or used. Make a new plan.", code="nothing_to_approve")


def _take_back(word: _Word, row: ApprovalPlan, named: Sequence[ApprovalPlanEntry], *, actor: Actor) -> Lines:
    """Any word but `approved`. What an attempt has spent cannot be taken back: it has been sent."""
    lines = _store(word, row, named, actor=actor)
    if not lines:
        detail = "The approval has been used: the delivery has been sent. Look at its latest attempt."
        raise StateForbids(detail, code="approval_used")
    return lines


def _second(word: _Word, waiting: Sequence[entries.Given], *, actor: Actor) -> Lines:
    """Complete approvals that wait for a second person, and return their ledger lines."""
    now = clock.now()
    lines: Lines = []
    for start in range(0, len(waiting), entries.BATCH):
        batch = [found.approval_pk for found in waiting[start : start + entries.BATCH]]
        completed = ApprovalDecision.objects.filter(
            pk__in=batch, second_approver__isnull=True, revoked_at__isnull=True, expires_at__gt=now
        ).update(
            second_approver_id=word.approver_id,
            seconded_at=now,
            seconded_by=word.approved_by,
            second_external_ref=word.external_ref,
            second_notes=word.notes,
            expires_at=Least(F("expires_at"), Value(now + word.lasts)),
        )
        if completed != len(batch):
            raise _decided_meanwhile()
        rows = queries.approval_decisions().filter(pk__in=batch).order_by("pk")
        lines += [_line(item, actor=actor, now=now, suffix="-second") for item in rows]
    return lines


def _revoke(named: Sequence[ApprovalPlanEntry], *, now: datetime) -> set[int]:
    """Take back what was approved before: the latest word counts. Returns the decisions whose approval is spent."""
    keys = {(entry.decision.delivery_id, entry.decision.decision_digest): entry.decision_id for entry in named}
    spent: set[int] = set()
    for start in range(0, len(named), entries.BATCH):
        batch = [entry.decision for entry in named[start : start + entries.BATCH]]
        approved = ApprovalDecision.objects.filter(
            delivery__in=[item.delivery_id for item in batch],
            decision_digest__in=[item.decision_digest for item in batch],
            approval_state=ApprovalState.APPROVED,
            revoked_at__isnull=True,
        )
        approved.filter(consumed_at__isnull=True).update(revoked_at=now)
        # After the update, which waited for a claim that held them: what it spent is spent by now.
        used = approved.filter(consumed_at__isnull=False).values_list("delivery_id", "decision_digest")
        spent |= {keys[key] for key in used if key in keys}
    return spent


def _store(word: _Word, row: ApprovalPlan, named: Collection[ApprovalPlanEntry], *, actor: Actor) -> Lines:
    """Take back what was said of the entries before, and store the word for those that have not been sent."""
    now = clock.now()
    spent = _revoke(list(named), now=now)
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
            four_eyes=approvers.four_eyes().value,
            needs_second=word.approval_state is ApprovalState.APPROVED and row.approvals_needed > 1,
        )
        for entry in named
        if entry.decision_id not in spent
    ]
    try:
        ApprovalDecision.objects.bulk_create(decisions, batch_size=entries.BATCH)
    except IntegrityError:
        # Another plan may hold the same decision. Its approval came while ours was being written.
        raise _decided_meanwhile() from None
    return [_line(item, actor=actor, now=now) for item in decisions]


def _decided_meanwhile() -> StateForbids:
    return StateForbids("Somebody else decided at the same moment; look again.", code="decided_meanwhile")


def _line(
    item: ApprovalDecision, *, actor: Actor, now: datetime, suffix: str = ""
) -> tuple[ApprovalDecisionRecord, HistoryRow]:
    """The record of a word, and its ledger line. The second person's word has a line of its own."""
    record = present.approval_decision(item, approver=None if suffix else actor.name)
    line = ledger.row(
        MetadataKind.APPROVAL_DECISION,
        session_id=f"{item.approval_decision_id}{suffix}",
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
    return record, line
