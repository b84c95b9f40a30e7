"""Testing a connector: one harmless event, sent once. It is no delivery: nothing is stored and nothing is retried."""

import json
import logging
import secrets

from rollback_audit.delivery import registry
from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import ConnectorSettings, Envelope, Send
from rollback_audit.engine import clock, connectors
from rollback_audit.engine.actors import Actor
from rollback_audit.errors import StateForbids, UnknownRecord
from rollback_audit.models import Connector
from rollback_audit.records.connectors import ConnectorTestRecord
from rollback_audit.states import PRODUCT, Outcome, Permission

EVENT_TYPE = "cavra.connector_test"

logger = logging.getLogger(__name__)


def run(*, actor: Actor, name: str, timeout_seconds: float = 10.0) -> ConnectorTestRecord:
    """Send a test event and tell what became of it. Raises UnknownRecord, or StateForbids if misconfigured."""
    actor.require(Permission.EDIT_CONNECTORS)
    connectors.sync()
    row = Connector.objects.filter(name=name).first()
    if row is None:
        raise UnknownRecord("No connector with this name.")
    settings = connectors.settings_of(row)
    if settings is None:
        raise StateForbids("This connector cannot be used as it is configured; cavra check says why.")
    record = _send(settings, timeout_seconds=timeout_seconds)
    logger.info("connector_tested", extra={"connector_name": name, "state": record.outcome.value})
    return record


def _send(settings: ConnectorSettings, *, timeout_seconds: float) -> ConnectorTestRecord:
    now = clock.now()
    event_id = f"cavratest-{secrets.token_hex(8)}"
    event = {"event_type": EVENT_TYPE, "product": PRODUCT, "event_id": event_id, "sent_at": now.isoformat()}
    envelope = Envelope(
        event=json.dumps(event, sort_keys=True, separators=(",", ":")).encode(),
        event_type=EVENT_TYPE,
        event_id=event_id,
        idempotency_key=event_id,
        occurred_at=now,
    )
    send = Send(
        key=event_id,
        request=registry.build(settings, envelope, now=now),
        egress=settings.egress,
        judge=registry.CONNECTORS[settings.provider].judge,
        timeout_seconds=timeout_seconds,
    )
    with Client[str](max_in_flight=1) as client:
        [settled] = client.send_all([send])
    return ConnectorTestRecord(
        name=settings.name,
        provider=settings.provider,
        succeeded=settled.outcome == Outcome.CONFIRMED,
        outcome=settled.outcome,
        failure_kind=settled.failure_kind,
        status_code=settled.status_code,
        duration_ms=settled.duration_ms,
        tested_at=now,
    )
