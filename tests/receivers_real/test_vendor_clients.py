"""The vendor's own client, given the same content, sends the same request."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from rollback_audit.delivery import registry
from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import ConnectorSettings, Send
from tests.delivery.conformance.case import ENVELOPE, NOW, RECEIVER
from tests.receivers import Arrival, RecordingReceiver, Reply
from tests.receivers_real.conftest import Connector
from tests.receivers_real.installed import answer_of

pytestmark = [pytest.mark.receivers, pytest.mark.timeout(600)]  # of which most is pip

SCRIPT = Path(__file__).parent / "vendor_clients.py"
CREATED = Reply(
    body=b'{"errors":false,"items":[{"create":{"status":201}}]}',
    headers=(("Content-Type", "application/json"), ("X-Elastic-Product", "Elasticsearch")),
)
ABSENT = replace(CREATED, body=b'{"timed_out":false,"hits":{"total":{"value":0}}}')


@pytest.fixture
def receiver() -> Iterator[RecordingReceiver]:
    with RecordingReceiver() as receiver:
        yield receiver


def ours(receiver: RecordingReceiver, given: ConnectorSettings, *, in_doubt: bool = False) -> list[Arrival]:
    """What our connector sends."""
    step = registry.opening(given, ENVELOPE, now=NOW, in_doubt=in_doubt)
    with Client[Any]() as client:
        client.send_all([Send(key="k", step=step, egress=given.egress, timeout_seconds=5)])
    return receiver.arrivals


def theirs(python: Path, receiver: RecordingReceiver, client: str, given: dict[str, Any]) -> list[Arrival]:
    """What the vendor's client sends."""
    before = len(receiver.arrivals)
    answer_of(python, SCRIPT, client, f"http://127.0.0.1:{receiver.port}", given=json.dumps(given))
    return receiver.arrivals[before:]


def told(arrival: Arrival) -> dict[str, Any]:
    """What matters of a request: where it goes, as whom, and what it says."""
    body = gzip.decompress(arrival.body) if arrival.headers.get("content-encoding") == "gzip" else arrival.body
    address = urlsplit(arrival.path)
    return {
        "path": address.path,
        "query": parse_qs(address.query),
        "credential": arrival.headers.get("authorization") or arrival.headers.get("dd-api-key"),
        "content": [json.loads(line) for line in body.splitlines()],
    }


def test_elasticsearch(python: Path, receiver: RecordingReceiver, connector: Connector) -> None:
    receiver.reply = lambda arrival: ABSENT if "_search" in arrival.path else CREATED
    question, event = map(told, ours(receiver, connector("elastic", port=receiver.port), in_doubt=True))
    content = {"index": "logs-cavra-audit", "operations": event["content"]}
    same = theirs(python, receiver, "elastic", content)
    assert [told(arrival) for arrival in same] == [event, question]


def test_opensearch(python: Path, receiver: RecordingReceiver, connector: Connector) -> None:
    receiver.reply = CREATED
    basic = {"api_key_env": None, "user_env": "USER_NAME", "password_env": "PASSWORD"}
    (event,) = map(told, ours(receiver, connector("elastic", port=receiver.port, **basic)))
    content = {"index": "logs-cavra-audit", "operations": event["content"]}
    (same,) = theirs(python, receiver, "opensearch", content)
    assert told(same) == event


def test_datadog(python: Path, receiver: RecordingReceiver, connector: Connector) -> None:
    receiver.reply = Reply(status=202, body=b"{}", headers=(("Content-Type", "application/json"),))
    given = connector("datadog", port=receiver.port, url=f"{RECEIVER}/api/v2/logs", tags="env:prod", hostname="drill-1")
    (event,) = map(told, ours(receiver, given))
    (same,) = theirs(python, receiver, "datadog", {"logs": event["content"][0]})
    assert told(same) == event


def test_sentinel(python: Path, receiver: RecordingReceiver, connector: Connector) -> None:
    token = Reply(body=b'{"token_type":"Bearer","expires_in":3599,"access_token":"hush-access"}')
    receiver.reply = lambda arrival: token if "oauth2" in arrival.path else Reply(status=204)
    event = told(ours(receiver, connector("sentinel", port=receiver.port))[-1])
    rule, stream = event["path"].split("/")[2::2]
    content = {"rule": rule, "stream": stream, "logs": event["content"][0]}
    (same,) = theirs(python, receiver, "sentinel", content)
    assert told(same) == event


def in_json(status: int, body: str) -> Reply:
    return Reply(status=status, body=body.encode(), headers=(("Content-Type", "application/json"),))


def test_slack(python: Path, receiver: RecordingReceiver, connector: Connector) -> None:
    receiver.reply = Reply(body=b"ok")
    (event,) = map(told, ours(receiver, connector("slack", port=receiver.port)))
    (same,) = theirs(python, receiver, "slack", {"path": event["path"], "message": event["content"][0]})
    assert told(same) == event


def test_pagerduty(python: Path, receiver: RecordingReceiver, connector: Connector) -> None:
    taken = in_json(202, '{"status":"success","dedup_key":"k"}')
    receiver.reply = lambda arrival: in_json(200, '{"incidents":[]}') if arrival.method == "GET" else taken
    asking = {"url": RECEIVER, "api_url": f"{RECEIVER}/rest", "api_key_env": "REST"}
    question, event = map(told, ours(receiver, connector("pagerduty", port=receiver.port, **asking), in_doubt=True))
    parameters = {name: value for name, (value,) in question["query"].items()}
    same = theirs(python, receiver, "pagerduty", {"question": parameters, "event": event["content"][0]})
    assert [told(arrival) for arrival in same] == [question, event]


def test_jira(python: Path, receiver: RecordingReceiver, connector: Connector) -> None:
    created = in_json(201, '{"id":"10000","key":"SEC-24","self":"https://receiver.example.com"}')
    others = {"/rest/api/3/search/jql": in_json(200, '{"issues":[]}'), "/rest/api/3/field": in_json(200, "[]")}
    receiver.reply = lambda arrival: others.get(arrival.path, created)
    question, event = map(told, ours(receiver, connector("jira", port=receiver.port), in_doubt=True))
    content = {"question": question["content"][0], "event": event["content"][0]}
    _, same_question, same = map(told, theirs(python, receiver, "jira", content))
    # It looks up the fields first, and writes down what it leaves open.
    (asked,) = same_question["content"]
    same_question["content"] = [{name: value for name, value in asked.items() if value}]
    assert [same_question, same] == [question, event]


def test_servicenow(python: Path, receiver: RecordingReceiver, connector: Connector) -> None:
    stored = in_json(201, '{"result":{"sys_id":"9d385017c611228701d22104cc95c371"}}')
    none = replace(
        in_json(200, '{"result":[]}'), headers=(("Content-Type", "application/json"), ("X-Total-Count", "0"))
    )
    receiver.reply = lambda arrival: none if arrival.method == "GET" else stored
    question, event = map(told, ours(receiver, connector("servicenow", port=receiver.port), in_doubt=True))
    same_question, same = map(told, theirs(python, receiver, "servicenow", {"event": event["content"][0]}))
    # It asks for an order and for both forms of a value; the rest is the same.
    (condition,) = question["query"].pop("sysparm_query")
    assert same_question["query"].pop("sysparm_query") == [f"{condition}^ORDERBYsys_id"]
    assert question["query"].items() <= same_question["query"].items()
    for one, other in ((question, same_question), (event, same)):
        assert {**other, "query": None} == {**one, "query": None}
