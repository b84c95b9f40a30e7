"""Where the client goes, and where nothing makes it go."""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import Egress, Settlement
from rollback_audit.states import FailureKind, Outcome
from tests.delivery.conftest import Post, send_to
from tests.receivers import RecordingReceiver, Reply, egress_to, raw_receiver

LOOPBACK_SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "2130706433",
    "017700000001",
    "localhost",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "0",
    "0.0.0.0",
    "[::]",
    "127.0.0.1.",
]


def assert_forbidden(settlement: Settlement[Any]) -> None:
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.NOT_SENT, FailureKind.ADDRESS_FORBIDDEN)
    assert settlement.status_code is None


@pytest.mark.parametrize("host", LOOPBACK_SPELLINGS)
def test_no_spelling_of_loopback_is_dialled(post: Post, host: str) -> None:
    with RecordingReceiver() as receiver:
        egress = egress_to(receiver.port, allow_networks=())
        settlement = post(receiver.port, url=f"http://{host}:{receiver.port}/", egress=egress)
        assert receiver.arrivals == []
        assert receiver.connection_count == 0
    assert settlement.outcome == Outcome.NOT_SENT
    # A resolver may not know the odder spellings at all; then there was no address to forbid.
    assert settlement.failure_kind in {FailureKind.ADDRESS_FORBIDDEN, FailureKind.NAME_UNRESOLVED}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "localhost"])
def test_a_listed_network_opens_loopback_by_any_name(post: Post, host: str) -> None:
    with RecordingReceiver() as receiver:
        egress = egress_to(receiver.port, allow_networks=("127.0.0.0/8", "::1/128"))
        settlement = post(receiver.port, url=f"http://{host}:{receiver.port}/", egress=egress)
    assert settlement.outcome == Outcome.CONFIRMED


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "2852039166"]
)
def test_metadata_is_not_dialled_even_when_every_network_is_listed(post: Post, host: str) -> None:
    egress = Egress(allow_networks=("0.0.0.0/0", "::/0"), allow_plain_http=True)
    assert_forbidden(post(80, url=f"http://{host}/", egress=egress))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1:{port}/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
        "127.0.0.1:{port}",
        "http://user:word@127.0.0.1:{port}/",
        "http://example.com@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}\\@example.com/",
        "http://127.0.0.1:{port}/\r\nX-More: 1",
        "http://127.0.0.1:{port}/a b",
        "http://127.0.0.1:{port}/#part",
        "http://127.0.0.1:{port}/\x00",
        "http://127.0.0.1:{port}/\u00e9",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
        "http://[::ffff:127.0.0.1%25lo]:{port}/",
        "",
    ],
)
def test_a_url_that_is_no_plain_http_url_is_not_sent_to(post: Post, url: str) -> None:
    with RecordingReceiver() as receiver:
        assert_forbidden(post(receiver.port, url=url.format(port=receiver.port)))
        assert receiver.connection_count == 0


@pytest.mark.parametrize("changes", [{"allow_plain_http": False}, {"allow_ports": ()}, {"allow_ports": (1,)}])
def test_plain_http_and_unusual_ports_want_to_be_allowed(post: Post, changes: dict[str, object]) -> None:
    with RecordingReceiver() as receiver:
        assert_forbidden(post(receiver.port, egress=egress_to(receiver.port, **changes)))
        assert receiver.connection_count == 0


def test_a_kept_connection_of_one_connector_does_not_serve_another_that_may_not_go_there(client: Client[Any]) -> None:
    with RecordingReceiver() as receiver:
        (allowed,) = client.send_all([send_to(receiver.url, receiver.egress)])
        (forbidden,) = client.send_all([send_to(receiver.url, egress_to(receiver.port, allow_networks=()))])
        assert len(receiver.arrivals) == 1
    assert allowed.outcome == Outcome.CONFIRMED
    assert_forbidden(forbidden)


def test_the_environment_cannot_put_a_proxy_in_between(
    post: Post, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password something\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with RecordingReceiver() as receiver, RecordingReceiver() as proxy:
        for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        assert post(receiver.port).outcome == Outcome.CONFIRMED
        assert proxy.connection_count == 0
        assert "authorization" not in receiver.arrivals[0].headers


def test_cookies_and_alternative_services_are_forgotten(client: Client[Any]) -> None:
    headers = (
        ("Set-Cookie", "a=b"),
        ("Alt-Svc", 'h2="127.0.0.1:1"; ma=86400'),
        ("Strict-Transport-Security", "max-age=9"),
    )
    with RecordingReceiver(Reply(headers=headers)) as receiver:
        for _ in range(2):
            client.send_all([send_to(receiver.url, receiver.egress)])
        first, second = receiver.arrivals
    assert first.headers == second.headers


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver of the tests")])
    now = dt.datetime.now(tz=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "receiver.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def serving(certificate: Path) -> RecordingReceiver:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    receiver = RecordingReceiver()
    receiver.serve_tls(context)
    return receiver


def test_a_certificate_that_nobody_vouches_for_gets_no_request(post: Post, certificate: Path) -> None:
    with serving(certificate) as receiver:
        settlement = post(receiver.port, url=f"https://127.0.0.1:{receiver.port}/")
        assert receiver.arrivals == []
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.NOT_SENT, FailureKind.TLS_UNTRUSTED)


def test_the_connectors_own_ca_file_vouches_for_it_and_for_that_connector_only(post: Post, certificate: Path) -> None:
    with serving(certificate) as receiver:
        url = f"https://127.0.0.1:{receiver.port}/"
        trusting = egress_to(receiver.port, ca_file=str(certificate), allow_plain_http=False)
        assert post(receiver.port, url=url, egress=trusting).outcome == Outcome.CONFIRMED
        assert post(receiver.port, url=url).failure_kind == FailureKind.TLS_UNTRUSTED
        assert len(receiver.arrivals) == 1


def test_a_certificate_for_another_name_gets_no_request(post: Post, certificate: Path) -> None:
    with serving(certificate) as receiver:
        egress = egress_to(receiver.port, ca_file=str(certificate), allow_networks=("127.0.0.0/8", "::1/128"))
        settlement = post(receiver.port, url=f"https://localhost:{receiver.port}/", egress=egress)
        assert receiver.arrivals == []
    assert settlement.failure_kind == FailureKind.TLS_UNTRUSTED


def test_a_receiver_that_does_not_speak_tls_was_not_sent_anything(post: Post) -> None:
    def behave(connection: socket.socket, stopping: threading.Event) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with raw_receiver(behave) as port:
        settlement = post(port, url=f"https://127.0.0.1:{port}/")
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.NOT_SENT, FailureKind.TLS_FAILED)


@pytest.mark.parametrize("hang", [True, False], ids=["hangs", "hangs up"])
def test_a_handshake_that_never_ends_was_not_sent(post: Post, hang: bool) -> None:
    def behave(connection: socket.socket, stopping: threading.Event) -> None:
        connection.recv(65_536)
        if hang:
            stopping.wait(30)

    with raw_receiver(behave) as port:
        settlement = post(port, url=f"https://127.0.0.1:{port}/", timeout_seconds=0.5)
    assert settlement.outcome == Outcome.NOT_SENT
    assert settlement.failure_kind == (FailureKind.CONNECT_TIMEOUT if hang else FailureKind.TLS_FAILED)


def test_nothing_a_receiver_says_and_no_secret_is_in_what_comes_back(
    post: Post, capfd: pytest.CaptureFixture[str]
) -> None:
    send = send_to(
        "https://example.com/word-in-path", Egress(), headers=(("Authorization", "Bearer word"),), body=b"word"
    )
    with RecordingReceiver(
        Reply(status=500, body=b"word", headers=(("X-Word", "word"), ("Retry-After", "word")))
    ) as it:
        settlement = post(it.port)
    assert "word" not in repr(settlement) + repr(send)
    assert capfd.readouterr() == ("", "")
