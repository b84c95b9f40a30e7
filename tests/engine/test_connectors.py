"""Connectors as rows: what the file says, when a revision is drawn anew, and what ends a hold."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rollback_audit.engine import clock, connectors, deliveries
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.errors import InvalidInput, NotAllowed, StateForbids, UnknownRecord
from rollback_audit.models import Connector, Delivery, EvidenceEntry
from rollback_audit.states import ConnectorStanding, FailureKind, MetadataKind, Outcome
from tests.engine.conftest import People
from tests.engine.loop import Loop, entries
from tests.engine.threads import at_once
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db
Write = Callable[..., None]
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def loop(people: People) -> Loop:
    return Loop(people)


@pytest.fixture
def write(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the connector file as given and makes the rows agree; None writes what is no JSON."""
    path = tmp_path / "connectors.json"
    monkeypatch.setenv("TEST_WEBHOOK_SECRET", SECRET)
    settings.CAVRA_CONNECTOR_CONFIG = path
    monkeypatch.setattr(connectors, "_known", connectors._Known())

    def write_entries(entries: dict[str, Any] | None) -> None:
        path.write_text("{" if entries is None else json.dumps({"connectors": entries}))
        connectors.sync()

    return write_entries


def webhook(port: int = 9, **changes: object) -> dict[str, object]:
    return {
        "provider": "webhook",
        "url": f"http://127.0.0.1:{port}/hook",
        "secret_env": "TEST_WEBHOOK_SECRET",
        "allow_networks": ["127.0.0.0/8"],
        "allow_ports": [port],
        "allow_plain_http": True,
        **changes,
    }


def hold(name: str) -> None:
    Connector.objects.filter(name=name).update(hold=ConnectorStanding.CREDENTIAL_REFUSED, held_since=clock.now())


def row(name: str = "siem") -> Connector:
    return Connector.objects.get(name=name)


def test_a_connector_becomes_a_row_without_its_address_or_secret(write: Write) -> None:
    write({"siem": webhook(4711)})
    assert (row().provider, row().standing, row().drops_repeats) == ("webhook", ConnectorStanding.READY, True)
    stored = str(list(Connector.objects.values())) + EvidenceEntry.objects.get().body
    assert [word for word in ("127.0.0.1", "/hook", SECRET, "TEST_WEBHOOK_SECRET") if word in stored] == []


def test_a_configuration_that_has_not_changed_writes_nothing(write: Write) -> None:
    write({"siem": webhook(), "other": webhook(10)})
    before, lines = list(Connector.objects.values_list()), entries(MetadataKind.CONNECTOR_CHANGED)
    write({"other": webhook(10), "siem": webhook()})
    assert list(Connector.objects.values_list()) == before
    assert entries(MetadataKind.CONNECTOR_CHANGED) == lines == 2


@pytest.mark.parametrize(
    "changes", [{"url": "http://127.0.0.1:9/other"}, {"headers": {"X-Tenant": "a"}}, {"allow_ports": [9, 10]}]
)
def test_whatever_changes_what_is_sent_draws_a_new_revision_and_ends_a_hold(
    write: Write, changes: dict[str, Any]
) -> None:
    write({"siem": webhook(), "other": webhook()})
    before, other = row(), row("other")
    hold("siem")
    write({"siem": webhook(**changes), "other": webhook()})
    assert row().revision != before.revision
    assert row().standing is ConnectorStanding.READY
    assert row("other").revision == other.revision


def test_a_rotated_secret_draws_a_new_revision(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write({"siem": webhook()})
    before = row().revision
    monkeypatch.setenv("TEST_WEBHOOK_SECRET", "whsec_" + "A" * 32)
    connectors._known.configuration = None
    connectors.sync()
    assert row().revision != before


def test_a_connector_switched_off_or_removed_says_so(write: Write) -> None:
    write({"siem": webhook(), "other": webhook()})
    write({"siem": webhook(enabled=False)})
    assert row().standing is ConnectorStanding.DISABLED
    assert row("other").standing is ConnectorStanding.UNKNOWN
    write({"siem": webhook(), "other": webhook()})
    assert {item.standing for item in Connector.objects.all()} == {ConnectorStanding.READY}


def test_one_broken_connector_is_named_with_its_key_and_the_others_work(write: Write) -> None:
    write({"siem": webhook(secret_env="TEST_NOT_SET"), "other": webhook()})
    assert row().standing is ConnectorStanding.MISCONFIGURED
    assert row().problem.startswith("secret")
    assert row("other").standing is ConnectorStanding.READY


def test_a_broken_file_puts_every_connector_on_hold_until_it_is_mended(write: Write) -> None:
    write({"siem": webhook(), "other": webhook()})
    write(None)
    assert {item.standing for item in Connector.objects.all()} == {ConnectorStanding.MISCONFIGURED}
    assert {item.problem.split()[0] for item in Connector.objects.all()} == {"file"}
    write({"siem": webhook(), "other": webhook()})
    assert {item.standing for item in Connector.objects.all()} == {ConnectorStanding.READY}


@pytest.mark.parametrize("name", ['My "SIEM"', "SIEM", "x" * 64, "x" * 200, "", "\u0000", "-siem", "näme"])
def test_what_cannot_be_a_name_never_becomes_one(
    loop: Loop, write: Write, receiver: RecordingReceiver, name: str
) -> None:
    write({name: webhook(), "siem": webhook(receiver.port)})
    assert [item.name for item in Connector.objects.all()] == ["siem"]
    assert deliveries.deliver_audit(actor=loop.manager, filters=AuditFilters()).success
    assert loop.plan().decision_count == 0


def test_a_misconfigured_connector_is_delivered_to_as_a_failure_and_nothing_leaves(
    loop: Loop, write: Write, receiver: RecordingReceiver
) -> None:
    write({"siem": webhook(receiver.port, secret_env="TEST_NOT_SET")})
    answer = deliveries.deliver_audit(actor=loop.manager, filters=AuditFilters())
    assert [item.failure_kind for item in answer.delivery.attempts] == [FailureKind.CONNECTOR_UNAVAILABLE]
    assert not receiver.arrivals
    assert loop.plan().retry_decisions[0].reason_code == "connector_on_hold"


def test_a_row_that_another_configuration_made_is_not_sent_to(write: Write) -> None:
    write({"siem": webhook()})
    assert connectors.settings_of(row()) is not None
    Connector.objects.update(config_digest="0" * 64)
    assert connectors.settings_of(row()) is None


@pytest.mark.django_db(transaction=True)
def test_processes_that_meet_a_new_connector_at_once_write_it_once(write: Write, settings: Any) -> None:
    write({})
    assert not connectors.configuration().settings
    entered = json.dumps({"connectors": {f"siem-{number}": webhook() for number in range(5)}})
    Path(settings.CAVRA_CONNECTOR_CONFIG).write_text(entered)
    at_once(connectors.sync, times=8)
    connectors.sync()
    assert Connector.objects.count() == entries(MetadataKind.CONNECTOR_CHANGED) == 5


# --- Holds ----------------------------------------------------------------------------------------------------------


def test_releasing_ends_a_hold_with_a_name_and_a_reason(loop: Loop, write: Write) -> None:
    write({"siem": webhook()})
    hold("siem")
    record = connectors.release(actor=loop.owner, name="siem", reason="The token was renewed at the receiver.")
    assert (record.standing, record.held_since) == (ConnectorStanding.READY, None)
    line = json.loads(EvidenceEntry.objects.latest("pk").body)
    assert (line["signer"], line["record"]["change"]) == ("owner", "released")
    assert line["record"]["reason"] == "The token was renewed at the receiver."
    lines = EvidenceEntry.objects.count()
    connectors.release(actor=loop.owner, name="siem", reason="Again.")
    assert EvidenceEntry.objects.count() == lines


def test_releasing_wants_the_permission_a_reason_and_a_connector(loop: Loop, write: Write) -> None:
    write({"siem": webhook()})
    hold("siem")
    with pytest.raises(NotAllowed):
        connectors.release(actor=loop.manager, name="siem", reason="Mine.")
    with pytest.raises(InvalidInput):
        connectors.release(actor=loop.owner, name="siem", reason=" ")
    with pytest.raises(UnknownRecord):
        connectors.release(actor=loop.owner, name="nobody", reason="Mine.")
    assert row().standing is ConnectorStanding.CREDENTIAL_REFUSED


def test_a_confirmed_test_event_ends_a_hold_and_is_no_delivery(
    loop: Loop, write: Write, receiver: RecordingReceiver
) -> None:
    write({"siem": webhook(receiver.port)})
    hold("siem")
    found = connectors.test(actor=loop.owner, name="siem")
    assert (found.succeeded, found.outcome, found.status_code) == (True, Outcome.CONFIRMED, 200)
    assert row().standing is ConnectorStanding.READY
    (arrival,) = receiver.arrivals
    assert json.loads(arrival.body)["event_type"] == connectors.TEST_EVENT_TYPE
    assert not Delivery.objects.exists()


def test_a_test_event_that_fails_leaves_the_hold(loop: Loop, write: Write, receiver: RecordingReceiver) -> None:
    write({"siem": webhook(receiver.port)})
    hold("siem")
    receiver.reply = Reply(401, body=b"hunter2")
    found = connectors.test(actor=loop.owner, name="siem")
    assert (found.succeeded, found.failure_kind) == (False, FailureKind.CREDENTIAL_REFUSED)
    assert row().standing is ConnectorStanding.CREDENTIAL_REFUSED
    assert "hunter2" not in EvidenceEntry.objects.latest("pk").body


def test_what_cannot_be_sent_to_cannot_be_tested(loop: Loop, write: Write) -> None:
    write({"off": webhook(enabled=False), "broken": webhook(secret_env="TEST_NOT_SET")})
    for name in ("off", "broken"):
        with pytest.raises(StateForbids) as refused:
            connectors.test(actor=loop.owner, name=name)
        assert refused.value.code == "connector_unavailable"
    with pytest.raises(UnknownRecord):
        connectors.test(actor=loop.owner, name="nobody")
    with pytest.raises(NotAllowed):
        connectors.test(actor=loop.manager, name="off")
