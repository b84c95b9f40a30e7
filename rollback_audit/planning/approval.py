"""When an approval fits what is about to be sent."""

from datetime import datetime
from typing import NamedTuple

from rollback_audit.states import SkipReason


class ApprovalFacts(NamedTuple):
    """One approval as it stands, and the digests it binds."""

    decision_digest: str
    request_digest: str
    expires_at: datetime
    consumed_at: datetime | None
    revoked_at: datetime | None


def why_not(
    approval: ApprovalFacts | None, *, decision_digest: str, request_digest_now: str, now: datetime
) -> SkipReason | None:
    """Why this approval does not allow the attempt; None where it does. `now` equal to the expiry has expired."""
    if approval is None or approval.consumed_at is not None:
        return SkipReason.APPROVAL_MISSING
    if approval.revoked_at is not None:
        return SkipReason.APPROVAL_REVOKED
    if now >= approval.expires_at:
        return SkipReason.APPROVAL_EXPIRED
    if approval.decision_digest != decision_digest or approval.request_digest != request_digest_now:
        return SkipReason.DRIFTED
    return None
