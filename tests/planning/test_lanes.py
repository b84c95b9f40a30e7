"""How room on the wire is shared, and a connector's pace."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_audit.planning.lanes import BURST_SECONDS, allowed_now, paced, share_out

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("room", "wants", "shares"),
    [
        (10, {}, {}),
        (10, {1: 100}, {1: 10}),
        (10, {1: 100, 2: 100}, {1: 5, 2: 5}),
        (10, {1: 2, 2: 100}, {1: 2, 2: 8}),
        (10, {1: 3, 2: 3}, {1: 3, 2: 3}),
        (2, {1: 9, 2: 9, 3: 9}, {1: 1, 2: 1, 3: 0}),
        (0, {1: 9}, {1: 0}),
    ],
)
def test_room_is_shared_evenly_and_what_one_leaves_goes_to_the_others(
    room: int, wants: dict[int, int], shares: dict[int, int]
) -> None:
    assert share_out(room, wants) == shares


@given(st.integers(0, 2000), st.dictionaries(st.integers(1, 60), st.integers(0, 10_000), max_size=60))
def test_no_room_is_wasted_or_given_twice_and_nobody_gets_more_than_wanted(room: int, wants: dict[int, int]) -> None:
    shares = share_out(room, wants)
    assert sum(shares.values()) == min(room, sum(wants.values()))
    assert all(0 <= shares[key] <= wants[key] for key in wants)
    unsated = [shares[key] for key in wants if shares[key] < wants[key]]
    assert not unsated or max(shares.values()) - min(unsated) <= 1


@pytest.mark.parametrize("per_second", [0.5, 1.0, 9.0, 10.0, 50.0, 333.0])
def test_a_pace_is_kept_over_any_stretch_of_time(per_second: float) -> None:
    next_at, sent = None, 0
    for tick in range(2_000):
        now = NOW + timedelta(milliseconds=10 * tick)
        allowed = allowed_now(next_at, per_second=per_second, now=now)
        if allowed:
            next_at = paced(next_at, sent=allowed, per_second=per_second, now=now)
            sent += allowed
        assert sent <= per_second * ((now - NOW).total_seconds() + BURST_SECONDS) + 1 + 1e-6
    assert sent >= per_second * 20 * 0.95 - 1


def test_a_pace_that_rested_does_not_save_up() -> None:
    next_at = paced(None, sent=3, per_second=10, now=NOW)
    assert allowed_now(next_at, per_second=10, now=NOW) == 0
    assert allowed_now(next_at, per_second=10, now=NOW + timedelta(hours=1)) == allowed_now(
        None, per_second=10, now=NOW
    )
