"""What goes to each vendor, and how its answers are read."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

from rollback_audit.delivery import registry, splunk, webhook
from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import ConnectorSettings, Egress, Envelope, PayloadTooLarge, Send, WireRequest
from rollback_audit.states import Category, FailureKind, Outcome
from tests.receivers import RecordingReceiver, Reply

NOW = datetime.now(tz=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PREVIOUS = "whsec_" + "QUJD" * 10
NODE_PACKAGE = "standardwebhooks@1.0.0"

ENVELOPE = Envelope(
    event='{"note":"caf\u00e9 \u2603","sum":1}'.encode(),
    event_type="cavra.go_backend.rollback_drill.acknowledgement_audit_delivery",
    event_id="gordackevent-1",
    idempotency_key="gordackdelivery-0123456789abcdef",
    occurred_at=datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC),
)


def settings(provider: str, **changes: Any) -> ConnectorSettings:
    given: dict[str, Any] = {
        "name": "it",
        "provider": provider,
        "enabled": True,
        "url": "https://receiver.example.com:8088",
        "secrets": {"token": "hec-token"} if provider == "splunk" else {"secret": SECRET},
        "options": {},
        "headers": (),
        "egress": Egress(),
        "digest": "",
        **changes,
    }
    return ConnectorSettings(**given)


def test_every_provider_has_a_category_and_says_whether_repeats_are_dropped() -> None:
    facts = {
        name: (registry.category(name), connector.DROPS_REPEATS) for name, connector in registry.CONNECTORS.items()
    }
    assert facts == {"splunk": (Category.SIEM, False), "webhook": (Category.WEBHOOK, True)}
    assert all(name == connector.PROVIDER for name, connector in registry.CONNECTORS.items())
    assert not registry.NOT_SUPPORTED_YET & set(registry.CONNECTORS)


def test_an_event_over_the_vendors_limit_is_refused_before_it_is_sent() -> None:
    event = b'"' + b"x" * webhook.MAX_BODY_BYTES + b'"'
    too_large = Envelope(event=event, event_type="t", event_id="e", idempotency_key="k", occurred_at=NOW)
    for provider in registry.CONNECTORS:
        with pytest.raises(PayloadTooLarge):
            registry.build(settings(provider), too_large, now=NOW)


def signed_parts(request: WireRequest) -> dict[str, str]:
    return {name: value for name, value in request.headers if name.startswith("webhook-")}


def test_a_webhook_carries_the_event_as_it_is_and_the_standard_library_accepts_its_signature() -> None:
    request = registry.build(settings("webhook"), ENVELOPE, now=NOW)
    assert (request.method, request.url, request.body) == ("POST", "https://receiver.example.com:8088", ENVELOPE.event)
    assert dict(request.headers)["webhook-id"] == ENVELOPE.idempotency_key
    verified = standardwebhooks.Webhook(SECRET).verify(request.body, signed_parts(request))
    assert verified == json.loads(ENVELOPE.event)


def test_a_changed_body_id_or_time_is_noticed() -> None:
    request = registry.build(settings("webhook"), ENVELOPE, now=NOW)
    verifier = standardwebhooks.Webhook(SECRET)
    for body, change in [
        (request.body + b" ", {}),
        (request.body, {"webhook-id": "another"}),
        (request.body, {"webhook-timestamp": str(int(NOW.timestamp()) + 1)}),
    ]:
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            verifier.verify(body, signed_parts(request) | change)


def test_while_a_secret_is_rotated_either_one_verifies() -> None:
    rotating = settings("webhook", secrets={"secret": SECRET, "previous_secret": PREVIOUS})
    request = registry.build(rotating, ENVELOPE, now=NOW)
    assert signed_parts(request)["webhook-signature"].count("v1,") == 2
    for secret in (SECRET, PREVIOUS):
        standardwebhooks.Webhook(secret).verify(request.body, signed_parts(request))


def test_each_try_has_the_same_id_and_its_own_time() -> None:
    first, second = (
        dict(registry.build(settings("webhook"), ENVELOPE, now=moment).headers)
        for moment in (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    )
    assert first["webhook-id"] == second["webhook-id"]
    assert (first["webhook-timestamp"], second["webhook-timestamp"]) == ("1767225600", "1767312000")
    assert first["webhook-signature"] != second["webhook-signature"]


def test_a_webhook_may_carry_a_token_a_key_and_headers_beside_the_signature() -> None:
    request = registry.build(
        settings(
            "webhook",
            secrets={"secret": SECRET, "token": "t0", "api_key": "k0"},
            options={"authorization_scheme": "Token", "api_key_header": "X-Our-Key"},
            headers=(("X-Team", "audit"),),
        ),
        ENVELOPE,
        now=NOW,
    )
    headers = dict(request.headers)
    assert (headers["Authorization"], headers["X-Our-Key"], headers["X-Team"]) == ("Token t0", "k0", "audit")
    plain = registry.build(
        settings("webhook", secrets={"secret": SECRET, "token": "t0", "api_key": "k0"}), ENVELOPE, now=NOW
    )
    assert (dict(plain.headers)["Authorization"], dict(plain.headers)["X-API-Key"]) == ("Bearer t0", "k0")


VERIFY = """
const { Webhook } = require("standardwebhooks");
let text = "";
process.stdin.on("data", (chunk) => (text += chunk)).on("end", () => {
  const { secret, body, headers } = JSON.parse(text);
  new Webhook(secret).verify(body, headers);
  let refused = false;
  try { new Webhook(secret).verify(body + " ", headers); } catch { refused = true; }
  console.log(refused ? "verified" : "accepts anything");
});
"""


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are needed to ask the npm package standardwebhooks")
    folder = tmp_path_factory.mktemp("node")
    command = [
        "npm",
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
        str(folder),
        NODE_PACKAGE,
    ]
    if subprocess.run(command, check=False, capture_output=True, timeout=100).returncode:
        pytest.skip("npm could not install the package standardwebhooks")
    return folder


def test_the_npm_package_accepts_the_signature_too(node_modules: Path) -> None:
    rotating = settings("webhook", secrets={"secret": SECRET, "previous_secret": PREVIOUS})
    request = registry.build(rotating, ENVELOPE, now=NOW)
    for secret in (SECRET, PREVIOUS):
        asked = json.dumps({"secret": secret, "body": request.body.decode(), "headers": signed_parts(request)})
        answer = subprocess.run(
            ["node", "-e", VERIFY],
            cwd=node_modules,
            input=asked,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        assert answer.stdout == "verified\n"


def test_the_whole_request_to_splunk_is_what_its_reference_shows() -> None:
    request = registry.build(
        settings("splunk", options={"index": "audit", "host": "drill-1", "sourcetype": "_json"}), ENVELOPE, now=NOW
    )
    assert request.url == "https://receiver.example.com:8088/services/collector/event"
    assert request.headers == (("Authorization", "Splunk hec-token"), ("Content-Type", "application/json"))
    assert request.body == (
        b'{"time":1795428000.123,"source":"cavra","sourcetype":"_json","fields":{"event_id":"gordackevent-1",'
        b'"event_type":"cavra.go_backend.rollback_drill.acknowledgement_audit_delivery",'
        b'"idempotency_key":"gordackdelivery-0123456789abcdef"},"host":"drill-1","index":"audit","event":'
        + ENVELOPE.event
        + b"}"
    )
    assert json.loads(request.body)["event"] == json.loads(ENVELOPE.event)


@pytest.mark.parametrize(
    ("url", "collector"),
    [
        ("https://s.example.com:8088", "https://s.example.com:8088/services/collector/event"),
        ("https://s.example.com:8088/", "https://s.example.com:8088/services/collector/event"),
        ("https://s.example.com/services/collector", "https://s.example.com/services/collector"),
        ("https://s.example.com/behind/a/proxy?x=1", "https://s.example.com/behind/a/proxy?x=1"),
    ],
)
def test_splunks_url_is_the_collectors_base_or_its_whole_address(url: str, collector: str) -> None:
    assert registry.build(settings("splunk", url=url), ENVELOPE, now=NOW).url == collector


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"text":"Success","code":0}', None),
        (201, b'{"text":"Success","code":0,"ackId":1}', None),
        (200, b'{"text":"Server is busy","code":9}', FailureKind.UNAVAILABLE),
        (200, b'{"text":"Success"}', FailureKind.ANSWER_REJECTED),
        (200, b'{"code":false}', FailureKind.ANSWER_REJECTED),
        (200, b'{"code":"0"}', FailureKind.ANSWER_REJECTED),
        (200, b"<html>sign in</html>", FailureKind.ANSWER_REJECTED),
        (200, b"[" * 4096, FailureKind.ANSWER_REJECTED),
        (200, b"\xff", FailureKind.ANSWER_REJECTED),
        (200, b"", FailureKind.ANSWER_REJECTED),
        (403, b'{"text":"Token disabled","code":1}', FailureKind.CREDENTIAL_REFUSED),
        (401, b'{"text":"Token is required","code":2}', FailureKind.CREDENTIAL_REFUSED),
        (403, b'{"text":"Invalid token","code":4}', FailureKind.CREDENTIAL_REFUSED),
        (400, b'{"text":"Incorrect index","code":7}', FailureKind.PAYLOAD_REFUSED),
        (400, b'{"text":"Query string authorization is not enabled","code":16}', FailureKind.CREDENTIAL_REFUSED),
        (500, b'{"text":"Internal server error","code":8}', FailureKind.SERVER_ERROR),
        (503, b'{"text":"Server is busy","code":9}', FailureKind.UNAVAILABLE),
        (429, b"", FailureKind.RATE_LIMITED),
        (404, b"not found", FailureKind.ADDRESS_UNKNOWN),
        (302, b'{"code":0}', FailureKind.REDIRECT_REFUSED),
    ],
)
def test_splunks_answers_are_read_by_their_code(status: int, body: bytes, kind: FailureKind | None) -> None:
    assert splunk.judge(status, body).failure_kind == kind


@pytest.mark.parametrize("provider", sorted(registry.CONNECTORS))
def test_a_built_request_passes_through_the_client_and_back(provider: str) -> None:
    with RecordingReceiver() as receiver, Client[Any]() as client:
        given = settings(provider, url=receiver.url, egress=receiver.egress)
        request = registry.build(given, ENVELOPE, now=NOW)
        send = Send(key=1, step=registry.opening(given, ENVELOPE, now=NOW), egress=receiver.egress, timeout_seconds=5)
        receiver.reply = Reply(body=b'{"text":"Success","code":0}')
        (settlement,) = client.send_all([send])
        (arrival,) = receiver.arrivals
    assert settlement.outcome == Outcome.CONFIRMED
    assert arrival.body == request.body
    assert {name.lower(): value for name, value in request.headers}.items() <= arrival.headers.items()
