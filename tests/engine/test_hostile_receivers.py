"""Evidence delivered to every hostile server at once: nothing that one of them said is in the database or the logs."""

import logging
from collections.abc import Callable

import pytest
from django.db import connection

from rollback_audit.engine import deliveries
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.models import DeliveryAttempt
from rollback_audit.states import AttemptState, Outcome, Role
from tests.delivery import hostile_servers
from tests.delivery.hostile_servers import CANARY, SERVERS
from tests.engine.conftest import People


def everything_stored() -> str:
    """Every row of every table, as text."""
    rows: list[str] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            rows += [repr([bytes(cell) if isinstance(cell, memoryview) else cell for cell in row]) for row in cursor]
    return "\n".join(rows)


def test_no_byte_of_a_hostile_receiver_is_stored_or_logged(
    people: People,
    configure: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    manager = people("manager", Role.RELEASE_MANAGER)
    with hostile_servers.running() as ports:
        configure(**{f"hostile-{number}": ports[name] for number, name in enumerate(SERVERS)})
        delivered = deliveries.deliver_audit(
            actor=manager, filters=AuditFilters(), delivery_provider="all", timeout_seconds=1.0
        )
    attempts = DeliveryAttempt.objects.all()
    assert attempts.count() == len(SERVERS)
    assert set(attempts.values_list("state", flat=True)) == {AttemptState.SETTLED}
    assert Outcome.UNKNOWN in attempts.values_list("outcome", flat=True)
    stored = everything_stored()
    assert "hostile-0" in stored
    for place in (stored, repr(delivered), caplog.text, *capfd.readouterr()):
        assert CANARY.decode() not in place
