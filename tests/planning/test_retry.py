"""The contract's table of retry decisions, row by row and bound by bound."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_audit.planning.facts import DEFAULT_POLICY, ConnectorFacts, DeliveryFacts, RetryPolicy, Verdict
from rollback_audit.planning.retry import REASONS, delay_minutes, next_retry_at, standing, verdict
from rollback_audit.states import FAILURE_CLASS, Action, ConnectorStanding, FailureClass, FailureKind, ReasonCode
from tests.planning.given import (
    FAILED_AT,
    MICROSECOND,
    READY,
    after,
    connectors,
    deliveries,
    failed,
    failures,
    moments,
    policies,
)

RETRY, WAIT, SUPPRESS = Action
same = settings(derandomize=True, deadline=None, max_examples=200)

IMMEDIATE = RetryPolicy(retry_delay_minutes=0, allow_immediate_retry=True)
UNKNOWN_TOO = RetryPolicy(retry_unknown_outcome=True)
FORGETFUL = READY._replace(drops_repeats=False)
DISABLED = READY._replace(standing=ConnectorStanding.DISABLED)
LOST = FailureKind.ANSWER_TIMEOUT
REFUSED = FailureKind.PAYLOAD_REFUSED


class Case(NamedTuple):
    """One row: what is known, `minutes` after the last failure, and what the rule says of it."""

    name: str
    facts: DeliveryFacts
    minutes: float
    action: Action
    reason: ReasonCode
    connector: ConnectorFacts = READY
    policy: RetryPolicy = DEFAULT_POLICY


def held_back(**minutes: float) -> dict[str, Any]:
    return {"not_before": after(**minutes)}


CASES = [
    # Row 1: whatever else is true, an attempt on the wire decides.
    Case("on the wire", failed(in_flight=True), 60, WAIT, ReasonCode.IN_FLIGHT),
    Case(
        "on the wire for the first time",
        failed(in_flight=True, failure_count=0, failure_kind=None, last_failed_at=None, failed_status_codes=""),
        0,
        WAIT,
        ReasonCode.IN_FLIGHT,
    ),
    Case("on the wire, refused before", failed(in_flight=True, failure_kind=REFUSED), 60, WAIT, ReasonCode.IN_FLIGHT),
    Case("on the wire, exhausted", failures(9, in_flight=True), 60, WAIT, ReasonCode.IN_FLIGHT),
    Case("on the wire, connector off", failed(in_flight=True), 60, WAIT, ReasonCode.IN_FLIGHT, DISABLED),
    # Row 2: refused for good, even when attempts are left, used up, or the connector is off.
    Case("payload refused", failed(failure_kind=REFUSED), 60, SUPPRESS, ReasonCode.RECEIVER_REJECTED),
    Case("refused and exhausted", failures(3, failure_kind=REFUSED), 60, SUPPRESS, ReasonCode.RECEIVER_REJECTED),
    Case("refused, off", failed(failure_kind=REFUSED), 60, SUPPRESS, ReasonCode.RECEIVER_REJECTED, DISABLED),
    Case("redirect", failed(failure_kind=FailureKind.REDIRECT_REFUSED), 60, SUPPRESS, ReasonCode.RECEIVER_REJECTED),
    Case("too large", failed(failure_kind=FailureKind.PAYLOAD_TOO_LARGE), 60, SUPPRESS, ReasonCode.RECEIVER_REJECTED),
    # Row 3: the policy's number of failures, the first included.
    Case("one below the limit", failures(2), 30, RETRY, ReasonCode.DUE),
    Case("at the limit", failures(3), 9_999, SUPPRESS, ReasonCode.ATTEMPTS_EXHAUSTED),
    Case("over the limit", failures(4), 9_999, SUPPRESS, ReasonCode.ATTEMPTS_EXHAUSTED),
    Case("exhausted and off", failures(3), 60, SUPPRESS, ReasonCode.ATTEMPTS_EXHAUSTED, DISABLED),
    Case("exhausted, unknown", failures(3, failure_kind=LOST), 60, SUPPRESS, ReasonCode.ATTEMPTS_EXHAUSTED, FORGETFUL),
    Case(
        "a limit of one",
        failed(),
        60,
        SUPPRESS,
        ReasonCode.ATTEMPTS_EXHAUSTED,
        policy=RetryPolicy(max_retry_attempts=1),
    ),
    Case("49 of 50", failures(49), 1_440, RETRY, ReasonCode.DUE, policy=RetryPolicy(max_retry_attempts=50)),
    Case(
        "50 of 50",
        failures(50),
        99_999,
        SUPPRESS,
        ReasonCode.ATTEMPTS_EXHAUSTED,
        policy=RetryPolicy(max_retry_attempts=50),
    ),
    # Row 4: every standing but ready, before any clock is asked.
    *(
        Case(f"connector {word.value}", failed(), 60, WAIT, ReasonCode.CONNECTOR_ON_HOLD, READY._replace(standing=word))
        for word in ConnectorStanding
        if word is not ConnectorStanding.READY
    ),
    Case("off, not yet due", failed(), 1, WAIT, ReasonCode.CONNECTOR_ON_HOLD, DISABLED),
    Case("off, unknown", failed(failure_kind=LOST), 60, WAIT, ReasonCode.CONNECTOR_ON_HOLD, DISABLED),
    Case("refused credential, mended", failed(failure_kind=FailureKind.CREDENTIAL_REFUSED), 15, RETRY, ReasonCode.DUE),
    Case("wrong address, mended", failed(failure_kind=FailureKind.ADDRESS_UNKNOWN), 15, RETRY, ReasonCode.DUE),
    # Row 5: nobody knows, unless the receiver drops repeats or the policy takes the risk.
    Case("unknown, keeps repeats", failed(failure_kind=LOST), 60, WAIT, ReasonCode.OUTCOME_UNKNOWN, FORGETFUL),
    Case("in doubt, then refused", failed(in_doubt=True), 60, WAIT, ReasonCode.OUTCOME_UNKNOWN, FORGETFUL),
    Case("in doubt, drops repeats", failed(in_doubt=True), 15, RETRY, ReasonCode.DUE),
    Case("unknown, not due", failed(failure_kind=LOST), 1, WAIT, ReasonCode.OUTCOME_UNKNOWN, FORGETFUL),
    Case("unknown, drops repeats", failed(failure_kind=LOST), 15, RETRY, ReasonCode.DUE),
    Case("unknown, risk taken", failed(failure_kind=LOST), 15, RETRY, ReasonCode.DUE, FORGETFUL, UNKNOWN_TOO),
    Case("unknown, risk taken early", failed(failure_kind=LOST), 14, WAIT, ReasonCode.BACKOFF, FORGETFUL, UNKNOWN_TOO),
    Case("known failure, keeps repeats", failed(), 15, RETRY, ReasonCode.DUE, FORGETFUL),
    # Row 6: the later of delay and Retry-After; whichever it is gives the reason.
    Case("in the delay", failed(), 14.999, WAIT, ReasonCode.BACKOFF),
    Case("Retry-After later, in the delay", failed(**held_back(minutes=40)), 10, WAIT, ReasonCode.RETRY_AFTER),
    Case("Retry-After later, past the delay", failed(**held_back(minutes=40)), 20, WAIT, ReasonCode.RETRY_AFTER),
    Case("Retry-After later, reached", failed(**held_back(minutes=40)), 40, RETRY, ReasonCode.DUE),
    Case("Retry-After earlier", failed(**held_back(minutes=5)), 10, WAIT, ReasonCode.BACKOFF),
    Case("Retry-After earlier, past the delay", failed(**held_back(minutes=5)), 15, RETRY, ReasonCode.DUE),
    Case("Retry-After over the cap", failed(**held_back(days=40)), 1_439, WAIT, ReasonCode.RETRY_AFTER),
    Case("Retry-After over the cap, at the cap", failed(**held_back(days=40)), 1_440, RETRY, ReasonCode.DUE),
    Case("immediate, Retry-After", failed(**held_back(minutes=2)), 1, WAIT, ReasonCode.RETRY_AFTER, policy=IMMEDIATE),
    # A clock that went back shows a failure in the future: it only waits longer.
    Case("clock behind the failure", failed(), -90, WAIT, ReasonCode.BACKOFF),
    Case("clock behind, immediate", failed(), -1, WAIT, ReasonCode.BACKOFF, policy=IMMEDIATE),
    # Row 7.
    Case("due", failed(), 15, RETRY, ReasonCode.DUE),
    Case("long due", failed(), 99_999, RETRY, ReasonCode.DUE),
    Case("immediate at once", failed(), 0, RETRY, ReasonCode.DUE, policy=IMMEDIATE),
    Case("immediate after two", failures(2), 0, RETRY, ReasonCode.DUE, policy=IMMEDIATE),
    Case("immediate after three", failures(3), 0, SUPPRESS, ReasonCode.ATTEMPTS_EXHAUSTED, policy=IMMEDIATE),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_table_decides(case: Case) -> None:
    decided = verdict(case.facts, case.connector, case.policy, now=after(minutes=case.minutes))
    assert (decided.action, decided.reason_code) == (case.action, case.reason)


def test_every_row_of_the_table_has_a_case_and_a_sentence() -> None:
    assert {case.reason for case in CASES} == set(ReasonCode) == set(REASONS)


@pytest.mark.parametrize("kind", FailureKind)
def test_a_failure_is_suppressed_for_good_exactly_where_its_class_is_final(kind: FailureKind) -> None:
    decided = verdict(failed(failure_kind=kind), READY, DEFAULT_POLICY, now=after(minutes=15))
    assert (decided.action is SUPPRESS) == (FAILURE_CLASS[kind] is FailureClass.FINAL)


@pytest.mark.parametrize("kind", FailureKind)
def test_a_failure_waits_for_a_person_exactly_where_its_outcome_is_unknown(kind: FailureKind) -> None:
    decided = verdict(failed(failure_kind=kind), FORGETFUL, DEFAULT_POLICY, now=after(minutes=15))
    unknown = FAILURE_CLASS[kind] is FailureClass.UNKNOWN
    assert (decided.reason_code is ReasonCode.OUTCOME_UNKNOWN) == unknown


# The contract's worked values: (failures, the delay that follows), with the defaults.
@pytest.mark.parametrize(("count", "minutes"), [(1, 15), (2, 30)])
def test_the_due_moment_itself_is_due_and_a_microsecond_before_is_not(count: int, minutes: int) -> None:
    due_at = after(minutes=minutes)
    before = verdict(failures(count), READY, DEFAULT_POLICY, now=due_at - MICROSECOND)
    assert before == Verdict(WAIT, ReasonCode.BACKOFF, minutes, due_at)
    assert verdict(failures(count), READY, DEFAULT_POLICY, now=due_at) == Verdict(
        RETRY, ReasonCode.DUE, minutes, due_at
    )


def test_the_moment_a_receiver_named_is_due_and_a_microsecond_before_is_not() -> None:
    held = failed(not_before=after(minutes=40))
    before = verdict(held, READY, DEFAULT_POLICY, now=after(minutes=40) - MICROSECOND)
    assert before == Verdict(WAIT, ReasonCode.RETRY_AFTER, 15, after(minutes=40))
    assert verdict(held, READY, DEFAULT_POLICY, now=after(minutes=40)).action is RETRY


def test_a_receiver_holds_a_delivery_back_no_longer_than_the_policys_ceiling() -> None:
    held = failed(not_before=after(minutes=100))
    policy = RetryPolicy(max_delay_minutes=60)
    before = verdict(held, READY, policy, now=after(minutes=60) - MICROSECOND)
    assert before == Verdict(WAIT, ReasonCode.RETRY_AFTER, 15, after(minutes=60))
    assert verdict(held, READY, policy, now=after(minutes=60)).action is RETRY


def test_a_receiver_that_names_the_very_moment_the_delay_ends_is_the_reason() -> None:
    held = failed(not_before=after(minutes=15))
    assert verdict(held, READY, DEFAULT_POLICY, now=after(minutes=14)).reason_code is ReasonCode.RETRY_AFTER


@pytest.mark.parametrize("case", [case for case in CASES if case.reason not in {"backoff", "retry_after", "due"}])
def test_no_moment_is_named_where_no_clock_decides(case: Case) -> None:
    decided = verdict(case.facts, case.connector, case.policy, now=after(minutes=case.minutes))
    assert decided.next_retry_at is None


def test_connectors_of_one_package_are_decided_apart() -> None:
    splunk = READY._replace(name="splunk", standing=ConnectorStanding.CREDENTIAL_REFUSED)
    decided = [
        verdict(failed(provider=connector.name), connector, DEFAULT_POLICY, now=after(minutes=15))
        for connector in (READY, splunk)
    ]
    assert [item.action for item in decided] == [RETRY, WAIT]


@pytest.mark.parametrize(
    ("count", "policy", "minutes"),
    [
        (1, RetryPolicy(), 15),
        (2, RetryPolicy(), 30),
        (3, RetryPolicy(), 60),
        (7, RetryPolicy(), 960),
        (8, RetryPolicy(), 1_440),
        (50, RetryPolicy(), 1_440),
        (1, RetryPolicy(retry_delay_minutes=10, backoff_multiplier=1.1), 10),
        # 10 x 1.1 is 11 to a person and 11.000000000000002 to a float; rounding that up would make it 12.
        (2, RetryPolicy(retry_delay_minutes=10, backoff_multiplier=1.1), 11),
        (3, RetryPolicy(retry_delay_minutes=10, backoff_multiplier=1.1), 13),
        (3, RetryPolicy(retry_delay_minutes=100, backoff_multiplier=1.1), 121),
        (2, RetryPolicy(backoff_multiplier=1.5), 23),
        (3, RetryPolicy(backoff_multiplier=1.5), 34),
        (3, RetryPolicy(retry_delay_minutes=4, backoff_multiplier=1.5), 9),
        (5, RetryPolicy(backoff_multiplier=1.0), 15),
        (2, RetryPolicy(backoff_multiplier=10.0), 150),
        (60, RetryPolicy(backoff_multiplier=10.0, max_delay_minutes=43_200), 43_200),
        (2, RetryPolicy(retry_delay_minutes=10_080, max_delay_minutes=10_080), 10_080),
        (2, RetryPolicy(retry_delay_minutes=10_080, max_delay_minutes=43_200), 20_160),
        (2, RetryPolicy(max_delay_minutes=29), 29),
        (2, RetryPolicy(max_delay_minutes=30), 30),
        (9, IMMEDIATE, 0),
    ],
)
def test_the_delay_multiplies_rounds_up_and_is_capped(count: int, policy: RetryPolicy, minutes: int) -> None:
    assert delay_minutes(failures(count), policy) == minutes


def test_jitter_spreads_deliveries_and_tries() -> None:
    policy = RetryPolicy(retry_delay_minutes=1_000, max_delay_minutes=43_200, jitter_ratio=1.0, backoff_multiplier=1.0)
    others = [failed(delivery_id=f"gordackdelivery-{number:016x}") for number in range(100)]
    assert len({delay_minutes(facts, policy) for facts in others}) > 50
    assert len({delay_minutes(failures(count), policy) for count in range(1, 20)}) > 10
    assert delay_minutes(failed(provider="splunk"), policy) != delay_minutes(failed(), policy)


@same
@given(facts=deliveries(), policy=policies())
def test_jitter_only_adds_at_most_its_share_and_never_passes_the_cap(facts: DeliveryFacts, policy: RetryPolicy) -> None:
    plain = delay_minutes(facts, policy._replace(jitter_ratio=0.0))
    spread = delay_minutes(facts, policy)
    assert plain <= spread <= min(policy.max_delay_minutes, plain * (1 + policy.jitter_ratio) + 1)
    assert delay_minutes(facts._replace(last_failed_at=None, source="", event_digest=""), policy) == spread


def ceiling(facts: DeliveryFacts, policy: RetryPolicy) -> datetime:
    """The longest that a policy lets anything hold a delivery back."""
    return (facts.last_failed_at or FAILED_AT) + timedelta(minutes=policy.max_delay_minutes)


@same
@given(facts=deliveries(), policy=policies())
def test_the_next_try_is_never_before_the_receivers_word_nor_before_the_delay(
    facts: DeliveryFacts, policy: RetryPolicy
) -> None:
    due_at = next_retry_at(facts, policy)
    if facts.last_failed_at is None:
        assert due_at is None
        return
    assert due_at is not None
    assert due_at >= facts.last_failed_at + timedelta(minutes=delay_minutes(facts, policy))
    if facts.not_before is not None:
        assert due_at >= min(facts.not_before, ceiling(facts, policy))


@same
@given(facts=deliveries(), connector=connectors, policy=policies(), now=moments)
def test_nothing_is_retried_before_the_receivers_word(
    facts: DeliveryFacts, connector: ConnectorFacts, policy: RetryPolicy, now: datetime
) -> None:
    decided = verdict(facts, connector, policy, now=now)
    if decided.action is RETRY:
        assert decided.next_retry_at is not None
        assert decided.next_retry_at <= now
        assert facts.not_before is None or min(facts.not_before, ceiling(facts, policy)) <= now
    elif decided.next_retry_at is not None:
        assert now < decided.next_retry_at


@same
@given(facts=deliveries(), connector=connectors, policy=policies(), now=moments)
def test_the_stored_standing_agrees_with_the_verdict_of_a_ready_connector(
    facts: DeliveryFacts, connector: ConnectorFacts, policy: RetryPolicy, now: datetime
) -> None:
    facts, connector = facts._replace(in_flight=False), connector._replace(standing=ConnectorStanding.READY)
    stands = standing(facts, policy, drops_repeats=connector.drops_repeats)
    decided = verdict(facts, connector, policy, now=now)
    if stands.reason_code is not None:
        assert decided.reason_code is stands.reason_code
    else:
        assert (decided.action is RETRY) == (stands.due_at is None or stands.due_at <= now)


@same
@given(policy=policies(), kinds=st.lists(st.sampled_from(FailureKind), min_size=60, max_size=60))
def test_a_receiver_that_always_fails_is_tried_no_more_often_than_the_policy_says(
    policy: RetryPolicy, kinds: list[FailureKind]
) -> None:
    facts, now, sent = failed(failure_kind=kinds[0]), FAILED_AT, 1
    for kind in kinds[1:]:
        decided = verdict(facts, READY, policy, now=now)
        if decided.action is WAIT:
            assert decided.next_retry_at is not None
            now = decided.next_retry_at
            decided = verdict(facts, READY, policy, now=now)
        if decided.action is SUPPRESS:
            break
        sent += 1
        facts = facts._replace(attempt_count=sent, failure_count=sent, failure_kind=kind, last_failed_at=now)
    assert sent <= policy.max_retry_attempts or (sent == 1 and facts.failure_count == 1)
    assert verdict(facts, READY, policy, now=now).action is SUPPRESS
