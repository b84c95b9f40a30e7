"""Every stored word has a tone that exists, and whatever needs a sentence has one."""

from datetime import UTC, datetime, timedelta

import pytest

from rollback_audit.console import words
from rollback_audit.console.templatetags.console import from_now, identity, number, when, word
from rollback_audit.states import (
    Action,
    AlertLevel,
    CircuitState,
    DriftField,
    FailureKind,
    HealthCode,
    Outcome,
    ReasonCode,
    RunMode,
    RunState,
    SkipReason,
    StopReason,
)

EXPLAINED = [
    *FailureKind, *Outcome, *ReasonCode, *SkipReason, *Action, *AlertLevel, *HealthCode, *RunState, *RunMode,
    *StopReason, *DriftField, *(words.CIRCUIT + state for state in CircuitState),
]  # fmt: skip
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("kind", EXPLAINED)
def test_nothing_is_left_unexplained(kind: str) -> None:
    assert words.meaning(kind).endswith(".")


def test_every_tone_is_one_the_style_knows() -> None:
    assert set(words.TONES.values()) <= {"good", "warn", "bad", "busy", "accent", "calm"}


def test_no_stored_word_is_shown_with_underscores() -> None:
    assert all("_" not in words.name(kind) for kind in EXPLAINED)


@pytest.mark.parametrize(
    ("away", "said"),
    [
        (timedelta(), "now"),
        (timedelta(seconds=-59), "59 s ago"),
        (timedelta(minutes=-3, seconds=-20), "3 min ago"),
        (timedelta(hours=2), "in 2 h"),
        (timedelta(days=-40), "40 d ago"),
    ],
)
def test_a_moment_is_said_as_the_time_from_now(away: timedelta, said: str) -> None:
    assert from_now(NOW + away, NOW) == said


def test_the_exact_moment_is_kept_beside_it() -> None:
    assert 'title="2026-03-01 12:00:00 UTC"' in when(NOW)
    assert 'datetime="2026-03-01T12:00:00+00:00"' in when(NOW)


def test_an_id_stays_whole() -> None:
    assert "gordackaudit-" in identity("gordackaudit-0a1b")
    assert "0a1b-queued" in identity("gordackaudit-0a1b-queued")


def test_somebody_elses_id_has_no_prefix_to_hide() -> None:
    assert ">payments-rollback<" in identity("payments-rollback")


def test_what_is_drawn_is_escaped() -> None:
    assert "<script>" not in identity("<script>alert(1)</script>-x") + word("<script>")


def test_what_is_not_there_is_drawn_as_none() -> None:
    assert number(None) == when(None) == word(None) == identity("")
