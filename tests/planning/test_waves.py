"""Canary waves and the rule that stops them."""

import pytest

from rollback_audit.planning.waves import DEFAULT_WAVES, NO_RESULTS, StopRule, Tally, read_waves, wave_ends, why_stop
from rollback_audit.states import StopReason


@pytest.mark.parametrize(
    ("selected", "sizes", "ends"),
    [
        (0, DEFAULT_WAVES, ()),
        (1, DEFAULT_WAVES, (1,)),
        (2, DEFAULT_WAVES, (1, 2)),
        (11, DEFAULT_WAVES, (1, 11)),
        (12, DEFAULT_WAVES, (1, 11, 12)),
        (13, DEFAULT_WAVES, (1, 11, 13)),
        (100, DEFAULT_WAVES, (1, 11, 21, 100)),
        (101, DEFAULT_WAVES, (1, 11, 22, 101)),
        (20_000, DEFAULT_WAVES, (1, 11, 2_011, 20_000)),
        (20_000, ("rest",), (20_000,)),
        (50, ("100%", "rest"), (50,)),
        (50, ("7", "7", "rest"), (7, 14, 50)),
    ],
)
def test_waves_rise_to_the_whole_selection(selected: int, sizes: tuple[str, ...], ends: tuple[int, ...]) -> None:
    assert wave_ends(selected, sizes) == ends


@pytest.mark.parametrize("text", ["rest", "1,10,10%,rest", "100%,rest", "5,rest"])
def test_sizes_are_read(text: str) -> None:
    assert ",".join(read_waves(text)) == text


@pytest.mark.parametrize("text", ["", "1", "rest,1", "0,rest", "1,,rest", "101%,rest", "0%,rest", "-1,rest", "1 ,rest"])
def test_what_is_no_row_of_sizes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected sizes"):
        read_waves(text)


RULE = StopRule(failure_percent=50, consecutive_failures=5)


@pytest.mark.parametrize(
    ("tally", "wave_is_over", "reason"),
    [
        (NO_RESULTS, True, None),
        (Tally(1, 0, 0), True, None),
        (Tally(1, 1, 1), True, StopReason.FAILURE_RATE),
        (Tally(1, 1, 1), False, None),
        (Tally(2, 1, 1), True, None),
        (Tally(10, 5, 0), True, None),
        (Tally(10, 6, 0), True, StopReason.FAILURE_RATE),
        (Tally(10, 6, 0), False, None),
        (Tally(19, 19, 4), False, None),
        (Tally(20, 10, 0), False, None),
        (Tally(20, 11, 0), False, StopReason.FAILURE_RATE),
        (Tally(100, 4, 4), False, None),
        (Tally(100, 5, 5), False, StopReason.CONSECUTIVE_FAILURES),
        (Tally(5, 5, 5), True, StopReason.CONSECUTIVE_FAILURES),
    ],
)
def test_a_part_stops_by_rate_or_by_a_row_of_failures(
    tally: Tally, wave_is_over: bool, reason: StopReason | None
) -> None:
    assert why_stop(tally, RULE, wave_is_over=wave_is_over) == reason


def test_a_rule_of_a_hundred_per_cent_never_stops_by_rate() -> None:
    assert why_stop(Tally(50, 50, 50), StopRule(100, 10_000), wave_is_over=True) is None


def test_a_tally_counts_in_order() -> None:
    tally = NO_RESULTS.plus([False, True, False, False])
    assert tally == Tally(settled=4, failed=3, streak=2)
    assert tally.plus([False]) == Tally(settled=5, failed=4, streak=3)
    assert tally.plus([True]) == Tally(settled=5, failed=3, streak=0)
