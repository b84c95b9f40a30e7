"""When an approval allows an attempt: the first thing that stands against it is the answer."""

from datetime import UTC, datetime, timedelta

import pytest

from rollback_audit.planning.approval import (
    ApprovalFacts,
    approvals_needed,
    complete,
    counts,
    may_approve,
    may_execute,
    why_not,
)
from rollback_audit.states import FourEyes, SkipReason

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)
DECISION, REQUEST, OTHER = "d" * 64, "r" * 64, "0" * 64
FITTING = ApprovalFacts(
    DECISION,
    REQUEST,
    expires_at=NOW + timedelta(hours=1),
    consumed_at=None,
    revoked_at=None,
    approver_counts=True,
    seconded=True,
)


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
        (FITTING._replace(approver_counts=False), SkipReason.APPROVAL_REVOKED),
        (FITTING._replace(seconded=False), SkipReason.APPROVAL_MISSING),
        # Several at once: spent, then taken back, then run out, then drifted.
        (FITTING._replace(consumed_at=NOW, expires_at=NOW, request_digest=OTHER), SkipReason.APPROVAL_MISSING),
        (FITTING._replace(revoked_at=NOW, expires_at=NOW, request_digest=OTHER), SkipReason.APPROVAL_REVOKED),
        (FITTING._replace(expires_at=NOW, request_digest=OTHER), SkipReason.APPROVAL_EXPIRED),
        (FITTING._replace(consumed_at=NOW, approver_counts=False), SkipReason.APPROVAL_MISSING),
        (FITTING._replace(approver_counts=False, expires_at=NOW), SkipReason.APPROVAL_REVOKED),
        (FITTING._replace(seconded=False, expires_at=NOW), SkipReason.APPROVAL_EXPIRED),
        (FITTING._replace(seconded=False, request_digest=OTHER), SkipReason.APPROVAL_MISSING),
    ],
)
def test_an_approval_allows_only_what_it_was_given_for(
    approval: ApprovalFacts | None, reason: SkipReason | None
) -> None:
    assert why_not(approval, decision_digest=DECISION, request_digest_now=REQUEST, now=NOW) is reason


@pytest.mark.parametrize(
    ("approver", "second", "standing", "counted"),
    [
        (1, None, {1}, True),
        (1, None, {2}, False),
        (1, None, set(), False),
        (1, 2, {1, 2}, True),
        (1, 2, {1}, False),
        (1, 2, {2}, False),
    ],
)
def test_an_approval_counts_while_everybody_who_gave_it_may_approve(
    approver: int, second: int | None, standing: set[int], counted: bool
) -> None:
    assert counts(approver_id=approver, second_approver_id=second, standing=frozenset(standing)) is counted


@pytest.mark.parametrize(
    ("needs_second", "second", "whole"), [(False, None, True), (True, None, False), (True, 2, True)]
)
def test_an_approval_is_complete_with_everybody_it_needs(needs_second: bool, second: int | None, whole: bool) -> None:
    assert complete(needs_second=needs_second, second_approver_id=second) is whole


@pytest.mark.parametrize(
    ("four_eyes", "entries", "above", "needed"),
    [
        (FourEyes.ON, 100, 100, 1),
        (FourEyes.ON, 101, 100, 2),
        (FourEyes.ON, 1, 0, 2),
        (FourEyes.STRICT, 100, 100, 1),
        (FourEyes.STRICT, 101, 100, 2),
        (FourEyes.OFF, 1_000_000, 0, 1),
    ],
)
def test_large_approval_plans_need_two_people(four_eyes: FourEyes, entries: int, above: int, needed: int) -> None:
    assert approvals_needed(four_eyes, entry_count=entries, second_above=above) == needed


@pytest.mark.parametrize(
    ("four_eyes", "person", "maker", "approves", "executes"),
    [
        (FourEyes.OFF, 1, 1, True, True),
        (FourEyes.OFF, 1, 2, True, True),
        (FourEyes.ON, 1, 1, False, True),
        (FourEyes.ON, 1, 2, True, True),
        (FourEyes.ON, 1, None, True, True),
        (FourEyes.STRICT, 1, 1, False, False),
        (FourEyes.STRICT, 1, 2, True, True),
        (FourEyes.STRICT, 1, None, True, True),
    ],
)
def test_who_may_approve_and_who_may_execute_what_somebody_planned(
    four_eyes: FourEyes, person: int, maker: int | None, approves: bool, executes: bool
) -> None:
    assert may_approve(four_eyes, approver_id=person, maker_id=maker) is approves
    assert may_execute(four_eyes, executor_id=person, maker_id=maker) is executes


def test_with_strict_four_eyes_the_terminal_does_not_execute_what_nobody_signed() -> None:
    assert may_execute(FourEyes.ON, executor_id=None, maker_id=None)
    assert not may_execute(FourEyes.STRICT, executor_id=None, maker_id=None)
    assert may_execute(FourEyes.STRICT, executor_id=None, maker_id=1)
