"""Connectors as rows: what the configuration file says, what receivers' answers led to, and how an operator tests them.

The file is read by whoever needs it; the rows carry its keyed digest and a random revision, so that an approval can
name a configuration without the database ever holding one.
"""

import hashlib
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings as django_settings
from django.db import IntegrityError, transaction

from rollback_audit.delivery import config, registry
from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import ConnectorSettings, Envelope, Send, Settlement
from rollback_audit.engine import clock, ledger
from rollback_audit.engine.actors import SYSTEM, Actor
from rollback_audit.errors import StateForbids, UnknownRecord
from rollback_audit.ids import new_id
from rollback_audit.models import Connector
from rollback_audit.planning import circuit
from rollback_audit.planning.circuit import CircuitFacts
from rollback_audit.records.connectors import ConnectorRecord, ConnectorTestRecord
from rollback_audit.records.history import HistoryRow
from rollback_audit.redaction import check_text
from rollback_audit.states import (
    Category,
    CircuitState,
    ConnectorStanding,
    MetadataKind,
    Outcome,
    Permission,
    RepeatCheck,
)

_NO_DIGEST = ""
TEST_EVENT_TYPE = "cavra.go_backend.rollback_drill.connector_test"


@dataclass(slots=True)
class _Known:
    """This process's reading of the configuration, and whether the rows agree with it."""

    configuration: config.Configuration | None = None


_known = _Known()


def configuration() -> config.Configuration:
    """The connectors as configured now. Read again only when a file has changed."""
    if _known.configuration is None or _known.configuration.is_stale():
        _known.configuration = config.load(
            django_settings.CAVRA_CONNECTOR_CONFIG, environ=os.environ, digest_key=_digest_key()
        )
    return _known.configuration


def settings_of(connector: Connector) -> ConnectorSettings | None:
    """The settings a row stands for; None where this process reads another configuration than the row was made from."""
    found = configuration().settings.get(connector.name)
    return found if found is not None and found.digest == connector.config_digest else None


def sync() -> None:
    """Make the rows say what the configuration says. Writes only what differs, with a ledger line for each change."""
    configured = configuration()
    if not _differences(configured, {row.name: row for row in Connector.objects.all()}):
        return
    try:
        with transaction.atomic():
            rows = {row.name: row for row in Connector.objects.select_for_update().order_by("pk")}
            now = clock.now()
            lines = [_apply(name, wanted, rows.get(name), now=now) for name, wanted in _differences(configured, rows)]
            ledger.append(lines)
    except IntegrityError:
        # No lock covers a row that is not there yet: another process met the new connector first, and wrote it.
        sync()


def test(*, actor: Actor, name: str, timeout_seconds: float = 10.0) -> ConnectorTestRecord:  # noqa: PT028
    """Send a harmless event the way evidence goes. A confirmed one ends the connector's hold.

    Raises UnknownRecord, or StateForbids (connector_unavailable) for one that is disabled or misconfigured.
    """
    actor.require(Permission.EDIT_CONNECTORS)
    sync()
    row = _find(name)
    settings = settings_of(row)
    if settings is None or row.configuration != ConnectorStanding.READY:
        raise StateForbids(
            f"The connector is {row.configuration}; `cavra check` says what to mend.", code="connector_unavailable"
        )
    settlement = _send_test(settings, timeout_seconds=timeout_seconds)
    with transaction.atomic():
        row = Connector.objects.select_for_update().get(pk=row.pk)
        found = ConnectorTestRecord(
            name=row.name,
            provider=row.provider,
            succeeded=settlement.outcome is Outcome.CONFIRMED,
            outcome=settlement.outcome,
            failure_kind=settlement.failure_kind,
            status_code=settlement.status_code,
            duration_ms=settlement.duration_ms,
            tested_at=clock.now(),
        )
        line = ledger.row(
            MetadataKind.CONNECTOR_TESTED,
            session_id=ledger.new_entry_id(),
            signer=actor.name,
            at=found.tested_at,
            provider=row.name,
            delivery_success=found.succeeded,
            record=found,
        )
        ledger.append([line])
        if found.succeeded:
            _end_hold(row, actor=actor, reason="A test event was confirmed.")
    return found


def release(*, actor: Actor, name: str, reason: str) -> ConnectorRecord:
    """End a connector's hold, so that its deliveries may be planned again. Wants a reason."""
    actor.require(Permission.EDIT_CONNECTORS)
    check_text("reason", reason, max_length=500, required=True)
    with transaction.atomic():
        row = Connector.objects.select_for_update().get(pk=_find(name).pk)
        _end_hold(row, actor=actor, reason=reason)
    return record(row)


def hold(row_pk: int, standing: ConnectorStanding, *, at: datetime) -> None:
    """Put a connector on hold after its receiver refused credential or address, inside the caller's transaction."""
    row = Connector.objects.select_for_update().get(pk=row_pk)
    if row.hold not in {None, ConnectorStanding.CIRCUIT_OPEN}:
        return
    write_circuit(row, circuit.CLOSED)
    row.hold, row.held_since, row.updated_at = standing.value, at, at
    row.save(update_fields=["hold", "held_since", "updated_at"])
    ledger.append([change_line(row, at=at, change="held")])


def write_circuit(row: Connector, facts: CircuitFacts) -> None:
    """Store what a circuit has come to, in a row that the caller's transaction has locked."""
    row.circuit, row.circuit_until = facts.state.value, facts.until
    row.circuit_window_from = facts.window_from
    row.circuit_failures, row.circuit_successes = facts.failures, facts.successes
    # An open circuit is a hold, but never in the place of one that somebody has to end.
    if facts.state is CircuitState.OPEN:
        row.hold, row.held_since = row.hold or ConnectorStanding.CIRCUIT_OPEN.value, row.held_since or clock.now()
    elif row.hold == ConnectorStanding.CIRCUIT_OPEN:
        row.hold, row.held_since = None, None
    row.save(
        update_fields=[
            "circuit",
            "circuit_until",
            "circuit_window_from",
            "circuit_failures",
            "circuit_successes",
            "hold",
            "held_since",
        ]
    )


def record(row: Connector) -> ConnectorRecord:
    """What may be shown of a connector."""
    return ConnectorRecord(
        name=row.name,
        provider=row.provider,
        category=Category(row.category),
        standing=row.standing,
        problem=row.problem or None,
        held_since=row.held_since,
        circuit=CircuitState(row.circuit),
        circuit_until=row.circuit_until,
        drops_repeats=row.drops_repeats,
        revision=row.revision,
        updated_at=row.updated_at,
    )


def _find(name: str) -> Connector:
    row = Connector.objects.filter(name=name).first()
    if row is None:
        raise UnknownRecord("No connector with this name.")
    return row


def _end_hold(row: Connector, *, actor: Actor, reason: str) -> None:
    """End the hold of a row that the caller's transaction has locked."""
    if row.hold is None and row.circuit == CircuitState.CLOSED:
        return
    write_circuit(row, circuit.CLOSED)
    row.hold, row.held_since, row.updated_at = None, None, clock.now()
    row.save(update_fields=["hold", "held_since", "updated_at"])
    ledger.append([change_line(row, actor=actor, at=row.updated_at, change="released", reason=reason)])


def _send_test(settings: ConnectorSettings, *, timeout_seconds: float) -> Settlement[str]:
    now = clock.now()
    event_id = new_id("gordtest")
    event = {"event_type": TEST_EVENT_TYPE, "summary": {"event_id": event_id, "sent_at": now.isoformat()}, "routes": []}
    envelope = Envelope(
        event=ledger.canonical_text(event).encode(),
        event_type=TEST_EVENT_TYPE,
        event_id=event_id,
        idempotency_key=event_id,
        occurred_at=now,
    )
    send = Send(
        key=event_id,
        step=registry.opening(settings, envelope, now=now),
        egress=settings.egress,
        timeout_seconds=timeout_seconds,
    )
    with Client[str](max_in_flight=1) as client:
        (settlement,) = client.send_all([send])
    return settlement


def _digest_key() -> bytes:
    return hashlib.sha256(b"cavra/connector-digest/v1\n" + django_settings.SECRET_KEY.encode()).digest()


def _wanted(configured: config.Configuration) -> dict[str, dict[str, Any]]:
    """Column values by connector name, for every connector the file names."""
    wanted: dict[str, dict[str, Any]] = {}
    for name, found in configured.settings.items():
        connector, asking = registry.CONNECTORS[found.provider], registry.ASKING.get(found.provider)
        wanted[name] = {
            "provider": found.provider,
            "category": connector.CATEGORY.value,
            "drops_repeats": connector.DROPS_REPEATS,
            "repeat_check": (asking.ASKS_BY if asking else RepeatCheck.NEVER).value,
            "config_digest": found.digest,
            "configuration": (ConnectorStanding.READY if found.enabled else ConnectorStanding.DISABLED).value,
            "problem": "",
        }
    for problem in configured.problems:
        # What is no name gets no row: `cavra check` tells of it, and nothing can be delivered to it.
        if problem.connector is not None and config.is_name(problem.connector):
            wanted[problem.connector] = {
                "config_digest": _NO_DIGEST,
                "configuration": ConnectorStanding.MISCONFIGURED.value,
                "problem": f"{problem.key} {problem.problem}"[:200],
            }
    return wanted


def _differences(configured: config.Configuration, rows: dict[str, Connector]) -> list[tuple[str, dict[str, Any]]]:
    wanted = _wanted(configured)
    broken_file = next((problem for problem in configured.problems if problem.connector is None), None)
    for name in rows.keys() - wanted.keys():
        wanted[name] = {
            "config_digest": _NO_DIGEST,
            "configuration": (ConnectorStanding.MISCONFIGURED if broken_file else ConnectorStanding.UNKNOWN).value,
            "problem": f"{broken_file.key} {broken_file.problem}"[:200] if broken_file else "",
        }
    return [
        (name, values)
        for name, values in sorted(wanted.items())
        if name not in rows or any(getattr(rows[name], column) != value for column, value in values.items())
    ]


def _apply(name: str, values: dict[str, Any], row: Connector | None, *, now: datetime) -> HistoryRow:
    """Bring one row up to date. A new configuration gets a new revision and ends a hold: the operator has acted."""
    is_new = row is None
    if row is None:
        row = Connector(name=name, provider="", category=Category.WEBHOOK.value, drops_repeats=False, config_digest="-")
    if row.config_digest != values["config_digest"]:
        row.revision = secrets.token_hex(16)
        row.hold, row.held_since = None, None
        row.circuit, row.circuit_until, row.circuit_window_from = CircuitState.CLOSED.value, None, None
        row.circuit_failures = row.circuit_successes = 0
    for column, value in values.items():
        setattr(row, column, value)
    row.updated_at = now
    row.save()
    return change_line(row, at=now, change="added" if is_new else "changed")


def change_line(row: Connector, *, at: datetime, change: str, actor: Actor = SYSTEM, reason: str = "") -> HistoryRow:
    """The ledger line of a change to a connector."""
    return ledger.row(
        MetadataKind.CONNECTOR_CHANGED,
        session_id=ledger.new_entry_id(),
        signer=actor.name,
        at=at,
        provider=row.name,
        record={"change": change, "reason": reason, "connector": ledger.jsonable(record(row))},
    )
