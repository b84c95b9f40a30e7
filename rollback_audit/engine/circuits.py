"""Circuit breakers: counted where answers are settled, over all workers, and written beside them."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from rollback_audit.delivery.contract import Settlement, limits_of
from rollback_audit.engine import clock, connectors, ledger
from rollback_audit.engine.attempts import Claim
from rollback_audit.models import Connector
from rollback_audit.planning import circuit
from rollback_audit.planning.circuit import CircuitFacts, CircuitPolicy
from rollback_audit.states import CircuitState, Outcome

_CHANGES = {
    CircuitState.CLOSED: "circuit_closed",
    CircuitState.OPEN: "circuit_opened",
    CircuitState.HALF_OPEN: "circuit_half_open",
}


def count(settlements: Sequence[Settlement[Claim]], *, now: datetime) -> None:
    """Count answers for their connectors' circuits, inside the transaction that settles them.

    Locks every connector that may change, in one order: two settlements never wait for each other. A connector in good
    health is not locked: its successes count only where failures do.
    """
    answers: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    failing = set()
    for item in settlements:
        if item.outcome is Outcome.CONFIRMED:
            answers[item.key.connector_pk][0] += 1
            continue
        failing.add(item.key.connector_pk)
        if item.failure_kind is not None and circuit.counts(item.failure_kind):
            answers[item.key.connector_pk][1] += 1
    unwell = Q(pk__in=failing) | ~Q(circuit=CircuitState.CLOSED) | Q(circuit_failures__gt=0)
    pks = {item.key.connector_pk for item in settlements}
    for row in Connector.objects.select_for_update().filter(unwell, pk__in=pks).order_by("pk"):
        successes, failures = answers[row.pk]
        _move(row, successes, failures, now=now)


def let_probe() -> None:
    """Half open the circuits that have been open for their time, so that one delivery may be planned and sent."""
    now = clock.now()
    due = Connector.objects.filter(circuit=CircuitState.OPEN, circuit_until__lte=now)
    if not due.exists():
        return
    with transaction.atomic():
        for row in due.select_for_update().order_by("pk"):
            if circuit.may_probe(_facts(row), now=now):
                _write(row, CircuitFacts(state=CircuitState.HALF_OPEN), now=now)


def _move(row: Connector, successes: int, failures: int, *, now: datetime) -> None:
    before = _facts(row)
    after = circuit.after(before, _policy(row), successes=successes, failures=failures, now=now)
    if after != before:
        _write(row, after, now=now)


def _write(row: Connector, after: CircuitFacts, *, now: datetime) -> None:
    changed = row.circuit != after.state
    connectors.write_circuit(row, after)
    if changed:
        ledger.append([connectors.change_line(row, at=now, change=_CHANGES[after.state])])


def _facts(row: Connector) -> CircuitFacts:
    return CircuitFacts(
        state=CircuitState(row.circuit),
        until=row.circuit_until,
        window_from=row.circuit_window_from,
        failures=row.circuit_failures,
        successes=row.circuit_successes,
    )


def _policy(row: Connector) -> CircuitPolicy:
    limits = limits_of(connectors.settings_of(row))
    return CircuitPolicy(
        threshold=limits.circuit_threshold,
        window_seconds=limits.circuit_window_seconds,
        open_seconds=limits.circuit_open_seconds,
    )
