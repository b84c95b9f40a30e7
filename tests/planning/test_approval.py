"""When an approval allows an attempt: the first thing that stands against it is the answer."""

from datetime import UTC, datetime, timedelta

import pytest

from rollback_audit.planning.approval import ApprovalFacts, why_not
from rollback_audit.states import SkipReason

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)
DECISION, REQUEST, OTHER = "d" * 64, "r" * 64, "0" * 64
FITTING = ApprovalFacts(DECISION, REQUEST, expires_at=NOW + timedelta(hours=1), consumed_at=None, revoked_at=None)


@pytest.mark.parametrize(
    ("approval", "reason"),
    [
        (FITTING, None),
        (FITTING._replace(expires_at=NOW + timedelta(microseconds=1)), None),
        (FITTING._replace(expires_at=NOW), SkipReason.APPROVAL_EXPIRED),
        (FITTING._replace(expires_at=NOW - timedelta(days=1)), SkipReason.APPROVAL_EXPIRED),
        (None, SkipReason.APPROVAL_MISSING),
        (FITTING._replace(consumed_at=NOW), SkipReason.APPROVAL_MISSING),
        (FITTING._replace(revoked_at=NOW), SkipReason.APPROVAL_REVOKED),
        (FITTING._replace(decision_digest=OTHER), SkipReason.DRIFTED),
        (FITTING._replace(request_digest=OTHER), SkipReason.DRIFTED),
        # Several at once: spent, then taken back, then run out, then drifted.
        (FITTING._replace(consumed_at=NOW, expires_at=NOW, request_digest=OTHER), SkipReason.APPROVAL_MISSING),
        (FITTING._replace(revoked_at=NOW, expires_at=NOW, request_digest=OTHER), SkipReason.APPROVAL_REVOKED),
        (FITTING._replace(expires_at=NOW, request_digest=OTHER), SkipReason.APPROVAL_EXPIRED),
    ],
)
def test_an_approval_allows_only_what_it_was_given_for(
    approval: ApprovalFacts | None, reason: SkipReason | None
) -> None:
    assert why_not(approval, decision_digest=DECISION, request_digest_now=REQUEST, now=NOW) is reason
