"""A webhook's signature, before the four verifiers that receivers use most."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rollback_audit.delivery import registry
from tests.delivery.conformance.case import ENVELOPE
from tests.receivers_real.conftest import Connector
from tests.receivers_real.installed import answer_of

pytestmark = [pytest.mark.receivers, pytest.mark.timeout(600)]  # of which most is pip

SECRET = "whsec_hushhushhushhushhushhushhushhush"
IN_PYTHON = """
import json, sys
from {package} import Webhook
asked = json.load(sys.stdin)
verifier = Webhook(asked["secret"])
verifier.verify(asked["body"], asked["headers"])
try:
    verifier.verify(asked["body"] + " ", asked["headers"])
except Exception:
    print("verified")
"""
IN_NODE = """
const { Webhook } = require("PACKAGE");
const { secret, body, headers } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const verifier = new Webhook(secret);
verifier.verify(body, headers);
try { verifier.verify(body + " ", headers); } catch { console.log("verified"); }
"""


@pytest.fixture
def asked(connector: Connector) -> str:
    request = registry.build(connector("webhook"), ENVELOPE, now=datetime.now(tz=UTC))
    headers = {name: value for name, value in request.headers if name.startswith("webhook-")}
    return json.dumps({"secret": SECRET, "body": request.body.decode(), "headers": headers})


@pytest.mark.parametrize("package", ["standardwebhooks", "svix.webhooks"])
def test_the_pypi_packages_verify_it(package: str, asked: str, python: Path) -> None:
    assert answer_of(python, "-c", IN_PYTHON.format(package=package), given=asked) == "verified\n"


@pytest.mark.parametrize("package", ["standardwebhooks", "svix"])
def test_the_npm_packages_verify_it(package: str, asked: str, node: Path) -> None:
    script = IN_NODE.replace("PACKAGE", package)
    assert answer_of("node", "-e", script, given=asked, folder=node) == "verified\n"
