"""An approval is good for one attempt, and only while it still stands when the attempt is claimed."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from rollback_audit.engine import approvals, drain, plans, worker
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.sweep import sweep
from rollback_audit.engine.worker import RunRequest
from rollback_audit.errors import NotAllowed, StateForbids
from rollback_audit.models import ApprovalDecision, Connector, DeliveryAttempt, WorkerResult
from rollback_audit.records.approvals import ApprovalPlanRecord
from rollback_audit.records.plans import RetryPlanRecord
from rollback_audit.states import ApprovalState, FollowUpApproval, ResultState, Role, SkipReason
from tests.engine.conftest import People
from tests.engine.loop import AT_ONCE, Loop, failed_rows, key_of
from tests.engine.threads import at_once
from tests.receivers import RecordingReceiver

pytestmark = pytest.mark.django_db(transaction=True)
# Fewer than a process has connections on PostgreSQL.
THREADS = 6
USES = 200


@pytest.fixture
def loop(people: People) -> Loop:
    return Loop(people)


@pytest.fixture
def plan(loop: Loop, configure: Callable[..., None], receiver: RecordingReceiver) -> RetryPlanRecord:
    """A plan with one due decision, made by the release manager. Its receiver takes everything."""
    configure(webhook=receiver.port)
    failed_rows(1, Connector.objects.get())
    return loop.plan()


def ask(loop: Loop, plan: RetryPlanRecord) -> ApprovalPlanRecord:
    return approvals.request_approval(actor=loop.manager, retry_plan_id=plan.retry_plan_id, require_retry_ack=False)[0]


def decide(by: Actor, asked: ApprovalPlanRecord, **changes: Any) -> None:
    approvals.decide(actor=by, approval_plan_id=asked.approval_plan_id, **changes)


def read_follow_ups(loop: Loop, run_id: str) -> list[FollowUpApproval]:
    run = worker.read_run(actor=loop.second, run_id=run_id).run
    assert run.summary.follow_up_action_count == len(run.follow_up_actions)
    return [item.approval_state for item in run.follow_up_actions]


def retries() -> int:
    return DeliveryAttempt.objects.filter(number__gt=1).count()


@pytest.mark.slow
def test_two_hundred_parallel_uses_of_one_approval_make_one_attempt(
    loop: Loop, plan: RetryPlanRecord, receiver: RecordingReceiver
) -> None:
    decide(loop.second, ask(loop, plan))
    numbers = count()

    def use() -> None:
        # next() on a counter is one step of the interpreter.
        while next(numbers) < USES:
            drain.drain(loop.start(plan, timeout_seconds=20.0).run.run_id)

    at_once(use, times=THREADS)
    # A run whose approval another one held at that moment is left to the sweep.
    sweep()
    assert (len(receiver.arrivals), retries()) == (1, 1)
    assert ApprovalDecision.objects.filter(consumed_at__isnull=False).count() == 1
    # Whoever asked after it was spent selected nothing; who had selected it found it spent.
    assert WorkerResult.objects.filter(state=ResultState.DELIVERED).count() == 1
    assert set(WorkerResult.objects.exclude(state=ResultState.DELIVERED).values_list("skipped", flat=True)) <= {
        SkipReason.APPROVAL_MISSING,
        SkipReason.IN_FLIGHT,
    }


def expire(asked: ApprovalPlanRecord, loop: Loop, later: Callable[[timedelta], None]) -> SkipReason:
    later(timedelta(days=1))
    return SkipReason.APPROVAL_EXPIRED


def deny(asked: ApprovalPlanRecord, loop: Loop, later: Callable[[timedelta], None]) -> SkipReason:
    decide(loop.owner, asked, approval_state=ApprovalState.DENIED)
    return SkipReason.APPROVAL_REVOKED


def retire(asked: ApprovalPlanRecord, loop: Loop, later: Callable[[timedelta], None]) -> SkipReason:
    get_user_model().objects.filter(username="second").update(is_active=False)
    return SkipReason.APPROVAL_REVOKED


def strip(asked: ApprovalPlanRecord, loop: Loop, later: Callable[[timedelta], None]) -> SkipReason:
    get_user_model().objects.get(username="second").groups.clear()
    return SkipReason.APPROVAL_REVOKED


@pytest.mark.parametrize("end", [expire, deny, retire, strip])
def test_an_approval_that_ends_before_the_claim_sends_nothing(
    loop: Loop,
    plan: RetryPlanRecord,
    receiver: RecordingReceiver,
    later: Callable[[timedelta], None],
    end: Callable[..., SkipReason],
) -> None:
    asked = ask(loop, plan)
    decide(loop.second, asked)
    started = loop.start(plan)
    assert started.run.summary.selected_retry_count == 1
    reason = end(asked, loop, later)
    (result,) = loop.drained(started).retry_results
    assert result.skipped is reason
    assert (receiver.connection_count, retries()) == (0, 0)


@pytest.mark.parametrize("end", [expire, deny, retire, strip])
def test_an_approval_that_has_ended_is_not_selected(
    loop: Loop,
    plan: RetryPlanRecord,
    receiver: RecordingReceiver,
    later: Callable[[timedelta], None],
    end: Callable[..., SkipReason],
) -> None:
    asked = ask(loop, plan)
    decide(loop.second, asked)
    end(asked, loop, later)
    run = loop.drained(loop.start(plan)).run
    assert (run.summary.selected_retry_count, run.summary.approval_pending_count) == (0, 1)
    assert [item.approval_state for item in run.follow_up_actions] == [FollowUpApproval.APPROVAL_REQUIRED]
    assert (receiver.connection_count, retries()) == (0, 0)


@pytest.mark.parametrize("lost", ["owner", "second"])
def test_of_two_approvers_both_have_to_stand_when_the_attempt_is_claimed(
    loop: Loop, plan: RetryPlanRecord, receiver: RecordingReceiver, settings: Any, lost: str
) -> None:
    settings.CAVRA_SECOND_APPROVER_ABOVE = 0
    asked = ask(loop, plan)
    decide(loop.owner, asked)
    half = loop.drained(loop.start(plan)).run
    assert half.summary.approval_pending_count == len(half.follow_up_actions) == 1
    decide(loop.second, asked)
    # What the second one said since does not change what that run found.
    assert read_follow_ups(loop, half.run_id) == [FollowUpApproval.APPROVAL_REQUIRED]
    started = loop.start(plan)
    get_user_model().objects.get(username=lost).groups.clear()
    (result,) = loop.drained(started).retry_results
    assert result.skipped is SkipReason.APPROVAL_REVOKED
    assert (receiver.connection_count, retries()) == (0, 0)


def test_what_became_of_an_approval_since_changes_no_runs_follow_ups(
    loop: Loop, plan: RetryPlanRecord, receiver: RecordingReceiver
) -> None:
    failed_rows(1, Connector.objects.get())
    plan = loop.plan()
    one = plan.retry_decisions[0]
    loop.approve(plan, key=key_of(one))
    started = loop.start(plan)
    expected = [FollowUpApproval.APPROVED, FollowUpApproval.APPROVAL_REQUIRED]
    assert read_follow_ups(loop, started.run.run_id) == expected
    # The approval is spent, the other decision approved, and then the approver leaves.
    loop.drained(started)
    loop.approve(plan)
    get_user_model().objects.filter(username="owner").update(is_active=False)
    assert read_follow_ups(loop, started.run.run_id) == expected


def test_whoever_gets_the_role_back_has_approved_after_all(
    loop: Loop, plan: RetryPlanRecord, receiver: RecordingReceiver, people: People
) -> None:
    asked = ask(loop, plan)
    decide(loop.second, asked)
    person = get_user_model().objects.get(username="second")
    groups = list(person.groups.all())
    person.groups.clear()
    assert loop.start(plan).run.summary.selected_retry_count == 0
    person.groups.set(groups)
    assert loop.drained(loop.start(plan)).run.summary.delivered_count == 1
    assert len(receiver.arrivals) == 1


def test_after_the_claim_it_is_too_late_and_says_so(
    loop: Loop, plan: RetryPlanRecord, receiver: RecordingReceiver
) -> None:
    asked = ask(loop, plan)
    decide(loop.second, asked)
    loop.drained(loop.start(plan))
    with pytest.raises(StateForbids) as refused:
        decide(loop.owner, asked, approval_state=ApprovalState.DENIED)
    assert refused.value.code == "approval_used"
    assert len(receiver.arrivals) == 1


def test_with_strict_four_eyes_the_maker_cannot_run_the_plan_live(
    loop: Loop, plan: RetryPlanRecord, receiver: RecordingReceiver, people: People, settings: Any
) -> None:
    settings.CAVRA_FOUR_EYES = "strict"
    decide(loop.second, ask(loop, plan))
    own, _ = plans.plan_retry(actor=loop.owner, policy=AT_ONCE)
    unnamed = RunRequest(dry_run=False, reason="The receiver is back.", policy=AT_ONCE)
    with pytest.raises(NotAllowed) as refused:
        loop.start(own)
    assert refused.value.code == "four_eyes"
    with pytest.raises(NotAllowed) as refused:
        worker.start_run(actor=loop.owner, request=unnamed)
    assert refused.value.code == "four_eyes"
    assert loop.drained(loop.start(plan)).run.summary.delivered_count == 1
    assert len(receiver.arrivals) == 1


def test_of_several_people_who_second_at_once_one_does(
    loop: Loop, plan: RetryPlanRecord, settings: Any, people: People
) -> None:
    settings.CAVRA_SECOND_APPROVER_ABOVE = 0
    asked = ask(loop, plan)
    decide(loop.owner, asked)
    others = iter([people(f"owner-{number}", Role.PLATFORM_OWNER) for number in range(6)])

    def second() -> str:
        try:
            decide(next(others), asked)
        except StateForbids as refused:
            return refused.code
        return "seconded"

    answers = at_once(second, times=6)
    assert answers.count("seconded") == 1
    assert set(answers) <= {"seconded", "nothing_to_approve", "decided_meanwhile"}
    assert ApprovalDecision.objects.get().second_approver_id is not None


def test_a_denial_and_a_claim_at_once_agree_on_who_was_first(
    loop: Loop, plan: RetryPlanRecord, receiver: RecordingReceiver
) -> None:
    asked = ask(loop, plan)
    decide(loop.second, asked)
    started = loop.start(plan, timeout_seconds=20.0)
    turns = iter(["drain", "deny"])

    def take_part() -> str:
        if next(turns) == "drain":
            drain.drain(started.run.run_id)
            return "drained"
        try:
            decide(loop.owner, asked, approval_state=ApprovalState.DENIED)
        except StateForbids as refused:
            return refused.code
        return "denied"

    said = set(at_once(take_part, times=2)) - {"drained"}
    assert said == ({"approval_used"} if receiver.arrivals else {"denied"})
