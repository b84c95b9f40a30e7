"""The circuit breaker of one connector: closed, open, half-open with one probe."""

from datetime import datetime, timedelta
from typing import NamedTuple

from rollback_audit.states import FAILURE_CLASS, CircuitState, FailureClass, FailureKind


class CircuitPolicy(NamedTuple):
    """Opens after `threshold` failures within the window, if they outnumber the successes; asks again after a while."""

    threshold: int = 5
    window_seconds: int = 60
    open_seconds: int = 60


class CircuitFacts(NamedTuple):
    """A circuit as it stands. `until` is when an open one may be probed; a window begins with its first failure."""

    state: CircuitState = CircuitState.CLOSED
    until: datetime | None = None
    window_from: datetime | None = None
    failures: int = 0
    successes: int = 0


CLOSED = CircuitFacts()

# Our own faults say nothing of the receiver; what it refuses for good or holds has rules of its own.
OUR_FAULTS = frozenset({FailureKind.CONNECTOR_UNAVAILABLE, FailureKind.LEASE_LOST, FailureKind.WORKER_LOST})
_COUNTED = frozenset({FailureClass.RETRYABLE, FailureClass.OVERLOAD, FailureClass.UNKNOWN})


def counts(kind: FailureKind) -> bool:
    """Whether a failure of this kind tells of a receiver in trouble."""
    return kind not in OUR_FAULTS and FAILURE_CLASS[kind] in _COUNTED


def after(
    circuit: CircuitFacts, policy: CircuitPolicy, *, successes: int, failures: int, now: datetime
) -> CircuitFacts:
    """The circuit after more answers. What comes back late to an open one changes nothing."""
    if circuit.state is CircuitState.OPEN:
        return circuit
    if circuit.state is CircuitState.HALF_OPEN:
        return _opened(policy, now=now) if failures else CLOSED if successes else circuit
    begun = circuit.window_from
    if begun is None or now >= begun + timedelta(seconds=policy.window_seconds):
        if not failures:
            return CLOSED
        circuit = CircuitFacts(window_from=now)
    counted = circuit._replace(failures=circuit.failures + failures, successes=circuit.successes + successes)
    if counted.failures >= policy.threshold and counted.failures > counted.successes:
        return _opened(policy, now=now)
    return counted


def may_probe(circuit: CircuitFacts, *, now: datetime) -> bool:
    """Whether an open circuit has waited long enough to be half open; `now` equal to the moment has."""
    return circuit.state is CircuitState.OPEN and circuit.until is not None and now >= circuit.until


def _opened(policy: CircuitPolicy, *, now: datetime) -> CircuitFacts:
    return CircuitFacts(state=CircuitState.OPEN, until=now + timedelta(seconds=policy.open_seconds))
