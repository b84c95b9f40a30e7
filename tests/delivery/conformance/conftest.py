"""A case's connector, read from a file as an operator's is, and an exchange with a real receiver."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rollback_audit.delivery import registry
from rollback_audit.delivery.client import Client
from rollback_audit.delivery.config import Configuration, load
from rollback_audit.delivery.contract import ConnectorSettings, Envelope, Send, Settlement, Step, WireRequest
from rollback_audit.delivery.tokens import TOKENS
from rollback_audit.states import FAILURE_CLASS, FailureClass, FailureKind, Outcome
from tests.delivery.conformance.case import ENVELOPE, HUSH, NOW, RECEIVER, Case
from tests.delivery.conformance.cases import CASES
from tests.receivers import LOOPBACK, Arrival, RecordingReceiver, Reply

Read = Callable[..., Configuration]
Connect = Callable[..., ConnectorSettings]
Exchange = Callable[..., Settlement[Any]]

HTTP_CASES = [case for case in CASES if case.over_http]

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_http_case = pytest.mark.parametrize("case", HTTP_CASES, ids=str)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a case's keys as a connector file and read it; `changes` overrides keys, None leaves one out."""

    def read(case: Case, *, base: str = RECEIVER, **changes: object) -> Configuration:
        keys = {key: value for key, value in {**case.keys, **changes}.items() if value is not None}
        path = tmp_path / "connectors.json"
        path.write_text(json.dumps({"connectors": {case.provider: keys}}).replace(RECEIVER, base))
        environ = {name: value.replace(RECEIVER, base) for name, value in case.environ.items()}
        return load(path, environ=environ, digest_key=b"of the conformance suite")

    return read


@pytest.fixture
def connect(read: Read) -> Connect:
    """The case's settings, which must be free of problems; with `port`, for a receiver on 127.0.0.1."""

    def connect(case: Case, *, port: int | None = None, **changes: object) -> ConnectorSettings:
        base = RECEIVER
        if port is not None:
            base = f"{changes.pop('scheme', 'http')}://127.0.0.1:{port}"
            changes = {"allow_networks": [*LOOPBACK], "allow_ports": [port], "allow_plain_http": True, **changes}
            changes = {**addressed(case, base), **changes}
        configuration = read(case, base=base, **changes)
        assert configuration.problems == ()
        return configuration.settings[case.provider]

    return connect


def addressed(case: Case, base: str) -> Mapping[str, object]:
    """A provider that knows its own address is told another one, so that no test leaves this machine."""
    return {} if any(key.startswith("url") for key in case.keys) else {"url": f"{base}/api"}


@pytest.fixture
def exchange(connect: Connect) -> Iterator[Exchange]:
    """Carry the envelope to a port of this machine through the real client, and give back what became of it.

    `changes` are changed keys of the case; what else is named goes to `registry.opening`.
    """
    TOKENS.clear()  # of an earlier receiver on the same port
    with Client[Any]() as client:

        def exchange(
            case: Case,
            port: int,
            *,
            changes: Mapping[str, object] = MappingProxyType({}),
            timeout_seconds: float = 5.0,
            **opening: Any,
        ) -> Settlement[Any]:
            settings = connect(case, port=port, **changes)

            def first() -> Step:
                return registry.opening(settings, ENVELOPE, now=NOW, **opening)

            send = Send(key="k", step=first(), egress=settings.egress, timeout_seconds=timeout_seconds, reopen=first)
            (settlement,) = client.send_all([send])
            return settlement

        yield exchange


@pytest.fixture
def receiver() -> Iterator[RecordingReceiver]:
    with RecordingReceiver() as receiver:
        yield receiver


def built(settings: ConnectorSettings) -> WireRequest:
    """The request that carries the envelope, once the connector has signed in."""
    if settings.provider in registry.SIGNING_IN:
        settings = replace(settings, secrets={**settings.secrets, "access_token": f"{HUSH}-access"})
    return registry.build(settings, ENVELOPE, now=NOW)


def answering(case: Case, reply: Reply) -> Callable[[Arrival], Reply]:
    """The event is answered by `reply`, what comes before and after it as the case says."""
    return lambda arrival: reply if case.is_event(arrival) else case.otherwise(arrival)


def events_of(case: Case, receiver: RecordingReceiver) -> list[Arrival]:
    return [arrival for arrival in receiver.arrivals if case.is_event(arrival)]


def outcome_for(status: int, kind: FailureKind | None) -> Outcome:
    """The outcome that a whole answer of this status, judged so, has to come to."""
    if kind is None:
        return Outcome.CONFIRMED
    if FAILURE_CLASS[kind] is FailureClass.UNKNOWN:
        return Outcome.UNKNOWN
    return Outcome.ANSWERED_5XX if status >= 500 else Outcome.REFUSED


def enlarged(size: int) -> Envelope:
    """The envelope with an event of more than `size` bytes."""
    return replace(ENVELOPE, event=b'{"summary":{"alert_level":"healthy"},"routes":["' + b"x" * size + b'"]}')


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver of the tests")])
    now = datetime.now(tz=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "receiver.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path
