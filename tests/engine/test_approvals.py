"""Nothing live without a fitting approval: four eyes, expiry, the latest word, single use."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission as DjangoPermission
from django.db import IntegrityError, transaction

from rollback_audit.engine import approvals, approvers, clock, ledger, plans, reviews
from rollback_audit.engine.actors import Actor, actor_for
from rollback_audit.engine.reviews import DecisionKey
from rollback_audit.engine.standings import usable_approvals
from rollback_audit.errors import InvalidInput, NotAllowed, StateForbids, UnknownRecord
from rollback_audit.models import ApprovalDecision, Connector, EvidenceEntry, RetryAcknowledgement
from rollback_audit.records.approvals import ApprovalPlanRecord
from rollback_audit.records.plans import RetryPlanRecord
from rollback_audit.states import (
    ApprovalAction,
    ApprovalState,
    MetadataKind,
    Permission,
    RetryAcknowledgementState,
    Role,
    SkipReason,
)
from tests.engine.conftest import People
from tests.engine.loop import AT_ONCE, Loop, entries, failed_rows, key_of
from tests.receivers import RecordingReceiver

pytestmark = pytest.mark.django_db
ACCEPTED = RetryAcknowledgementState.ACCEPTED
ELSEWHERE = DecisionKey("gordackdelivery-0", "gordackaudit-0", "webhook")


@pytest.fixture
def loop(people: People) -> Loop:
    return Loop(people)


@pytest.fixture
def webhook(configure: Callable[..., None]) -> Connector:
    configure(webhook=9)
    return Connector.objects.get()


@pytest.fixture
def plan(loop: Loop, webhook: Connector) -> RetryPlanRecord:
    """A plan with two due decisions, made by the release manager."""
    failed_rows(2, webhook)
    return loop.plan()


def ask(loop: Loop, plan: RetryPlanRecord, **changes: Any) -> ApprovalPlanRecord:
    return approvals.request_approval(actor=loop.manager, retry_plan_id=plan.retry_plan_id, **changes)[0]


def review(loop: Loop, plan: RetryPlanRecord, number: int, state: RetryAcknowledgementState = ACCEPTED) -> None:
    reviews.acknowledge_retry(
        actor=loop.manager,
        retry_plan_id=plan.retry_plan_id,
        key=key_of(plan.retry_decisions[number]),
        acknowledgement_state=state,
    )


def usable() -> int:
    """Approvals that an attempt could still spend."""
    return ApprovalDecision.objects.filter(
        approval_state=ApprovalState.APPROVED, consumed_at=None, revoked_at=None, expires_at__gt=clock.now()
    ).count()


def spendable() -> int:
    """Those of them that have all the people they need."""
    return ApprovalDecision.objects.filter(usable_approvals(clock.now())).count()


# --- Reviews --------------------------------------------------------------------------------------------------------


def test_a_review_is_recorded_and_its_notes_stay_in_the_database(loop: Loop, plan: RetryPlanRecord) -> None:
    record, line = reviews.acknowledge_retry(
        actor=loop.manager,
        retry_plan_id=plan.retry_plan_id,
        key=key_of(plan.retry_decisions[0]),
        external_ref="CHG-4711",
        notes="Seen with the owner.",
        acknowledged_by="night shift",
    )
    assert (record.acknowledgement_state, record.acknowledged_by) == (ACCEPTED, "night shift")
    assert line.signer == "manager"
    assert RetryAcknowledgement.objects.get().notes == "Seen with the owner."
    assert "Seen with" not in EvidenceEntry.objects.get(metadata_kind=MetadataKind.RETRY_ACK).body


@pytest.mark.parametrize("wrong", ["delivery_id", "audit_id", "provider"])
def test_a_review_of_what_the_plan_does_not_hold_is_unknown(loop: Loop, plan: RetryPlanRecord, wrong: str) -> None:
    key = key_of(plan.retry_decisions[0])._replace(**{wrong: "elsewhere"})
    with pytest.raises(UnknownRecord):
        reviews.acknowledge_retry(actor=loop.manager, retry_plan_id=plan.retry_plan_id, key=key)
    assert not entries(MetadataKind.RETRY_ACK)


@pytest.mark.parametrize("field", ["external_ref", "notes", "acknowledged_by"])
def test_a_review_that_holds_a_credential_is_refused_and_not_stored(
    loop: Loop, plan: RetryPlanRecord, field: str
) -> None:
    words: dict[str, Any] = {field: "password=correct-horse-9"}
    with pytest.raises(InvalidInput) as refused:
        reviews.acknowledge_retry(
            actor=loop.manager,
            retry_plan_id=plan.retry_plan_id,
            key=key_of(plan.retry_decisions[0]),
            **words,
        )
    assert list(refused.value.fields) == [field]
    assert not RetryAcknowledgement.objects.exists()


# --- Asking ---------------------------------------------------------------------------------------------------------


def test_an_approval_plan_says_what_each_decision_still_wants(loop: Loop, plan: RetryPlanRecord) -> None:
    review(loop, plan, 0)
    asked = ask(loop, plan)
    assert [entry.action for entry in asked.entries] == [
        ApprovalAction.REQUEST_APPROVAL,
        ApprovalAction.WAIT_FOR_RETRY_ACK,
    ]
    assert (asked.entry_count, asked.approval_required_count) == (2, 2)

    approvals.decide(actor=loop.owner, approval_plan_id=asked.approval_plan_id, key=key_of(plan.retry_decisions[0]))
    again = ask(loop, plan)
    assert [entry.action for entry in again.entries] == [
        ApprovalAction.ALREADY_APPROVED,
        ApprovalAction.WAIT_FOR_RETRY_ACK,
    ]
    assert [entry.approval_required for entry in again.entries] == [False, True]
    assert again.approval_required_count == 1


def test_without_reviews_every_due_decision_may_be_approved(loop: Loop, plan: RetryPlanRecord) -> None:
    asked = ask(loop, plan, require_retry_ack=False)
    assert {entry.action for entry in asked.entries} == {ApprovalAction.REQUEST_APPROVAL}


def test_the_newest_plan_is_asked_for_where_none_is_named(loop: Loop, plan: RetryPlanRecord) -> None:
    newest = loop.plan()
    assert approvals.request_approval(actor=loop.manager)[0].retry_plan_id == newest.retry_plan_id


def test_there_is_nothing_to_approve_without_a_plan_or_a_due_decision(loop: Loop, webhook: Connector) -> None:
    with pytest.raises(UnknownRecord):
        approvals.request_approval(actor=loop.manager)
    empty = loop.plan()
    with pytest.raises(StateForbids) as refused:
        ask(loop, empty)
    assert refused.value.code == "nothing_to_approve"
    with pytest.raises(UnknownRecord):
        approvals.request_approval(actor=loop.manager, retry_plan_id="gordackretry-0000000000000000")


# --- Deciding -------------------------------------------------------------------------------------------------------


def test_an_approval_names_both_digests_its_approver_and_its_end(loop: Loop, plan: RetryPlanRecord) -> None:
    answer = loop.approve(plan, key=key_of(plan.retry_decisions[0]), expires_in_minutes=30, external_ref="CHG-4711")
    (decision,) = answer.decisions
    assert decision.plan_digest == plan.plan_digest
    assert decision.decision_digest == plan.retry_decisions[0].decision_digest
    assert decision.approver == "owner"
    assert decision.expires_at - decision.decided_at == timedelta(minutes=30)
    assert ApprovalDecision.objects.get().request_digest == plan.retry_decisions[0].request_digest
    line = ledger.read(EvidenceEntry.objects.get(metadata_kind=MetadataKind.APPROVAL_DECISION))
    assert line["record"]["external_ref"] == "CHG-4711"


def test_whoever_made_the_plan_cannot_approve_it(loop: Loop, plan: RetryPlanRecord, people: People) -> None:
    people("manager", Role.PLATFORM_OWNER)
    maker = people("manager", Role.RELEASE_MANAGER)
    asked = ask(loop, plan, require_retry_ack=False)
    with pytest.raises(NotAllowed) as refused:
        approvals.decide(actor=maker, approval_plan_id=asked.approval_plan_id)
    assert refused.value.code == "four_eyes"
    assert not ApprovalDecision.objects.exists()


def test_whoever_made_the_plan_may_take_an_approval_back(loop: Loop, plan: RetryPlanRecord, people: People) -> None:
    loop.approve(plan)
    maker = people("manager", Role.PLATFORM_OWNER)
    asked = ask(loop, plan, require_retry_ack=False)
    approvals.decide(actor=maker, approval_plan_id=asked.approval_plan_id, approval_state=ApprovalState.DENIED)
    assert usable() == 0


def test_a_site_without_four_eyes_lets_the_maker_approve(
    loop: Loop, plan: RetryPlanRecord, people: People, settings: Any
) -> None:
    settings.CAVRA_FOUR_EYES = "off"
    maker = people("manager", Role.PLATFORM_OWNER)
    asked = ask(loop, plan, require_retry_ack=False)
    assert approvals.decide(actor=maker, approval_plan_id=asked.approval_plan_id).decision_count == 2


def test_deciding_wants_the_permission(loop: Loop, plan: RetryPlanRecord) -> None:
    asked = ask(loop, plan, require_retry_ack=False)
    with pytest.raises(NotAllowed):
        approvals.decide(actor=loop.manager, approval_plan_id=asked.approval_plan_id)


@pytest.mark.parametrize("minutes", [-1, 0, 1_441, 10**9])
def test_an_approval_lasts_at_least_a_minute_and_at_most_a_day(loop: Loop, plan: RetryPlanRecord, minutes: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        loop.approve(plan, expires_in_minutes=minutes)
    assert list(refused.value.fields) == ["expires_in_minutes"]


@pytest.mark.parametrize("minutes", [1, 1_440])
def test_an_approval_ends_with_its_last_minute(
    loop: Loop, plan: RetryPlanRecord, later: Callable[[timedelta], None], minutes: int
) -> None:
    loop.approve(plan, expires_in_minutes=minutes)
    later(timedelta(minutes=minutes, seconds=-20))
    assert loop.start(plan).run.summary.selected_retry_count == 2
    later(timedelta(seconds=20))
    assert loop.start(plan).run.summary.approval_pending_count == 2
    assert ask(loop, plan).approval_required_count == 2


def test_a_decision_that_nobody_accepted_cannot_be_approved_where_a_review_is_asked_for(
    loop: Loop, plan: RetryPlanRecord
) -> None:
    asked = ask(loop, plan)
    for key in (None, key_of(plan.retry_decisions[0])):
        with pytest.raises(StateForbids) as refused:
            approvals.decide(actor=loop.owner, approval_plan_id=asked.approval_plan_id, key=key)
        assert refused.value.code == "retry_ack_missing"
    assert not ApprovalDecision.objects.exists()


def test_the_latest_review_counts(loop: Loop, plan: RetryPlanRecord) -> None:
    asked = ask(loop, plan)
    key = key_of(plan.retry_decisions[0])
    review(loop, plan, 0)
    review(loop, plan, 0, RetryAcknowledgementState.DEFERRED)
    with pytest.raises(StateForbids):
        approvals.decide(actor=loop.owner, approval_plan_id=asked.approval_plan_id, key=key)
    review(loop, plan, 0)
    assert approvals.decide(actor=loop.owner, approval_plan_id=asked.approval_plan_id, key=key).decision_count == 1


def test_approving_all_takes_those_that_were_reviewed(loop: Loop, plan: RetryPlanRecord) -> None:
    review(loop, plan, 1)
    asked = ask(loop, plan)
    answer = approvals.decide(actor=loop.owner, approval_plan_id=asked.approval_plan_id)
    assert [item.delivery_id for item in answer.decisions] == [plan.retry_decisions[1].delivery_id]


@pytest.mark.parametrize("state", [ApprovalState.DENIED, ApprovalState.EXPIRED, ApprovalState.DEFERRED])
def test_the_latest_word_counts(loop: Loop, plan: RetryPlanRecord, state: ApprovalState) -> None:
    loop.approve(plan)
    loop.approve(plan, approval_state=state, key=key_of(plan.retry_decisions[0]))
    assert usable() == 1
    assert loop.start(plan).run.summary.selected_retry_count == 1
    loop.approve(plan, key=key_of(plan.retry_decisions[0]))
    assert usable() == 2


def test_approving_again_leaves_one_approval_with_a_new_end(loop: Loop, plan: RetryPlanRecord) -> None:
    loop.approve(plan, expires_in_minutes=5)
    loop.approve(plan, expires_in_minutes=60)
    assert usable() == 2
    assert ApprovalDecision.objects.exclude(revoked_at=None).count() == 2


def test_what_is_not_in_the_approval_plan_is_unknown(loop: Loop, plan: RetryPlanRecord) -> None:
    asked = ask(loop, plan)
    with pytest.raises(UnknownRecord):
        approvals.decide(actor=loop.owner, approval_plan_id=asked.approval_plan_id, key=ELSEWHERE)
    with pytest.raises(UnknownRecord):
        approvals.decide(actor=loop.owner, approval_plan_id="gordackapproval-0000000000000000")


@pytest.mark.parametrize("field", ["external_ref", "notes", "approved_by"])
def test_a_decision_that_holds_a_credential_is_refused_and_not_stored(
    loop: Loop, plan: RetryPlanRecord, field: str
) -> None:
    words: dict[str, Any] = {field: "token: ghp_0123456789abcdefghij0123456789abcdef"}
    with pytest.raises(InvalidInput) as refused:
        loop.approve(plan, **words)
    assert list(refused.value.fields) == [field]
    assert not ApprovalDecision.objects.exists()


def test_all_of_three_hundred_are_decided_at_once_with_a_line_each(loop: Loop, webhook: Connector) -> None:
    failed_rows(300, webhook)
    plan = loop.plan()
    answer = loop.approve(plan)
    assert answer.decision_count == len(answer.decisions) == len(answer.metadata) == 300
    assert usable() == 300
    # So many want two people, each with a line of their own.
    assert entries(MetadataKind.APPROVAL_DECISION) == 600
    assert loop.start(plan).run.summary.selected_retry_count == 300


def test_only_the_first_thousand_decisions_are_answered(
    loop: Loop, plan: RetryPlanRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approvals, "_SHOWN", 1)
    answer = loop.approve(plan)
    assert (answer.decision_count, len(answer.decisions), len(answer.metadata)) == (2, 1, 1)


# --- What an approval is good for -----------------------------------------------------------------------------------


def test_an_approval_fits_the_identical_decision_of_a_later_plan(loop: Loop, plan: RetryPlanRecord) -> None:
    loop.approve(plan)
    again = loop.plan()
    assert again.retry_plan_id != plan.retry_plan_id
    run = loop.start(again).run
    assert (run.summary.selected_retry_count, run.summary.approval_pending_count) == (2, 0)


def test_an_approval_does_not_fit_another_policy(loop: Loop, plan: RetryPlanRecord) -> None:
    loop.approve(plan)
    other = loop.plan(policy=AT_ONCE._replace(max_retry_attempts=7))
    assert loop.start(other).run.summary.approval_pending_count == 2


def test_a_word_on_a_later_plan_takes_the_earlier_approval_back(loop: Loop, plan: RetryPlanRecord) -> None:
    loop.approve(plan)
    loop.approve(loop.plan(), approval_state=ApprovalState.DENIED)
    assert usable() == 0
    assert loop.start(plan).run.summary.approval_pending_count == 2


def test_an_approval_is_spent_by_one_attempt(
    loop: Loop, configure: Callable[..., None], receiver: RecordingReceiver
) -> None:
    configure(webhook=receiver.port)
    failed_rows(1, Connector.objects.get())
    plan = loop.plan()
    loop.approve(plan)
    first, second = loop.start(plan), loop.start(plan)
    assert loop.drained(first).run.summary.delivered_count == 1
    (result,) = loop.drained(second).retry_results
    assert result.skipped is SkipReason.APPROVAL_MISSING
    assert len(receiver.arrivals) == 1
    with pytest.raises(StateForbids) as refused:
        loop.approve(plan)
    assert refused.value.code == "nothing_to_approve"


def test_the_database_lets_one_decision_have_one_live_approval(loop: Loop, plan: RetryPlanRecord) -> None:
    loop.approve(plan, key=key_of(plan.retry_decisions[0]))
    twin = ApprovalDecision.objects.get()
    twin.pk, twin.approval_decision_id = None, "gordackapprove-twin"
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save(force_insert=True)


# --- Two people -----------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(loop: Loop, plan: RetryPlanRecord, settings: Any) -> ApprovalPlanRecord:
    """An approval plan over two decisions, on a site where two are many."""
    settings.CAVRA_SECOND_APPROVER_ABOVE = 1
    return ask(loop, plan, require_retry_ack=False)


def decide(by: Actor, asked: ApprovalPlanRecord, **changes: Any) -> approvals.ApprovalAnswer:
    return approvals.decide(actor=by, approval_plan_id=asked.approval_plan_id, **changes)


def given(loop: Loop, asked: ApprovalPlanRecord) -> list[int]:
    """How many approvals each entry has."""
    read = approvals.read_approval_plan(actor=loop.owner, approval_plan_id=asked.approval_plan_id)
    return [entry.approvals_given for entry in read.entries]


@pytest.mark.parametrize(("above", "needed"), [(0, 2), (1, 2), (2, 1), (100, 1)])
def test_more_entries_than_the_limit_need_two_people(
    loop: Loop, plan: RetryPlanRecord, settings: Any, above: int, needed: int
) -> None:
    settings.CAVRA_SECOND_APPROVER_ABOVE = above
    assert ask(loop, plan).approvals_needed == needed
    settings.CAVRA_FOUR_EYES = "off"
    assert ask(loop, plan).approvals_needed == 1


def test_one_of_two_approvals_sends_nothing_and_two_do(
    loop: Loop, plan: RetryPlanRecord, asked: ApprovalPlanRecord
) -> None:
    (first, _) = decide(loop.owner, asked).decisions
    assert (first.approvals_given, first.approvals_needed, first.second_approver) == (1, 2, None)
    assert (given(loop, asked), spendable()) == ([1, 1], 0)
    assert ask(loop, plan, require_retry_ack=False).approval_required_count == 2

    (second, _) = decide(loop.second, asked, approved_by="day shift", external_ref="CHG-2", notes="Seen.").decisions
    assert second.approval_decision_id == first.approval_decision_id
    assert (second.approvals_given, second.approver, second.second_approver) == (2, "owner", "second")
    assert (second.seconded_by, second.second_external_ref) == ("day shift", "CHG-2")
    assert (given(loop, asked), spendable()) == ([2, 2], 2)
    assert loop.start(plan).run.summary.selected_retry_count == 2
    assert ask(loop, plan, require_retry_ack=False).approval_required_count == 0


def test_each_persons_word_has_a_line_and_the_notes_of_neither_leave(loop: Loop, asked: ApprovalPlanRecord) -> None:
    decide(loop.owner, asked, notes="Seen by the first.")
    decide(loop.second, asked, notes="Seen by the second.")
    lines = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.APPROVAL_DECISION)
    signers = [ledger.read(line)["signer"] for line in lines.order_by("id")]
    assert signers == ["owner", "owner", "second", "second"]
    assert not any("Seen by" in line.body for line in lines)
    assert set(ApprovalDecision.objects.values_list("second_notes", flat=True)) == {"Seen by the second."}


def test_the_second_person_is_neither_the_first_nor_the_maker(
    loop: Loop, asked: ApprovalPlanRecord, people: People
) -> None:
    decide(loop.owner, asked)
    maker = people("manager", Role.PLATFORM_OWNER)
    for person in (loop.owner, maker):
        with pytest.raises(NotAllowed) as refused:
            decide(person, asked)
        assert refused.value.code == "four_eyes"
    assert given(loop, asked) == [1, 1]


def test_the_maker_of_an_equal_plan_cannot_second_what_was_approved_on_it(
    loop: Loop, asked: ApprovalPlanRecord, people: People
) -> None:
    decide(loop.owner, asked)
    replanned, _ = plans.plan_retry(actor=loop.second, policy=AT_ONCE)
    again = ask(loop, replanned, require_retry_ack=False)
    maker_of_the_first = people("manager", Role.PLATFORM_OWNER)
    with pytest.raises(NotAllowed) as refused:
        decide(maker_of_the_first, again)
    assert refused.value.code == "four_eyes"


def test_the_end_is_the_earlier_of_the_two(loop: Loop, plan: RetryPlanRecord, asked: ApprovalPlanRecord) -> None:
    one, other = (key_of(item) for item in plan.retry_decisions)
    decide(loop.owner, asked, expires_in_minutes=60)
    first, second = (
        decide(loop.second, asked, key=key, expires_in_minutes=minutes).decisions[0]
        for key, minutes in ((one, 5), (other, 1_440))
    )
    assert first.expires_at - first.decided_at < timedelta(minutes=6)
    assert second.expires_at - second.decided_at == timedelta(minutes=60)


def test_approving_all_seconds_what_waits_and_begins_what_does_not(
    loop: Loop, plan: RetryPlanRecord, asked: ApprovalPlanRecord
) -> None:
    decide(loop.owner, asked, key=key_of(plan.retry_decisions[0]))
    assert decide(loop.second, asked).decision_count == 2
    assert given(loop, asked) == [2, 1]
    decide(loop.owner, asked)
    assert given(loop, asked) == [2, 2]
    with pytest.raises(StateForbids) as refused:
        decide(loop.owner, asked)
    assert refused.value.code == "nothing_to_approve"


def test_a_denial_takes_both_approvals_back(loop: Loop, plan: RetryPlanRecord, asked: ApprovalPlanRecord) -> None:
    decide(loop.owner, asked)
    decide(loop.second, asked)
    decide(loop.owner, asked, approval_state=ApprovalState.DENIED, key=key_of(plan.retry_decisions[0]))
    assert (given(loop, asked), spendable()) == ([0, 2], 1)
    decide(loop.second, asked)
    assert given(loop, asked) == [1, 2]


def test_a_first_approval_that_ran_out_is_given_anew(
    loop: Loop, asked: ApprovalPlanRecord, later: Callable[[timedelta], None]
) -> None:
    decide(loop.owner, asked, expires_in_minutes=1)
    later(timedelta(minutes=1))
    decide(loop.second, asked)
    assert given(loop, asked) == [1, 1]
    decide(loop.owner, asked)
    assert given(loop, asked) == [2, 2]


def test_the_database_refuses_a_second_that_is_none(loop: Loop, asked: ApprovalPlanRecord) -> None:
    decide(loop.owner, asked)
    rows = ApprovalDecision.objects.all()
    for changes in (
        {"second_approver": loop.owner.user_id, "seconded_at": clock.now()},
        {"second_approver": loop.second.user_id},
        {"seconded_at": clock.now()},
        {"second_approver": loop.second.user_id, "seconded_at": clock.now(), "needs_second": False},
        {"consumed_at": clock.now()},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**changes)


# --- Those who gave it ----------------------------------------------------------------------------------------------


def retire(name: str) -> None:
    get_user_model().objects.filter(username=name).update(is_active=False)


def strip(name: str) -> None:
    get_user_model().objects.get(username=name).groups.clear()


@pytest.mark.parametrize("lose", [retire, strip])
def test_an_approval_counts_while_its_approver_may_approve(
    loop: Loop, plan: RetryPlanRecord, people: People, lose: Callable[[str], None]
) -> None:
    asked = ask(loop, plan, require_retry_ack=False)
    decide(loop.second, asked)
    assert (given(loop, asked), spendable()) == ([1, 1], 2)
    lose("second")
    assert (given(loop, asked), spendable()) == ([0, 0], 0)
    assert ask(loop, plan, require_retry_ack=False).approval_required_count == 2
    decide(loop.owner, asked)
    assert (given(loop, asked), spendable()) == ([1, 1], 2)


@pytest.mark.parametrize("lost", ["owner", "second"])
def test_an_approval_of_two_counts_while_both_may_approve(loop: Loop, asked: ApprovalPlanRecord, lost: str) -> None:
    decide(loop.owner, asked)
    decide(loop.second, asked)
    strip(lost)
    assert (given(loop, asked), spendable()) == ([0, 0], 0)


def test_standing_approvers_are_the_active_holders_of_the_permission(
    loop: Loop, people: People, django_assert_num_queries: Any
) -> None:
    users = get_user_model().objects
    root = users.create(username="root", is_superuser=True)
    by_name = users.create(username="by-name")
    by_name.user_permissions.add(DjangoPermission.objects.get(codename=Permission.APPROVE_RETRY.value))
    users.create(username="gone", is_superuser=True, is_active=False)
    with django_assert_num_queries(1):
        found = approvers.standing_approvers()
    assert found == {loop.owner.user_id, loop.second.user_id, root.pk, by_name.pk}
    held = {user.pk for user in users.all() if actor_for(user).may(Permission.APPROVE_RETRY)}
    assert found == held


@pytest.mark.parametrize(
    ("four_eyes", "refused"), [("off", False), ("on", False), ("strict", True)], ids=["off", "on", "strict"]
)
def test_with_strict_four_eyes_the_maker_does_not_execute_either(
    loop: Loop, plan: RetryPlanRecord, settings: Any, four_eyes: str, refused: bool
) -> None:
    settings.CAVRA_FOUR_EYES = four_eyes
    row = plans.find_plan(plan.retry_plan_id)
    approvers.refuse_own_run(row, actor=loop.owner)
    if refused:
        with pytest.raises(NotAllowed) as why:
            approvers.refuse_own_run(row, actor=loop.manager)
        assert why.value.code == "four_eyes"
    else:
        approvers.refuse_own_run(row, actor=loop.manager)


# --- Taking back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [ApprovalState.DENIED, ApprovalState.EXPIRED, ApprovalState.DEFERRED])
def test_what_has_been_sent_cannot_be_taken_back(
    loop: Loop, configure: Callable[..., None], receiver: RecordingReceiver, state: ApprovalState
) -> None:
    configure(webhook=receiver.port)
    failed_rows(2, Connector.objects.get())
    plan = loop.plan()
    asked = ask(loop, plan, require_retry_ack=False)
    sent, unsent = (key_of(item) for item in plan.retry_decisions)
    decide(loop.owner, asked, key=sent)
    loop.drained(loop.start(plan))
    decide(loop.owner, asked, key=unsent)
    with pytest.raises(StateForbids) as refused:
        decide(loop.owner, asked, key=sent, approval_state=state)
    assert refused.value.code == "approval_used"
    answer = decide(loop.owner, asked, approval_state=state)
    assert [item.delivery_id for item in answer.decisions] == [unsent.delivery_id]
    assert spendable() == 0
    assert ApprovalDecision.objects.filter(approval_state=state).count() == 1
