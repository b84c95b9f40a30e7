"""Requests before prism, which serves a vendor's OpenAPI description and refuses what does not fit it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rollback_audit.delivery import registry
from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import Send, Settlement, Step
from rollback_audit.states import FailureKind, Outcome
from tests.delivery.conformance.case import ENVELOPE, NOW
from tests.receivers_real.conftest import Connector
from tests.receivers_real.installed import description, free_port, running

pytestmark = [pytest.mark.receivers, pytest.mark.timeout(600)]  # of which most is pip

CREATE = "/rest/api/3/issue"


@pytest.fixture(scope="module")
def jira_port(tmp_path_factory: pytest.TempPathFactory, node: Path) -> Iterator[int]:
    """Prism with the one route of Atlassian's description that makes issues; the whole takes it a minute to read."""
    folder = tmp_path_factory.mktemp("jira")
    whole = json.loads(description("atlassian.com/jira", folder))
    whole["paths"] = {CREATE: {"post": whole["paths"][CREATE]["post"]}}
    # Atlassian writes its examples as JSON within strings; prism would serve the strings.
    for answer in whole["paths"][CREATE]["post"]["responses"].values():
        for content in answer.get("content", {}).values():
            if isinstance(content.get("example"), str):
                content["example"] = json.loads(content["example"])
    path = folder / "jira.json"
    path.write_text(json.dumps(whole))
    port = free_port()
    prism = node / "node_modules/.bin/prism"
    with running(prism, "mock", "-h", "127.0.0.1", "-p", str(port), path, port=port):
        yield port


def carry(step: Step, settings: Any) -> Settlement[str]:
    with Client[str](max_in_flight=1) as client:
        (settlement,) = client.send_all([Send(key="k", step=step, egress=settings.egress, timeout_seconds=20)])
    return settlement


def test_atlassians_description_takes_the_issue(connector: Connector, jira_port: int) -> None:
    settings = connector("jira", port=jira_port)
    settlement = carry(registry.opening(settings, ENVELOPE, now=NOW), settings)
    assert (settlement.outcome, settlement.status_code) == (Outcome.CONFIRMED, 201)


def test_atlassians_description_would_notice_a_wrong_body(connector: Connector, jira_port: int) -> None:
    settings = connector("jira", port=jira_port)
    step = registry.opening(settings, ENVELOPE, now=NOW)
    settlement = carry(replace(step, request=replace(step.request, body=b'{"fields":[]}')), settings)
    assert (settlement.failure_kind, settlement.status_code) == (FailureKind.PAYLOAD_REFUSED, 400)
