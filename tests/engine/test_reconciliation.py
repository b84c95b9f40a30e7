"""Ask before resend: a receiver that may hold an event is asked, and told again only where it says that it does not."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import LazySettings

from rollback_audit.delivery import course
from rollback_audit.engine import connectors, deliveries
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.engine.runs import RunAnswer
from rollback_audit.models import Delivery, DeliveryAttempt, EvidenceEntry
from rollback_audit.states import DeliveryState, FailureKind, MetadataKind, Outcome, ReasonCode, ResultState
from tests.engine.conftest import People
from tests.engine.loop import Loop, entries
from tests.receivers import Arrival, RecordingReceiver, Reply

pytestmark = pytest.mark.django_db
SECRET = "TEST_VENDOR_SECRET"


class Vendor:
    """What one vendor keeps and says. It loses what it reads unless it `stores`, and drops the line unless it `speaks`.

    `events` are the idempotency keys of what it holds, one for each event.
    """

    provider: str
    keys: dict[str, object]

    def __init__(self) -> None:
        self.events: list[str] = []
        self.stores = self.speaks = self.can_be_asked = True

    def __call__(self, arrival: Arrival) -> Reply:
        asked = self.asked(arrival)
        if asked is not None:
            return self.word(asked) if self.can_be_asked else Reply(503)
        key = self.key(arrival)
        if self.stores:
            self.take(key)
        return self.taken(key) if self.answers else Reply(drop=True)

    @property
    def answers(self) -> bool:
        """Whether whoever brings an event gets an answer."""
        return self.speaks

    def take(self, key: str) -> None:
        self.events.append(key)

    def asked(self, arrival: Arrival) -> str | None:
        """The key that a request asks about; None for one that brings an event."""
        raise NotImplementedError

    def word(self, key: str) -> Reply:
        raise NotImplementedError

    def key(self, arrival: Arrival) -> str:
        raise NotImplementedError

    def taken(self, key: str) -> Reply:
        raise NotImplementedError


class Elastic(Vendor):
    provider = "elastic"
    keys = {"index": "logs-cavra", "api_key_env": SECRET}

    def take(self, key: str) -> None:
        if key not in self.events:
            self.events.append(key)

    def asked(self, arrival: Arrival) -> str | None:
        searches = "/_search" in arrival.path
        return str(json.loads(arrival.body)["query"]["ids"]["values"][0]) if searches else None

    def word(self, key: str) -> Reply:
        return answer({"timed_out": False, "hits": {"total": {"value": self.events.count(key)}}})

    def key(self, arrival: Arrival) -> str:
        return str(json.loads(arrival.body.partition(b"\n")[0])["create"]["_id"])

    def taken(self, key: str) -> Reply:
        return answer({"errors": False, "items": [{"create": {"status": 201}}]})


class Jira(Vendor):
    provider = "jira"
    keys = {"project": "SEC", "token_env": SECRET}

    def asked(self, arrival: Arrival) -> str | None:
        searches = arrival.path == "/rest/api/3/search/jql"
        return str(json.loads(arrival.body)["jql"]).split('"')[1] if searches else None

    def word(self, key: str) -> Reply:
        return answer({"issues": [{"fields": {"labels": ["cavra", key]}}] if key in self.events else []})

    def key(self, arrival: Arrival) -> str:
        return str(json.loads(arrival.body)["fields"]["labels"][1])

    def taken(self, key: str) -> Reply:
        return answer({"id": "10000", "key": "SEC-1"}, status=201)


class ServiceNow(Vendor):
    provider = "servicenow"
    keys = {"token_env": SECRET}

    def asked(self, arrival: Arrival) -> str | None:
        query = parse_qs(urlsplit(arrival.path).query)
        return query["sysparm_query"][0].partition("=")[2] if arrival.method == "GET" else None

    def word(self, key: str) -> Reply:
        return answer({"result": [{"sys_id": "1", "correlation_id": key}] if key in self.events else []})

    def key(self, arrival: Arrival) -> str:
        return str(json.loads(arrival.body)["correlation_id"])

    def taken(self, key: str) -> Reply:
        return answer({"result": {"sys_id": "1"}}, status=201)


class Splunk(Vendor):
    """It accepts at once and gives a number; what it does not `speak` of is whether the indexer has the event."""

    provider = "splunk"
    keys = {"use_ack": True, "token_env": SECRET}

    def __init__(self) -> None:
        super().__init__()
        self.keys_by_number: list[str] = []
        self.accepts = True

    @property
    def answers(self) -> bool:
        return self.accepts

    def asked(self, arrival: Arrival) -> str | None:
        if arrival.path != "/services/collector/ack":
            return None
        return self.keys_by_number[int(json.loads(arrival.body)["acks"][0])]

    def word(self, key: str) -> Reply:
        number = self.keys_by_number.index(key)
        return answer({"acks": {str(number): self.speaks and key in self.events}})

    def key(self, arrival: Arrival) -> str:
        return str(json.loads(arrival.body)["fields"]["idempotency_key"])

    def taken(self, key: str) -> Reply:
        self.keys_by_number.append(key)
        return answer({"text": "Success", "code": 0, "ackId": len(self.keys_by_number) - 1})


VENDORS: list[type[Vendor]] = [Elastic, Jira, ServiceNow, Splunk]
every_vendor = pytest.mark.parametrize("vendor", VENDORS, indirect=True, ids=lambda vendor: vendor.provider)


def answer(content: object, *, status: int = 200) -> Reply:
    return Reply(status, json.dumps(content).encode())


@pytest.fixture
def loop(people: People) -> Loop:
    return Loop(people)


@pytest.fixture
def vendor(
    request: pytest.FixtureRequest,
    receiver: RecordingReceiver,
    tmp_path: Path,
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
) -> Vendor:
    """A vendor at its address, and the one connector that leads to it."""
    made: Vendor = request.param()
    receiver.reply = made
    connector = {
        "provider": made.provider,
        "url": f"http://127.0.0.1:{receiver.port}",
        "allow_networks": ["127.0.0.0/8"],
        "allow_ports": [receiver.port],
        "allow_plain_http": True,
        **made.keys,
    }
    path = tmp_path / "connectors.json"
    path.write_text(json.dumps({"connectors": {"vendor": connector}}))
    monkeypatch.setenv(SECRET, "hush")
    monkeypatch.setattr(course, "FIRST_WAIT_SECONDS", 0.02)
    monkeypatch.setattr(connectors, "_known", connectors._Known())
    settings.CAVRA_CONNECTOR_CONFIG = path
    connectors.sync()
    return made


class Story:
    """A delivery whose first attempt ended without a word, and what a live run made of it."""

    def __init__(self, loop: Loop, vendor: Vendor, receiver: RecordingReceiver) -> None:
        self.loop, self.vendor, self.receiver = loop, vendor, receiver

    def lose_the_word(self, *, stored: bool) -> Delivery:
        """Deliver to a vendor that reads the event, stores it or loses it, and never says so. Then it speaks again."""
        self.vendor.stores, self.vendor.speaks = stored, False
        deliveries.deliver_audit(actor=self.loop.manager, filters=AuditFilters(), timeout_seconds=0.5)
        self.vendor.stores = self.vendor.speaks = True
        row = Delivery.objects.get()
        assert (row.state, row.in_doubt) == (DeliveryState.FAILED, True)
        return row

    def decided(self) -> str:
        (decision,) = self.loop.plan().retry_decisions
        return decision.reason_code

    def retry(self) -> tuple[RunAnswer, list[bool]]:
        """An approved live run, and of each request that it made whether it was a question."""
        before = len(self.receiver.arrivals)
        finished = self.loop.drained(self.loop.approved_run())
        return finished, [self.vendor.asked(arrival) is not None for arrival in self.receiver.arrivals[before:]]


@pytest.fixture
def story(loop: Loop, vendor: Vendor, receiver: RecordingReceiver) -> Story:
    return Story(loop, vendor, receiver)


def last_attempt() -> DeliveryAttempt:
    attempt = DeliveryAttempt.objects.order_by("-number").first()
    assert attempt is not None
    return attempt


def told_of(attempt: DeliveryAttempt) -> dict[str, Any]:
    """The record in the attempt's ledger line."""
    lines = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.CONNECTOR_DELIVERY)
    records = [json.loads(line.body)["record"] for line in lines]
    (found,) = [record for record in records if record["attempt_number"] == attempt.number]
    return dict(found)


@every_vendor
def test_an_event_that_the_receiver_holds_is_delivered_without_a_second_send(story: Story, vendor: Vendor) -> None:
    row = story.lose_the_word(stored=True)
    assert story.decided() == ReasonCode.DUE
    finished, questions = story.retry()
    assert questions == [True]
    assert vendor.events == [row.event_id]
    assert finished.run.summary.delivered_count == 1
    row.refresh_from_db()
    assert (row.state, row.in_doubt) == (DeliveryState.DELIVERED, False)
    attempt = last_attempt()
    assert (attempt.number, attempt.outcome, attempt.already_held) == (2, Outcome.CONFIRMED, True)
    assert told_of(attempt)["already_held"] is True
    assert not DeliveryAttempt.objects.get(number=1).already_held


@every_vendor
def test_an_event_that_the_receiver_does_not_hold_is_sent_once_more(story: Story, vendor: Vendor) -> None:
    row = story.lose_the_word(stored=False)
    assert story.decided() == ReasonCode.DUE
    finished, questions = story.retry()
    assert questions[:2] == [True, False]
    assert questions.count(False) == 1
    assert vendor.events == [row.event_id]
    assert finished.run.summary.delivered_count == 1
    attempt = last_attempt()
    assert (attempt.outcome, attempt.already_held) == (Outcome.CONFIRMED, False)
    assert told_of(attempt)["already_held"] is False
    assert entries(MetadataKind.POSSIBLE_DUPLICATE) == 1


@every_vendor
def test_where_the_question_fails_nothing_is_sent_and_the_doubt_stays(story: Story, vendor: Vendor) -> None:
    row = story.lose_the_word(stored=True)
    vendor.can_be_asked = False
    finished, questions = story.retry()
    assert questions == [True]
    assert finished.retry_results[0].execution_record is not None
    assert finished.retry_results[0].execution_record.execution_status == ResultState.FAILED
    row.refresh_from_db()
    assert (row.state, row.failure_count, row.in_doubt) == (DeliveryState.FAILED, 2, True)
    attempt = last_attempt()
    assert (attempt.outcome, attempt.failure_kind) == (Outcome.NOT_SENT, FailureKind.UNAVAILABLE)
    vendor.can_be_asked = True
    assert story.decided() == ReasonCode.DUE
    assert story.retry()[1] == [True]
    assert last_attempt().already_held
    assert vendor.events == [row.event_id]


@pytest.mark.parametrize("vendor", [Splunk], indirect=True)
def test_a_receipt_is_kept_with_the_delivery_and_the_next_one_replaces_it(story: Story, vendor: Splunk) -> None:
    assert story.lose_the_word(stored=False).receipt == 0
    vendor.can_be_asked = False
    story.retry()
    assert Delivery.objects.get().receipt == 0
    vendor.can_be_asked = True
    story.retry()
    assert Delivery.objects.get().receipt == 1


@pytest.mark.parametrize("vendor", [Splunk], indirect=True)
def test_without_a_receipt_there_is_nothing_to_ask_by_and_nothing_is_sent(
    story: Story, vendor: Splunk, receiver: RecordingReceiver
) -> None:
    vendor.accepts = False
    assert story.lose_the_word(stored=True).receipt is None
    assert story.decided() == ReasonCode.OUTCOME_UNKNOWN
    assert len(receiver.arrivals) == 1
