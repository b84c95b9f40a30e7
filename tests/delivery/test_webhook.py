"""A webhook's signature, as the specification's own libraries see it. The rest is in the conformance suite."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

from rollback_audit.delivery import registry
from rollback_audit.delivery.contract import ConnectorSettings, Egress, Envelope, WireRequest

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


def settings(**changes: Any) -> ConnectorSettings:
    given: dict[str, Any] = {
        "name": "it",
        "provider": "webhook",
        "enabled": True,
        "url": "https://receiver.example.com:8088",
        "secrets": {"secret": SECRET},
        "options": {},
        "headers": (),
        "egress": Egress(),
        "digest": "",
        **changes,
    }
    return ConnectorSettings(**given)


def signed_parts(request: WireRequest) -> dict[str, str]:
    return {name: value for name, value in request.headers if name.startswith("webhook-")}


def test_a_webhook_carries_the_event_as_it_is_and_the_standard_library_accepts_its_signature() -> None:
    request = registry.build(settings(), ENVELOPE, now=NOW)
    assert (request.method, request.url, request.body) == ("POST", "https://receiver.example.com:8088", ENVELOPE.event)
    assert dict(request.headers)["webhook-id"] == ENVELOPE.idempotency_key
    verified = standardwebhooks.Webhook(SECRET).verify(request.body, signed_parts(request))
    assert verified == json.loads(ENVELOPE.event)


def test_a_changed_body_id_or_time_is_noticed() -> None:
    request = registry.build(settings(), ENVELOPE, now=NOW)
    verifier = standardwebhooks.Webhook(SECRET)
    for body, change in [
        (request.body + b" ", {}),
        (request.body, {"webhook-id": "another"}),
        (request.body, {"webhook-timestamp": str(int(NOW.timestamp()) + 1)}),
    ]:
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            verifier.verify(body, signed_parts(request) | change)


def test_while_a_secret_is_rotated_either_one_verifies() -> None:
    rotating = settings(secrets={"secret": SECRET, "previous_secret": PREVIOUS})
    request = registry.build(rotating, ENVELOPE, now=NOW)
    assert signed_parts(request)["webhook-signature"].count("v1,") == 2
    for secret in (SECRET, PREVIOUS):
        standardwebhooks.Webhook(secret).verify(request.body, signed_parts(request))


def test_each_try_has_the_same_id_and_its_own_time() -> None:
    first, second = (
        dict(registry.build(settings(), ENVELOPE, now=moment).headers)
        for moment in (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    )
    assert first["webhook-id"] == second["webhook-id"]
    assert (first["webhook-timestamp"], second["webhook-timestamp"]) == ("1767225600", "1767312000")
    assert first["webhook-signature"] != second["webhook-signature"]


def test_a_webhook_may_carry_a_token_a_key_and_headers_beside_the_signature() -> None:
    request = registry.build(
        settings(
            secrets={"secret": SECRET, "token": "t0", "api_key": "k0"},
            options={"authorization_scheme": "Token", "api_key_header": "X-Our-Key"},
            headers=(("X-Team", "audit"),),
        ),
        ENVELOPE,
        now=NOW,
    )
    headers = dict(request.headers)
    assert (headers["Authorization"], headers["X-Our-Key"], headers["X-Team"]) == ("Token t0", "k0", "audit")
    plain = registry.build(settings(secrets={"secret": SECRET, "token": "t0", "api_key": "k0"}), ENVELOPE, now=NOW)
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
    rotating = settings(secrets={"secret": SECRET, "previous_secret": PREVIOUS})
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
