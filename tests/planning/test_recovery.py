"""Recovery rules: what to do about which failure, who may close when, and the clock from the first failure."""

from datetime import UTC, datetime, timedelta

import pytest

from rollback_audit.planning.recovery import (
    CALLED_FOR,
    RecoveryStep,
    SloState,
    needs_reason,
    sentence,
    slo_due_at,
    slo_state,
    state_after,
    steps,
    why_not,
)
from rollback_audit.redaction import credential_rule
from rollback_audit.states import FAILURE_CLASS, Category, ClosureState, FailureClass, FailureKind, RecoveryState

FIRST = datetime(2026, 3, 29, 0, 45, tzinfo=UTC)
LAST_THREE = [RecoveryStep.SEND_TEST, RecoveryStep.RETRY_DELIVERIES, RecoveryStep.CLOSE_RECOVERY]


def minutes(count: float) -> datetime:
    """So long after the first failure."""
    return FIRST + timedelta(minutes=count)


# --- Steps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "called"),
    [
        ([FailureKind.CREDENTIAL_REFUSED], [RecoveryStep.RENEW_CREDENTIAL]),
        ([FailureKind.ADDRESS_UNKNOWN], [RecoveryStep.CHECK_ADDRESS]),
        ([FailureKind.REDIRECT_REFUSED], [RecoveryStep.CHECK_ADDRESS]),
        ([FailureKind.ADDRESS_FORBIDDEN], [RecoveryStep.ALLOW_NETWORK]),
        ([FailureKind.NAME_UNRESOLVED], [RecoveryStep.CHECK_NAME]),
        ([FailureKind.CONNECT_REFUSED], [RecoveryStep.CHECK_NETWORK]),
        ([FailureKind.CONNECT_TIMEOUT], [RecoveryStep.CHECK_NETWORK]),
        ([FailureKind.TLS_FAILED], [RecoveryStep.CHECK_NETWORK, RecoveryStep.CHECK_CERTIFICATE]),
        ([FailureKind.TLS_UNTRUSTED], [RecoveryStep.CHECK_CERTIFICATE]),
        ([FailureKind.RATE_LIMITED], [RecoveryStep.LOWER_RATE]),
        ([FailureKind.UNAVAILABLE], [RecoveryStep.LOWER_RATE, RecoveryStep.ASK_RECEIVER]),
        ([FailureKind.SERVER_ERROR], [RecoveryStep.ASK_RECEIVER]),
        ([FailureKind.GATEWAY_FAILED], [RecoveryStep.ASK_RECEIVER]),
        ([FailureKind.PAYLOAD_REFUSED], [RecoveryStep.CHECK_PAYLOAD]),
        ([FailureKind.PAYLOAD_TOO_LARGE], [RecoveryStep.SHRINK_PAYLOAD]),
        ([FailureKind.ANSWER_TIMEOUT], [RecoveryStep.ASK_RECEIVER, RecoveryStep.LOOK_FOR_EVENT]),
        ([FailureKind.CONNECTION_LOST], [RecoveryStep.CHECK_NETWORK, RecoveryStep.LOOK_FOR_EVENT]),
        ([FailureKind.WORKER_LOST], [RecoveryStep.CHECK_WORKERS, RecoveryStep.LOOK_FOR_EVENT]),
        ([FailureKind.CONNECTOR_UNAVAILABLE], [RecoveryStep.CHECK_CONFIGURATION]),
        # Several at once: each step once, in the order of the list.
        (
            [FailureKind.SERVER_ERROR, FailureKind.CREDENTIAL_REFUSED, FailureKind.TRY_LATER],
            [RecoveryStep.RENEW_CREDENTIAL, RecoveryStep.ASK_RECEIVER],
        ),
        ([], []),
    ],
)
def test_a_failure_calls_for_its_steps(kinds: list[FailureKind], called: list[RecoveryStep]) -> None:
    assert steps(kinds) == [*called, *LAST_THREE]


def test_every_kind_of_failure_calls_for_something_and_every_step_is_called_for() -> None:
    assert set(CALLED_FOR) == set(FailureKind)
    assert all(CALLED_FOR.values())
    assert set(steps(FailureKind)) == set(RecoveryStep)


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if FAILURE_CLASS[kind] is FailureClass.UNKNOWN])
def test_where_nobody_knows_the_event_is_looked_for_before_it_is_sent_again(kind: FailureKind) -> None:
    order = steps([kind])
    assert order.index(RecoveryStep.LOOK_FOR_EVENT) < order.index(RecoveryStep.RETRY_DELIVERIES)


@pytest.mark.parametrize("category", Category)
@pytest.mark.parametrize("step", RecoveryStep)
def test_every_step_is_one_short_sentence_for_every_category(step: RecoveryStep, category: Category) -> None:
    text = sentence(step, category)
    assert text.endswith(".")
    assert len(text) <= 110
    assert "://" not in text
    assert credential_rule(text) is None


def test_a_credential_is_renewed_where_the_category_keeps_it() -> None:
    said = {sentence(RecoveryStep.RENEW_CREDENTIAL, category) for category in Category}
    assert len(said) == len(Category)


# --- Words ----------------------------------------------------------------------------------------------------------

OPEN, CLOSED = RecoveryState.OPEN, RecoveryState.CLOSED


@pytest.mark.parametrize(
    ("state", "word", "proven", "has_other_open", "code"),
    [
        (OPEN, ClosureState.RESOLVED, True, False, None),
        (OPEN, ClosureState.RESOLVED, False, False, "recovery_unproven"),
        (OPEN, ClosureState.MITIGATED, False, False, None),
        (OPEN, ClosureState.DEFERRED, False, False, None),
        (OPEN, ClosureState.ESCALATED, False, False, None),
        (OPEN, ClosureState.REOPENED, True, False, "recovery_open"),
        (CLOSED, ClosureState.RESOLVED, True, False, "recovery_closed"),
        (CLOSED, ClosureState.MITIGATED, True, False, "recovery_closed"),
        (CLOSED, ClosureState.DEFERRED, True, False, "recovery_closed"),
        (CLOSED, ClosureState.ESCALATED, True, True, "recovery_closed"),
        (CLOSED, ClosureState.REOPENED, False, False, None),
        (CLOSED, ClosureState.REOPENED, True, True, "recovery_open_elsewhere"),
    ],
)
def test_a_word_is_allowed_or_refused_with_its_code(
    state: RecoveryState, word: ClosureState, proven: bool, has_other_open: bool, code: str | None
) -> None:
    refusal = why_not(state, word, proven=proven, has_other_open=has_other_open)
    assert (refusal.code if refusal else None) == code


@pytest.mark.parametrize(
    ("state", "word", "after"),
    [
        (OPEN, ClosureState.RESOLVED, CLOSED),
        (OPEN, ClosureState.MITIGATED, CLOSED),
        (OPEN, ClosureState.DEFERRED, OPEN),
        (OPEN, ClosureState.ESCALATED, OPEN),
        (CLOSED, ClosureState.REOPENED, OPEN),
    ],
)
def test_only_resolved_and_mitigated_close(state: RecoveryState, word: ClosureState, after: RecoveryState) -> None:
    assert state_after(state, word) is after


def test_a_proof_stands_for_a_reason() -> None:
    assert {word for word in ClosureState if not needs_reason(word)} == {ClosureState.RESOLVED}


# --- The clock ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("closed_after", "now_after", "state"),
    [
        (None, 0, SloState.OPEN),
        (None, 239.9, SloState.OPEN),
        (None, 240, SloState.BREACHED),
        (None, 10_000, SloState.BREACHED),
        (1, 10_000, SloState.CLOSED),
        (239.9, 240, SloState.CLOSED),
        (240, 240, SloState.BREACHED),
        (241, 10_000, SloState.BREACHED),
    ],
)
def test_the_clock_runs_from_the_first_failure_and_a_late_closing_stays_a_breach(
    closed_after: float | None, now_after: float, state: SloState
) -> None:
    closed_at = None if closed_after is None else minutes(closed_after)
    assert slo_state(FIRST, closed_at, slo_minutes=240, now=minutes(now_after)) is state


@pytest.mark.parametrize(("slo_minutes", "state"), [(120, SloState.BREACHED), (121, SloState.CLOSED)])
def test_how_long_one_may_take_is_asked_each_time(slo_minutes: int, state: SloState) -> None:
    assert slo_state(FIRST, minutes(120), slo_minutes=slo_minutes, now=minutes(500)) is state


def test_it_is_due_so_many_minutes_after_the_first_failure() -> None:
    assert slo_due_at(FIRST, slo_minutes=240) == minutes(240)
