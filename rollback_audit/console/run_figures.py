"""What a run's page says beside the run: what the plan's run in the other mode said, and what a live one left out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rollback_audit.engine import present, queries, runs
from rollback_audit.engine.approvers import standing_approvers
from rollback_audit.models import ApprovalDecision, Delivery, RetryDecision, WorkerRun
from rollback_audit.planning.approval import ApprovalFacts, complete, counts, why_not
from rollback_audit.records.plans import RetryDecisionRecord
from rollback_audit.records.runs import RetryResultRecord
from rollback_audit.states import ApprovalState

OVER_LIMIT = "over_limit"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A due decision that a run did not select, and why: a word of SkipReason, or `over_limit`."""

    decision: RetryDecisionRecord
    reason: str


def other_run(run: WorkerRun) -> WorkerRun | None:
    """The plan's newest run in the other mode: what was expected of a live one, or what came of a dry one."""
    return queries.runs().filter(retry_plan=run.retry_plan, dry_run=not run.dry_run).first()


def compared(results: Sequence[RetryResultRecord], other: WorkerRun | None) -> list[tuple[RetryResultRecord, str]]:
    """Each result with what the other run says of the same delivery; an empty word where there is no other run."""
    if other is None:
        return [(result, "") for result in results]
    ids = {result.decision.delivery_id for result in results}
    rows = queries.results().filter(run=other, delivery__delivery_id__in=ids)
    said = {_key(row.delivery): row.skipped or row.state for row in rows}
    unselected = _why_left_out(runs.unselected(other).filter(delivery__delivery_id__in=ids), other)
    said |= {(item.decision.delivery_id, item.decision.provider): item.reason for item in unselected}
    return [(result, said.get((result.decision.delivery_id, result.decision.provider), "")) for result in results]


def left_out(run: WorkerRun, *, most: int) -> list[LeftOut]:
    """Due decisions of a live run's plan that it did not select, oldest due first."""
    if run.dry_run or not run.approval_pending_count + run.over_limit_count:
        return []
    return _why_left_out(runs.unselected(run)[:most], run)


def _why_left_out(decisions: Iterable[RetryDecision], run: WorkerRun) -> list[LeftOut]:
    rows = list(decisions)
    approvals: dict[tuple[int, str], ApprovalDecision] = {}
    if not run.dry_run:
        given = ApprovalDecision.objects.filter(
            delivery__in=[row.delivery_id for row in rows],
            approval_state=ApprovalState.APPROVED.value,
            decided_at__lte=run.generated_at,
        )
        approvals = {(row.delivery_id, row.decision_digest): row for row in given.order_by("pk")}
    standing = standing_approvers()
    return [
        LeftOut(
            present.decision(row),
            _reason(row, approvals.get((row.delivery_id, row.decision_digest)), run, standing=standing),
        )
        for row in rows
    ]


def _reason(
    decision: RetryDecision, approval: ApprovalDecision | None, run: WorkerRun, *, standing: frozenset[int]
) -> str:
    if run.dry_run:
        return OVER_LIMIT
    skip = why_not(
        _as_found(approval, run, standing=standing) if approval else None,
        decision_digest=decision.decision_digest,
        request_digest_now=decision.request_digest,
        now=run.generated_at,
    )
    return skip or OVER_LIMIT


def _as_found(approval: ApprovalDecision, run: WorkerRun, *, standing: frozenset[int]) -> ApprovalFacts:
    """The approval as the run found it: what came of it later is not why."""
    second_approver_id = approval.second_approver_id if _before(approval.seconded_at, run) else None
    return ApprovalFacts(
        decision_digest=approval.decision_digest,
        request_digest=approval.request_digest,
        expires_at=approval.expires_at,
        consumed_at=_before(approval.consumed_at, run),
        revoked_at=_before(approval.revoked_at, run),
        approver_counts=counts(
            approver_id=approval.approver_id, second_approver_id=second_approver_id, standing=standing
        ),
        seconded=complete(needs_second=approval.needs_second, second_approver_id=second_approver_id),
    )


def _before(moment: datetime | None, run: WorkerRun) -> datetime | None:
    return moment if moment is not None and moment <= run.generated_at else None


def _key(delivery: Delivery) -> tuple[str, str]:
    return delivery.delivery_id, delivery.provider
