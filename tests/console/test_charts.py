"""The pictures' geometry."""

from datetime import UTC, datetime, timedelta

import pytest

from rollback_audit.console.charts import HEIGHT, WHOLE, hour_chart, hours_until, round_up, share_bar

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NAMES = ["confirmed", "refused"]


@pytest.mark.parametrize(
    ("number", "top"), [(0, 1), (1, 1), (3, 4), (5, 5), (6, 10), (11, 20), (41, 50), (51, 100), (999_999, 1_000_000)]
)
def test_the_top_of_the_scale_is_a_round_number_that_holds_the_highest_bar(number: int, top: int) -> None:
    assert round_up(number) == top


def test_hours_end_with_the_running_one() -> None:
    hours = hours_until(NOON + timedelta(minutes=59), hours=3)
    assert hours == [NOON - timedelta(hours=2), NOON - timedelta(hours=1), NOON]


def test_a_bar_is_stacked_from_the_floor_in_the_order_of_names() -> None:
    chart = hour_chart({NOON: {"refused": 1, "confirmed": 3}}, hours=[NOON], names=NAMES)
    low, high = chart.bars[0].segments
    assert (low.name, low.y + low.height) == ("confirmed", HEIGHT)
    assert (high.name, high.y + high.height) == ("refused", low.y)
    assert high.y == 0
    assert chart.total == 4


def test_an_hour_without_attempts_has_no_segments_and_counts_nothing() -> None:
    chart = hour_chart({}, hours=[NOON], names=NAMES)
    assert chart.bars[0].segments == []
    assert chart.names == []
    assert chart.total == 0


def test_shares_fill_the_whole_side_by_side() -> None:
    first, second = share_bar({"retryable": 3, "waiting": 0, "suppressed": 1}, whole=4)
    assert (first.name, first.x, first.width) == ("retryable", 0, 750)
    assert (second.name, second.x, second.width) == ("suppressed", 750, WHOLE - 750)


def test_one_among_a_million_can_still_be_seen() -> None:
    assert share_bar({"retryable": 1}, whole=1_000_000)[0].width > 0


def test_nothing_has_no_bar() -> None:
    assert share_bar({"retryable": 0}, whole=0) == []
