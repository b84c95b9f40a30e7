"""rotel, an OpenTelemetry collector, takes our records in both encodings and shows what it understood."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rollback_audit.delivery import registry
from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import Send
from rollback_audit.states import Outcome
from tests.delivery.conformance.case import ENVELOPE, KEY, NOW
from tests.receivers_real.conftest import Connector
from tests.receivers_real.installed import free_port, running
from tests.waiting import within

pytestmark = [pytest.mark.receivers, pytest.mark.timeout(600)]  # of which most is pip


class Collector(NamedTuple):
    port: int
    log: Path


@pytest.fixture
def collector(python: Path, tmp_path: Path) -> Iterator[Collector]:
    (agent,) = python.parent.parent.glob("lib/python*/site-packages/rotel/rotel-agent")
    http, log = free_port(), tmp_path / "rotel.log"
    told = ("--exporter", "blackhole", "--debug-log", "logs", "--debug-log-verbosity", "detailed")
    listens = ("--otlp-http-endpoint", f"127.0.0.1:{http}", "--otlp-grpc-endpoint", f"127.0.0.1:{free_port()}")
    with log.open("wb") as output, running(agent, "start", *told, *listens, port=http, output=output):
        yield Collector(port=http, log=log)


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_rotel_understands_the_record(collector: Collector, connector: Connector, encoding: str) -> None:
    settings = connector("otlp", port=collector.port, encoding=encoding)
    step = registry.opening(settings, ENVELOPE, now=NOW)
    with Client[Any]() as client:
        (settlement,) = client.send_all([Send(key="k", step=step, egress=settings.egress, timeout_seconds=5)])
    assert settlement.outcome is Outcome.CONFIRMED
    assert within(5, lambda: f"Str({KEY})" in collector.log.read_text(encoding="utf-8"))
    shown = collector.log.read_text(encoding="utf-8")
    assert f"Body: Str({ENVELOPE.event.decode()})" in shown
    assert f"EventName: {ENVELOPE.event_type}" in shown
    assert re.search(r"^Timestamp: 1795428000123456000$", shown, re.M)
    assert "cavra.idempotency_key: Str(gordackdelivery-0123456789abcdef)" in shown
