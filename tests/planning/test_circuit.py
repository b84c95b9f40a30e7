"""The circuit breaker, answer by answer."""

from datetime import UTC, datetime, timedelta

import pytest

from rollback_audit.planning.circuit import CLOSED, CircuitFacts, CircuitPolicy, after, counts, may_probe
from rollback_audit.states import FAILURE_CLASS, CircuitState, FailureClass, FailureKind

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
POLICY = CircuitPolicy(threshold=3, window_seconds=60, open_seconds=30)
OPEN = CircuitFacts(CircuitState.OPEN, until=NOW + timedelta(seconds=30))
HALF_OPEN = CircuitFacts(CircuitState.HALF_OPEN)


def counted(failures: int, successes: int = 0, *, seconds_ago: float = 0) -> CircuitFacts:
    return CircuitFacts(window_from=NOW - timedelta(seconds=seconds_ago), failures=failures, successes=successes)


@pytest.mark.parametrize(
    ("before", "successes", "failures", "expected"),
    [
        (CLOSED, 100, 0, CLOSED),
        (CLOSED, 0, 1, counted(1)),
        (CLOSED, 5, 2, counted(2, 5)),
        (CLOSED, 0, 3, OPEN),
        (CLOSED, 3, 3, counted(3, 3)),
        (counted(2, seconds_ago=59), 0, 1, OPEN),
        (counted(2, seconds_ago=60), 0, 1, counted(1)),
        (counted(2, seconds_ago=60), 1, 0, CLOSED),
        (counted(2, 2), 0, 1, OPEN),
        (counted(2, 3), 0, 1, counted(3, 3)),
        (counted(2), 1, 0, counted(2, 1)),
        (HALF_OPEN, 1, 0, CLOSED),
        (HALF_OPEN, 0, 1, OPEN),
        (HALF_OPEN, 1, 1, OPEN),
        (HALF_OPEN, 0, 0, HALF_OPEN),
        (OPEN, 5, 0, OPEN),
        (OPEN, 0, 5, OPEN),
    ],
)
def test_answers_move_the_circuit(before: CircuitFacts, successes: int, failures: int, expected: CircuitFacts) -> None:
    assert after(before, POLICY, successes=successes, failures=failures, now=NOW) == expected


@pytest.mark.parametrize(
    ("circuit", "seconds", "may"),
    [(OPEN, 29.9, False), (OPEN, 30, True), (OPEN, 31, True), (CLOSED, 99, False), (HALF_OPEN, 99, False)],
)
def test_an_open_circuit_is_probed_once_its_time_is_up(circuit: CircuitFacts, seconds: float, may: bool) -> None:
    assert may_probe(circuit, now=NOW + timedelta(seconds=seconds)) is may


OURS = {FailureKind.CONNECTOR_UNAVAILABLE, FailureKind.LEASE_LOST, FailureKind.WORKER_LOST}


@pytest.mark.parametrize("kind", list(FailureKind))
def test_only_a_receiver_in_trouble_counts(kind: FailureKind) -> None:
    tells = {FailureClass.RETRYABLE, FailureClass.OVERLOAD, FailureClass.UNKNOWN}
    assert counts(kind) is (FAILURE_CLASS[kind] in tells and kind not in OURS)
