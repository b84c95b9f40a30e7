"""Syslog messages, as a parser of RFC 5424 that knows nothing of ours reads them, and the keys that shape them."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from rollback_audit.delivery import registry, syslog
from rollback_audit.delivery.client import Client
from rollback_audit.delivery.config import Configuration, load
from rollback_audit.delivery.contract import ConnectorSettings, Envelope, PayloadTooLarge, Send
from rollback_audit.states import Outcome
from tests.delivery.certificates import Issued
from tests.receivers import LOOPBACK, raw_receiver

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
ENVELOPE = Envelope(
    event='{"owner":"Zo\u00eb ]\\""}'.encode(),
    event_type="cavra.event",
    event_id="gordackevent-1",
    idempotency_key="gordackevent-1",
    occurred_at=datetime(2026, 11, 23, 9, 59, 58, 7, tzinfo=UTC),
)
URL = "tls://syslog.example.com"

# RFC 5424, 6: SYSLOG-MSG, as far as it is regular.
MESSAGE = re.compile(
    rb"<(?P<pri>0|[1-9][0-9]{0,2})>1 (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}(?:Z|[+-]\d\d:\d\d))"
    rb" (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128}) (?P<id>[!-~]{1,32})"
    rb' \[(?P<data>[^ =\]"]{1,32}(?: [^ =\]"]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*)\]'
    rb" \xef\xbb\xbf(?P<text>.*)",
    re.DOTALL,
)
PARAMETER = re.compile(rb'([^ =\]"]+)="((?:[^"\\\]]|\\["\\\]])*)"')

Read = Callable[..., Configuration]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a connector called syslog with these keys; `environ` and `provider` may be given."""

    def read(**keys: Any) -> Configuration:
        path = tmp_path / "connectors.json"
        path.write_text(json.dumps({"connectors": {"syslog": {"url": URL, **keys}}}))
        return load(path, environ={}, digest_key=b"of the tests")

    return read


@pytest.fixture
def configured(read: Read) -> Callable[..., ConnectorSettings]:
    def configured(**keys: Any) -> ConnectorSettings:
        configuration = read(**keys)
        assert configuration.problems == ()
        return configuration.settings["syslog"]

    return configured


def parsed(frame: bytes) -> dict[str, Any]:
    """One octet-counted frame (RFC 6587, 3.4.1) taken apart."""
    length, _, message = frame.partition(b" ")
    assert int(length) == len(message)
    assert not length.startswith(b"0")
    match = MESSAGE.fullmatch(message)
    assert match is not None
    parameters = {
        name.decode(): re.sub(rb"\\(.)", rb"\1", value).decode() for name, value in PARAMETER.findall(match["data"])
    }
    return {**match.groupdict(), "name": match["data"].split(b" ")[0].decode(), **parameters}


def test_a_message_says_who_it_is_and_carries_the_event_as_it_is(configured: Callable[..., ConnectorSettings]) -> None:
    found = parsed(registry.build(configured(), ENVELOPE, now=NOW).body)
    assert (found["pri"], found["time"]) == (b"109", b"2026-11-23T09:59:58.000007Z")
    assert (found["host"], found["app"], found["proc"], found["id"]) == (b"-", b"cavra", b"-", b"evidence")
    assert found["name"] == "cavra@32473"
    assert found["event_id"] == found["idempotency_key"] == "gordackevent-1"
    assert found["event_type"] == "cavra.event"
    assert found["text"] == ENVELOPE.event


def test_a_moment_elsewhere_is_told_in_utc_and_a_try_later_is_the_same_message(
    configured: Callable[..., ConnectorSettings],
) -> None:
    elsewhere = replace(ENVELOPE, occurred_at=ENVELOPE.occurred_at.astimezone(timezone(timedelta(hours=5))))
    first = registry.build(configured(), elsewhere, now=NOW)
    assert parsed(first.body)["time"] == b"2026-11-23T09:59:58.000007Z"
    assert registry.build(configured(), ENVELOPE, now=NOW + timedelta(days=1)) == first


def test_nothing_in_an_event_breaks_out_of_its_parameter(configured: Callable[..., ConnectorSettings]) -> None:
    nasty = replace(ENVELOPE, event_id='a"] b="\\c', event_type="]", event=b'"]\n<1>1 ')
    found = parsed(registry.build(configured(), nasty, now=NOW).body)
    assert (found["event_id"], found["event_type"], found["text"]) == ('a"] b="\\c', "]", b'"]\n<1>1 ')


@pytest.mark.parametrize(("facility", "severity", "pri"), [(0, 0, b"0"), (23, 7, b"191"), (4, 2, b"34")])
def test_facility_and_severity_make_the_priority(
    configured: Callable[..., ConnectorSettings], facility: int, severity: int, pri: bytes
) -> None:
    settings = configured(facility=facility, severity=severity)
    assert parsed(registry.build(settings, ENVELOPE, now=NOW).body)["pri"] == pri


def test_a_message_over_the_receivers_limit_is_refused_before_it_is_sent(
    configured: Callable[..., ConnectorSettings],
) -> None:
    head = len(registry.build(configured(), replace(ENVELOPE, event=b""), now=NOW).body.partition(b" ")[2])
    fitting = replace(ENVELOPE, event=b"x" * (syslog.MESSAGE_BYTES - head))
    assert registry.build(configured(), fitting, now=NOW).body.startswith(b"8192 ")
    larger = replace(fitting, event=fitting.event + b"x")
    with pytest.raises(PayloadTooLarge):
        registry.opening(configured(), larger, now=NOW)
    assert registry.build(configured(max_message_bytes=65_536), larger, now=NOW).body.startswith(b"8193 ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("facility", 24),
        ("facility", -1),
        ("severity", 8),
        ("enterprise_number", 0),
        ("max_message_bytes", 2047),
        ("max_message_bytes", 2_000_000),
        ("hostname", "two words"),
        ("hostname", "h" * 256),
        ("app_name", "a" * 49),
        ("app_name", "caf\u00e9"),
        ("message_id", "m" * 33),
        ("headers", {"X-More": "1"}),
        ("url", "https://syslog.example.com"),
        ("url", "tls://syslog.example.com/path"),
        ("url", "tls://user:word@syslog.example.com"),
        ("url", "udp://syslog.example.com"),
        ("url", "tcp://syslog.example.com:6514"),
        ("allow_ports", "6515"),
        ("client_cert_file", "nowhere.pem"),
        ("client_key_file", "nowhere.pem"),
        ("allow_plain_tcp", "yes"),
    ],
)
def test_a_key_that_cannot_be_is_named(read: Read, key: str, value: object) -> None:
    (problem,) = read(**{key: value}).problems
    assert (problem.connector, problem.key) == ("syslog", key)


def test_a_port_wants_to_be_listed_unless_it_is_6514(read: Read, configured: Callable[..., ConnectorSettings]) -> None:
    for url in ("tls://syslog.example.com:443", "tls://syslog.example.com:6515"):
        (problem,) = read(url=url).problems
        assert problem.key == "allow_ports"
    assert configured(url="tls://syslog.example.com:6515", allow_ports=[6515]).egress.allow_ports == (6515,)
    (problem,) = read(url="tcp://syslog.example.com", allow_plain_tcp=True).problems
    assert problem.key == "allow_ports"
    plain = configured(url="tcp://syslog.example.com:601", allow_plain_tcp=True, allow_ports=[601])
    assert plain.egress.allow_plain_tcp


def test_only_syslog_takes_a_streams_address_and_keys(tmp_path: Path) -> None:
    path = tmp_path / "connectors.json"
    hook = {"provider": "webhook", "secret_env": "S"}
    path.write_text(
        json.dumps(
            {
                "connectors": {
                    "a": {**hook, "url": URL},
                    "b": {**hook, "url": "https://example.com/", "allow_plain_tcp": True},
                }
            }
        )
    )
    problems = load(path, environ={"S": "whsec_" + "A" * 32}, digest_key=b"k").problems
    assert [(problem.connector, problem.key) for problem in problems] == [("a", "url"), ("b", "allow_plain_tcp")]


def test_a_certificate_of_ones_own_is_part_of_what_is_approved(
    read: Read, configured: Callable[..., ConnectorSettings], tmp_path: Path
) -> None:
    (problem,) = read(client_key_file=str(Issued.root().chain_file(tmp_path))).problems
    assert problem.key == "client_cert_file"
    digests = {configured().digest, configured(allow_bare_close=True).digest}
    for _ in range(2):
        own = str(Issued.root().chain_file(tmp_path))
        settings = configured(client_cert_file=own, client_key_file=own)
        assert (settings.egress.client_cert_file, settings.egress.client_key_file) == (own, own)
        digests.add(settings.digest)
    assert len(digests) == 4


def test_an_event_is_carried_as_configured_to_a_receiver(configured: Callable[..., ConnectorSettings]) -> None:
    received: list[bytes] = []

    def behave(connection: Any, stopping: Any) -> None:
        received.append(b"")
        while chunk := connection.recv(100):
            received[-1] += chunk

    with raw_receiver(behave) as port:
        settings = configured(
            url=f"tcp://127.0.0.1:{port}", allow_plain_tcp=True, allow_networks=[*LOOPBACK], allow_ports=[port]
        )
        with Client[str]() as client:
            step = registry.opening(settings, ENVELOPE, now=NOW, in_doubt=True)
            (settlement,) = client.send_all([Send(key="k", step=step, egress=settings.egress, timeout_seconds=5)])
    assert settlement.outcome is Outcome.CONFIRMED
    (frame,) = received
    assert parsed(frame)["text"] == ENVELOPE.event
