"""Past failures replayed: when a connector was down, and what a policy would have made of each delivery."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_audit.planning.backtest import (
    Ending,
    Outage,
    PastDelivery,
    PastFailure,
    outage_at,
    outages,
    replay,
)
from rollback_audit.planning.comparison import Comparison, Difference
from rollback_audit.planning.facts import DEFAULT_POLICY, RetryPolicy
from rollback_audit.states import FailureKind
from tests.planning.given import FAILED_AT, after, policies

RECOVERED, GIVEN_UP, WAITING = Ending
DAY = after(days=1)
EAGER = RetryPolicy(max_retry_attempts=6, retry_delay_minutes=5, backoff_multiplier=1.0)
AT_ONCE = RetryPolicy(retry_delay_minutes=0, allow_immediate_retry=True)
same = settings(derandomize=True, deadline=None, max_examples=200)


def failure(
    minutes: float = 0,
    kind: FailureKind = FailureKind.UNAVAILABLE,
    *,
    works: float | None = None,
    held: float | None = None,
) -> PastFailure:
    """A failure so many minutes after the first; `works` and `held` are minutes after the first as well."""
    return PastFailure(
        after(minutes=minutes),
        kind,
        None if held is None else after(minutes=held),
        None if works is None else after(minutes=works),
    )


def delivery(*failures: PastFailure, drops_repeats: bool = True) -> PastDelivery:
    return PastDelivery("gordackdelivery-0000000000000001", "webhook", drops_repeats, failures or (failure(),))


def down(minutes: float | None, *, last: float = 0, held: float | None = None, since: float = 0) -> Outage:
    """An outage from `since` for so many minutes; `last` is when anybody last saw it."""
    return Outage(
        after(minutes=since),
        after(minutes=last),
        None if held is None else after(minutes=held),
        None if minutes is None else after(minutes=minutes),
    )


class Seen(NamedTuple):
    name: str
    failures: Sequence[PastFailure]
    outages: list[Outage]


SEEN = [
    Seen("nothing failed", [], []),
    Seen("one failure, never again", [failure()], [down(None)]),
    Seen("one failure, then confirmed", [failure(works=9)], [down(9)]),
    Seen("failures until confirmed are one", [failure(works=9), failure(4, works=9)], [down(9, last=4)]),
    Seen("what came after is another", [failure(works=9), failure(20)], [down(9), down(None, since=20, last=20)]),
    Seen(
        "the next one begins as the last ends", [failure(works=9), failure(9)], [down(9), down(None, since=9, last=9)]
    ),
    Seen("confirmed at the same moment", [failure(works=0)], []),
    Seen("refused for good", [failure(kind=FailureKind.PAYLOAD_REFUSED)], []),
    Seen("our worker died", [failure(kind=FailureKind.WORKER_LOST)], []),
    Seen("our lease ran out", [failure(kind=FailureKind.LEASE_LOST)], []),
    Seen("nobody can tell", [failure(kind=FailureKind.ANSWER_TIMEOUT)], [down(None)]),
    Seen("credential refused", [failure(kind=FailureKind.CREDENTIAL_REFUSED)], [down(None, held=0)]),
    Seen(
        "address unknown later",
        [failure(works=9), failure(3, FailureKind.ADDRESS_UNKNOWN, works=9), failure(5, works=9)],
        [down(9, last=5, held=3)],
    ),
]


@pytest.mark.parametrize("case", SEEN, ids=lambda case: case.name)
def test_a_connector_is_down_from_a_failure_until_it_confirms_anything(case: Seen) -> None:
    assert outages(case.failures) == case.outages


@pytest.mark.parametrize(("minutes", "found"), [(-1, 0), (0, 1), (8.9, 1), (9, 0), (19, 0), (20, 2), (999, 2)])
def test_an_outage_ends_just_before_its_end(minutes: float, found: int) -> None:
    known = [down(9), down(None, since=20, last=20)]
    assert outage_at(known, after(minutes=minutes)) == ([None, *known][found])


class Case(NamedTuple):
    """`retries` are minutes after the first failure."""

    name: str
    known: list[Outage]
    ending: Ending
    retries: list[float]
    unproven: int = 0
    past: PastDelivery = delivery()
    policy: RetryPolicy = DEFAULT_POLICY
    until: datetime = DAY


FORGETFUL = delivery(failure(kind=FailureKind.ANSWER_TIMEOUT), drops_repeats=False)
CASES = [
    # The default policy retries 15 minutes after the first failure and 30 after the second, and gives up at the third.
    Case("works at once", [], RECOVERED, [15]),
    Case("works again before the first retry", [down(14)], RECOVERED, [15]),
    Case("works again at the first retry", [down(15)], RECOVERED, [15]),
    Case("works again after the first retry", [down(16, last=15)], RECOVERED, [15, 45]),
    Case("down for good, seen until the end", [down(None, last=99)], GIVEN_UP, [15, 45]),
    Case("fails again at the second retry", [down(9), down(60, since=15, last=15)], GIVEN_UP, [15, 45], unproven=1),
    # Unproven: nobody saw it down any more.
    Case("nobody looked after the failure", [down(None)], GIVEN_UP, [15, 45], unproven=2),
    Case("last seen down between the retries", [down(60, last=20)], GIVEN_UP, [15, 45], unproven=1),
    Case("unproven, then recovered", [down(40)], RECOVERED, [15, 45], unproven=1),
    # Other policies.
    Case("eager", [down(12, last=7)], RECOVERED, [5, 10, 15], unproven=1, policy=EAGER),
    Case("at once, and twice in vain", [down(1)], GIVEN_UP, [0, 0], policy=AT_ONCE),
    Case("one attempt is no retry", [], GIVEN_UP, [], policy=RetryPolicy(max_retry_attempts=1)),
    # The moment of the back-test.
    Case("not due yet", [], WAITING, [], until=after(minutes=14)),
    Case("due now", [], RECOVERED, [15], until=after(minutes=15)),
    Case("the second not due yet", [down(16, last=16)], WAITING, [15], until=after(minutes=44)),
    # Retry-After of the delivery's own failures.
    Case("asked to wait", [], RECOVERED, [25], past=delivery(failure(held=25))),
    Case("asked to wait for less", [], RECOVERED, [15], past=delivery(failure(held=5))),
    Case(
        "asked to wait later", [down(16, last=15)], RECOVERED, [15, 50], past=delivery(failure(), failure(10, held=50))
    ),
    # Refused for good: at the first failure, or whenever the receiver gets it.
    Case("refused", [], GIVEN_UP, [], past=delivery(failure(kind=FailureKind.PAYLOAD_REFUSED))),
    Case("refused later", [], GIVEN_UP, [15], past=delivery(failure(), failure(99, FailureKind.PAYLOAD_REFUSED))),
    Case(
        "refused while others fail",
        [down(None, last=99)],
        GIVEN_UP,
        [15],
        past=delivery(failure(), failure(10, FailureKind.PAYLOAD_REFUSED)),
    ),
    # A hold ends with the outage.
    Case("credential refused", [down(99, held=0)], RECOVERED, [99]),
    Case("credential refused for good", [down(None, held=0)], WAITING, []),
    Case("credential refused after the first retry", [down(99, last=20, held=20)], RECOVERED, [15, 99]),
    # Unknown outcomes wait for a person, unless repeats do no harm or the policy takes them.
    Case("outcome unknown", [], WAITING, [], past=FORGETFUL),
    Case("outcome unknown, repeats dropped", [], RECOVERED, [15], past=FORGETFUL._replace(drops_repeats=True)),
    Case(
        "outcome unknown, retried all the same",
        [],
        RECOVERED,
        [15],
        past=FORGETFUL,
        policy=RetryPolicy(retry_unknown_outcome=True),
    ),
    Case(
        "outcome unknown later",
        [down(None, last=99)],
        WAITING,
        [15],
        past=delivery(failure(), failure(10, FailureKind.CONNECTION_LOST), drops_repeats=False),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_policy_would_have_done_this(case: Case) -> None:
    replayed = replay(case.past, case.known, case.policy, until=case.until)
    assert (replayed.ending, [(at - FAILED_AT) / timedelta(minutes=1) for at in replayed.retries]) == (
        case.ending,
        case.retries,
    )
    assert replayed.unproven_count == case.unproven
    assert replayed.wasted_count == len(case.retries) - (case.ending is RECOVERED)


def compare(known: list[Outage], proposed: RetryPolicy, *past: PastDelivery) -> Comparison:
    compared = Comparison()
    for item in past:
        compared.add(
            item,
            present=replay(item, known, DEFAULT_POLICY, until=DAY),
            proposed=replay(item, known, proposed, until=DAY),
        )
    return compared


def test_a_comparison_says_what_each_policy_costs_and_what_the_other_one_gains() -> None:
    compared = compare([down(16, last=15)], EAGER, delivery(), delivery(failure(16)))
    assert compared.present == (3, 1, 0, 2, 0, 0, 15.0, 45.0)
    assert compared.proposed == (5, 3, 0, 2, 0, 0, 5.0, 20.0)
    assert compared.difference == Difference(2, 2, 0, 2, 35.0, 0, 0.0, 0, 0)


def test_a_comparison_counts_what_only_one_of_them_recovers() -> None:
    longer = compare([down(100, last=99)], EAGER._replace(max_retry_attempts=50), delivery())
    assert (longer.difference.gained_count, longer.difference.lost_count) == (1, 0)
    shorter = compare([down(16, last=15)], EAGER._replace(max_retry_attempts=2), delivery())
    assert (shorter.difference.gained_count, shorter.difference.lost_count) == (0, 1)
    slower = compare([], RetryPolicy(retry_delay_minutes=20), delivery())
    assert (slower.difference.later_count, slower.difference.later_minutes) == (1, 5.0)


def test_nothing_recovered_takes_no_time() -> None:
    assert compare([down(None)], EAGER, delivery()).present.median_recovery_minutes is None
    assert compare([], EAGER).present == (0, 0, 0, 0, 0, 0, None, None)


_minutes = st.integers(0, 3_000)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[PastDelivery], list[Outage]]:
    """Some deliveries of one connector with all their failures, and when that connector was down."""
    confirmed = sorted(draw(st.lists(_minutes, max_size=6)))

    def failed(at: int) -> PastFailure:
        works = next((minutes for minutes in confirmed if minutes >= at), None)
        held = draw(st.none() | st.integers(0, 500))
        return failure(at, draw(st.sampled_from(FailureKind)), works=works, held=None if held is None else at + held)

    past = [
        delivery(*map(failed, sorted(moments)), drops_repeats=draw(st.booleans()))
        for moments in draw(st.lists(st.lists(_minutes, min_size=1, max_size=4, unique=True), min_size=1, max_size=5))
    ]
    return past, outages(sorted((one for item in past for one in item.failures), key=lambda one: one.at))


@same
@given(histories(), policies(), st.integers(1, 50))
def test_more_attempts_never_recover_less_nor_later(
    history: tuple[list[PastDelivery], list[Outage]], policy: RetryPolicy, more: int
) -> None:
    past, known = history
    for item in past:
        fewer = replay(item, known, policy, until=DAY)
        longer = replay(item, known, policy._replace(max_retry_attempts=policy.max_retry_attempts + more), until=DAY)
        assert longer.retries[: len(fewer.retries)] == fewer.retries
        assert fewer.recovered_at in (None, longer.recovered_at)


@same
@given(histories(), policies())
def test_what_is_counted_adds_up_and_a_policy_is_no_better_than_itself(
    history: tuple[list[PastDelivery], list[Outage]], policy: RetryPolicy
) -> None:
    past, known = history
    compared = Comparison()
    for item in past:
        replayed = replay(item, known, policy, until=DAY)
        assert list(replayed.retries) == sorted(replayed.retries)
        assert all(item.failures[0].at <= at <= DAY for at in replayed.retries)
        assert len(replayed.retries) < policy.max_retry_attempts
        compared.add(item, present=replayed, proposed=replayed)
    figures = compared.proposed
    assert figures.recovered_count + figures.given_up_count + figures.waiting_count == len(past)
    assert figures.retry_count == figures.wasted_retry_count + figures.recovered_count
    assert figures.unproven_retry_count <= figures.wasted_retry_count
    assert not any(compared.difference)


@same
@given(histories())
def test_outages_are_apart_and_in_order(history: tuple[list[PastDelivery], list[Outage]]) -> None:
    _, known = history
    for one, other in pairwise(known):
        assert one.ended_at is not None
        assert one.began_at <= one.last_failed_at < one.ended_at <= other.began_at
