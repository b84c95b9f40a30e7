"""When an approval fits what is about to be sent, and who may give one."""

from datetime import datetime
from typing import NamedTuple

from rollback_audit.states import FourEyes, SkipReason


class ApprovalFacts(NamedTuple):
    """One approval as it stands, and the digests it binds.

    `approver_counts`: everybody who gave it is active and may still approve; see `counts`. `seconded`: nobody else is
    needed; see `complete`.
    """

    decision_digest: str
    request_digest: str
    expires_at: datetime
    consumed_at: datetime | None
    revoked_at: datetime | None
    approver_counts: bool
    seconded: bool


def why_not(
    approval: ApprovalFacts | None, *, decision_digest: str, request_digest_now: str, now: datetime
) -> SkipReason | None:
    """Why this approval does not allow the attempt; None where it does. `now` equal to the expiry has expired."""
    if approval is None or approval.consumed_at is not None:
        return SkipReason.APPROVAL_MISSING
    if approval.revoked_at is not None or not approval.approver_counts:
        return SkipReason.APPROVAL_REVOKED
    if now >= approval.expires_at:
        return SkipReason.APPROVAL_EXPIRED
    if not approval.seconded:
        return SkipReason.APPROVAL_MISSING
    if approval.decision_digest != decision_digest or approval.request_digest != request_digest_now:
        return SkipReason.DRIFTED
    return None


def counts(*, approver_id: int, second_approver_id: int | None, standing: frozenset[int]) -> bool:
    """Whether everybody who gave an approval may still approve. `standing` are the users who may, now."""
    return approver_id in standing and (second_approver_id is None or second_approver_id in standing)


def complete(*, needs_second: bool, second_approver_id: int | None) -> bool:
    """Whether an approval has all the people it needs."""
    return not needs_second or second_approver_id is not None


def approvals_needed(four_eyes: FourEyes, *, entry_count: int, second_above: int) -> int:
    """How many people have to approve each entry of an approval plan of that size: 1 or 2."""
    return 2 if four_eyes is not FourEyes.OFF and entry_count > second_above else 1


def may_approve(four_eyes: FourEyes, *, approver_id: int, maker_id: int | None) -> bool:
    """Whether a person may approve what that maker planned. A plan without a maker is the system's."""
    return four_eyes is FourEyes.OFF or approver_id != maker_id


def may_execute(four_eyes: FourEyes, *, executor_id: int | None, maker_id: int | None) -> bool:
    """Whether somebody may run live what that maker planned. None is whoever sits at the terminal, or the system."""
    return four_eyes is not FourEyes.STRICT or executor_id != maker_id
