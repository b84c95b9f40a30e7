"""Messages over TLS and plain TCP without HTTP: when they count as delivered, and when nobody can tell."""

import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from rollback_audit.delivery.answer import READ_BODY_BYTES
from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import STREAM, Egress, Send, Settlement
from rollback_audit.delivery.exchange import Exchange
from rollback_audit.delivery.stream import Stream, is_acknowledged
from rollback_audit.states import FailureKind, Outcome
from tests.delivery.certificates import Issued
from tests.delivery.conftest import send_to
from tests.receivers import LOOPBACK, RecordingReceiver, raw_receiver

MESSAGE = b"11 hello there"
Behave = Callable[[Any], None]
End = tuple[Outcome, FailureKind | None]

CONFIRMED: End = (Outcome.CONFIRMED, None)
LOST: End = (Outcome.UNKNOWN, FailureKind.CONNECTION_LOST)
SILENT: End = (Outcome.UNKNOWN, FailureKind.ANSWER_TIMEOUT)


def egress_to(port: int, **changes: Any) -> Egress:
    return replace(Egress(allow_networks=LOOPBACK, allow_ports=(port,), allow_plain_tcp=True), **changes)


def stream_to(url: str, egress: Egress, **changes: Any) -> Send[Any]:
    return send_to(url, egress, **{"method": STREAM, "headers": (), "body": MESSAGE, **changes})


def sent(port: int, *, scheme: str = "tcp", host: str = "127.0.0.1", **changes: Any) -> Settlement[Any]:
    """One message to a port of this machine; `egress` are changes to what is allowed."""
    egress = egress_to(port, **changes.pop("egress", {}))
    with Client[Any]() as client:
        (settlement,) = client.send_all([stream_to(f"{scheme}://{host}:{port}", egress, **changes)])
    assert settlement.status_code is None
    return settlement


def end(settlement: Settlement[Any]) -> End:
    return settlement.outcome, settlement.failure_kind


def read_all(connection: socket.socket) -> bytes:
    data = b""
    while chunk := connection.recv(65_536):
        data += chunk
    return data


def drain(connection: socket.socket) -> None:
    read_all(connection)


def hold(connection: socket.socket, stopping: threading.Event) -> None:
    stopping.wait(10)


def reset(connection: socket.socket, stopping: threading.Event) -> None:
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.fixture(scope="module")
def authority() -> Issued:
    return Issued.root()


@pytest.fixture
def trusted(authority: Issued, tmp_path: Path) -> dict[str, str]:
    """What an egress needs to trust the tests' own authority."""
    return {"ca_file": str(authority.trust_file(tmp_path))}


@pytest.fixture
def context(authority: Issued, tmp_path: Path) -> ssl.SSLContext:
    """A server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue().chain_file(tmp_path))
    return context


@contextmanager
def tls_receiver(context: ssl.SSLContext, behave: Behave) -> Iterator[int]:
    """A TLS server that behaves as it is told once hands are shaken."""

    def over_tls(connection: socket.socket, stopping: threading.Event) -> None:
        with suppress(OSError), context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) as tls:
            behave(tls)

    with raw_receiver(over_tls) as port:
        yield port


def test_a_message_arrives_byte_for_byte_and_the_receivers_orderly_end_confirms_it() -> None:
    received: list[bytes] = []
    with raw_receiver(lambda connection, stopping: received.append(read_all(connection))) as port:
        assert end(sent(port)) == CONFIRMED
    assert received == [MESSAGE]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_message_arrives_over_tls_and_close_notify_confirms_it(
    context: ssl.SSLContext, trusted: dict[str, str], version: ssl.TLSVersion
) -> None:
    received: list[Any] = []
    context.maximum_version = version

    def behave(tls: ssl.SSLSocket) -> None:
        received.append((read_all(tls), tls.version()))
        tls.unwrap()

    with tls_receiver(context, behave) as port:
        assert end(sent(port, scheme="tls", egress=trusted)) == CONFIRMED
    assert received == [(MESSAGE, f"TLSv1.{version.name[-1]}")]


def test_an_end_without_close_notify_counts_only_where_that_is_allowed(
    context: ssl.SSLContext, trusted: dict[str, str]
) -> None:
    with tls_receiver(context, drain) as port:
        assert end(sent(port, scheme="tls", egress=trusted)) == LOST
        assert end(sent(port, scheme="tls", egress={**trusted, "allow_bare_close": True})) == CONFIRMED


def test_what_a_receiver_says_is_read_and_dropped(context: ssl.SSLContext, trusted: dict[str, str]) -> None:
    def behave(tls: Any) -> None:
        tls.sendall(b"220 welcome\r\n")
        read_all(tls)
        tls.sendall(b"bye" * 9000)
        if isinstance(tls, ssl.SSLSocket):
            tls.unwrap()

    with tls_receiver(context, behave) as port:
        settlement = sent(port, scheme="tls", egress=trusted)
    with raw_receiver(lambda connection, stopping: behave(connection)) as port:
        assert end(sent(port)) == CONFIRMED
    assert end(settlement) == CONFIRMED
    assert "welcome" not in repr(settlement)


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_a_receiver_without_end_is_cut(scheme: str, context: ssl.SSLContext, trusted: dict[str, str]) -> None:
    def behave(connection: Any) -> None:
        connection.recv(1)
        for _ in range(200 * READ_BODY_BYTES // 1024):
            connection.sendall(b"x" * 1024)

    with (
        tls_receiver(context, behave)
        if scheme == "tls"
        else raw_receiver(lambda connection, stopping: behave(connection)) as port
    ):
        settlement = sent(port, scheme=scheme, egress=trusted)
    assert end(settlement) == (Outcome.UNKNOWN, FailureKind.ANSWER_TOO_LARGE)


def test_a_reset_after_the_message_is_unknown() -> None:
    with raw_receiver(reset) as port:
        assert end(sent(port)) == LOST


def test_a_receiver_that_closes_with_bytes_unread_does_not_confirm() -> None:
    def behave(connection: socket.socket, stopping: threading.Event) -> None:
        connection.recv(1)

    with raw_receiver(behave) as port:
        assert end(sent(port, body=b"x" * 100_000)) == LOST


def test_a_balancer_that_takes_connections_and_drops_them_never_confirms() -> None:
    with raw_receiver(lambda connection, stopping: None) as port:
        for _ in range(50):
            assert end(sent(port)) in {LOST, (Outcome.NOT_SENT, FailureKind.CONNECT_REFUSED)}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the state of a connection")
def test_a_fin_is_the_end_only_once_our_own_is_acknowledged_and_no_reset_followed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
        with ours, theirs:
            theirs.shutdown(socket.SHUT_WR)
            assert ours.recv(1) == b""
            assert not is_acknowledged(ours)
            ours.shutdown(socket.SHUT_WR)
            assert is_acknowledged(ours)
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
        with ours:
            theirs.close()
            ours.sendall(MESSAGE)  # answered by a reset, which the FIN before it hides from recv
            assert ours.recv(1) == b""
            with pytest.raises(OSError, match="reset"):
                is_acknowledged(ours)


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_a_receiver_that_reads_and_never_closes_is_unknown_at_the_deadline(
    scheme: str, context: ssl.SSLContext, trusted: dict[str, str]
) -> None:
    over = threading.Event()

    def behave(connection: Any) -> None:
        with suppress(OSError):
            read_all(connection)
        over.wait(10)

    with (
        tls_receiver(context, behave)
        if scheme == "tls"
        else raw_receiver(lambda connection, stopping: behave(connection)) as port
    ):
        settlement = sent(port, scheme=scheme, timeout_seconds=0.5, egress=trusted)
        over.set()
    assert end(settlement) == SILENT
    assert 500 <= settlement.duration_ms < 2000


def test_a_message_that_only_left_in_part_is_unknown() -> None:
    with raw_receiver(hold) as port:
        assert end(sent(port, body=b"x" * 20_000_000, timeout_seconds=0.5)) == SILENT


def test_a_large_message_to_a_slow_reader_arrives_whole(context: ssl.SSLContext, trusted: dict[str, str]) -> None:
    message = bytes(range(256)) * 16_384
    received: list[bytes] = []

    def behave(tls: ssl.SSLSocket) -> None:
        received.append(read_all(tls))
        tls.unwrap()

    with tls_receiver(context, behave) as port:
        assert end(sent(port, scheme="tls", egress=trusted, body=message)) == CONFIRMED
    with raw_receiver(lambda connection, stopping: received.append(read_all(connection))) as port:
        assert end(sent(port, body=message)) == CONFIRMED
    assert received == [message, message]


def test_a_refused_connection_was_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert end(sent(port)) == (Outcome.NOT_SENT, FailureKind.CONNECT_REFUSED)


def test_a_name_that_does_not_resolve_was_not_sent() -> None:
    assert end(sent(6514, host="receiver.invalid")) == (Outcome.NOT_SENT, FailureKind.NAME_UNRESOLVED)


def test_a_connection_that_is_never_accepted_was_not_sent() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        assert end(sent(full.getsockname()[1], timeout_seconds=0.4)) == (Outcome.NOT_SENT, FailureKind.CONNECT_TIMEOUT)


@pytest.mark.parametrize(
    ("behave", "kind"),
    [
        (lambda connection, stopping: connection.sendall(b"<6>this is no TLS\n" * 9), FailureKind.TLS_FAILED),
        (lambda connection, stopping: connection.recv(65_536), FailureKind.TLS_FAILED),
        (reset, FailureKind.TLS_FAILED),
        (lambda connection, stopping: stopping.wait(10), FailureKind.CONNECT_TIMEOUT),
    ],
    ids=["speaks no TLS", "hangs up", "resets", "says nothing"],
)
def test_a_handshake_that_fails_was_not_sent(behave: Any, kind: FailureKind, trusted: dict[str, str]) -> None:
    with raw_receiver(behave) as port:
        assert end(sent(port, scheme="tls", timeout_seconds=0.5, egress=trusted)) == (Outcome.NOT_SENT, kind)


def test_a_certificate_that_nobody_vouches_for_gets_no_message(context: ssl.SSLContext) -> None:
    received: list[bytes] = []
    with tls_receiver(context, lambda tls: received.append(read_all(tls))) as port:
        assert end(sent(port, scheme="tls")) == (Outcome.NOT_SENT, FailureKind.TLS_UNTRUSTED)
    assert received == []


def test_a_ca_file_that_has_gone_since_it_was_checked_fails_the_handshake(
    context: ssl.SSLContext, tmp_path: Path
) -> None:
    with tls_receiver(context, lambda tls: None) as port:
        settlement = sent(port, scheme="tls", egress={"ca_file": str(tmp_path / "gone.pem")})
    assert end(settlement) == (Outcome.NOT_SENT, FailureKind.TLS_FAILED)


def test_a_receiver_may_ask_for_the_clients_certificate(
    context: ssl.SSLContext, authority: Issued, trusted: dict[str, str], tmp_path: Path
) -> None:
    def behave(tls: ssl.SSLSocket) -> None:
        read_all(tls)
        tls.unwrap()

    def own(issuer: Issued, folder: str) -> dict[str, str]:
        (tmp_path / folder).mkdir()
        return {
            **trusted,
            "client_cert_file": str(issuer.issue(usage=ExtendedKeyUsageOID.CLIENT_AUTH).chain_file(tmp_path / folder)),
        }

    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(trusted["ca_file"])
    with tls_receiver(context, behave) as port:
        assert end(sent(port, scheme="tls", egress=own(authority, "known"))) == CONFIRMED
        refused = (Outcome.NOT_SENT, FailureKind.TLS_FAILED)
        assert end(sent(port, scheme="tls", egress=trusted)) == refused
        assert end(sent(port, scheme="tls", egress=own(Issued.root("another"), "unknown"))) == refused


class Hesitant(socket.socket):
    """A connection that sends its hello, and the rest at once; when it closes, the receiver has said what it would."""

    waits_for: threading.Event
    held: bytes | None = None

    def send(self, data: Any, flags: int = 0) -> int:
        if self.held is None:
            self.held = b""
            return super().send(data, flags)
        self.held += data
        return len(data)

    def shutdown(self, how: int) -> None:
        assert self.held
        super().send(self.held)
        assert self.waits_for.wait(10)
        super().shutdown(how)


def test_a_refusal_counts_though_the_connection_was_reset_before_it_was_read(
    context: ssl.SSLContext, trusted: dict[str, str]
) -> None:
    def refuse(connection: socket.socket, stopping: threading.Event) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with suppress(OSError):
            context.wrap_socket(connection, server_side=True).close()
        refused.set()

    refused = threading.Event()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(trusted["ca_file"])
    with raw_receiver(refuse) as port, Hesitant() as connection:
        connection.waits_for = refused
        connection.connect(("127.0.0.1", port))
        connection.setblocking(False)
        stream = Stream(connection, MESSAGE, tls_host="127.0.0.1", egress=egress_to(port, **trusted))
        while isinstance(result := stream.advance(), int):
            """Nothing else is waited for."""
    assert result == (Outcome.NOT_SENT, FailureKind.TLS_FAILED)


@pytest.mark.parametrize(
    ("url", "egress"),
    [
        ("tcp://127.0.0.1:{port}", {"allow_networks": ()}),
        ("tcp://127.0.0.1:{port}", {"allow_plain_tcp": False}),
        ("tcp://127.0.0.1:{port}", {"allow_ports": ()}),
        ("tcp://169.254.169.254:{port}", {"allow_networks": ("0.0.0.0/0",)}),
        ("tcp://user:word@127.0.0.1:{port}", {}),
        ("tcp://127.0.0.1:{port}/path", {}),
        ("tcp://127.0.0.1:{port}?query", {}),
        ("tcp://127.0.0.1:{port}\r\n", {}),
        ("udp://127.0.0.1:{port}", {}),
        ("http://127.0.0.1:{port}", {"allow_plain_http": True}),
    ],
)
def test_what_may_not_be_dialled_is_not(url: str, egress: dict[str, Any]) -> None:
    with RecordingReceiver() as receiver, Client[Any]() as client:
        send = stream_to(url.format(port=receiver.port), egress_to(receiver.port, **egress))
        (settlement,) = client.send_all([send])
        assert receiver.connection_count == 0
    assert end(settlement) == (Outcome.NOT_SENT, FailureKind.ADDRESS_FORBIDDEN)


def test_a_request_cannot_be_posted_to_a_streams_address() -> None:
    with RecordingReceiver() as receiver, Client[Any]() as client:
        (settlement,) = client.send_all([send_to(f"tcp://127.0.0.1:{receiver.port}", egress_to(receiver.port))])
        assert receiver.connection_count == 0
    assert end(settlement) == (Outcome.NOT_SENT, FailureKind.ADDRESS_FORBIDDEN)


def test_a_connection_that_cannot_be_taken_over_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("rollback_audit.delivery.exchange.os.dup", full)
    with raw_receiver(lambda connection, stopping: None) as port:
        assert end(sent(port)) == (Outcome.NOT_SENT, FailureKind.CONNECT_REFUSED)


def test_streams_and_requests_share_the_wire() -> None:
    received: list[bytes] = []
    with (
        raw_receiver(lambda connection, stopping: received.append(read_all(connection))) as port,
        RecordingReceiver() as receiver,
        Client[Any](max_in_flight=8) as client,
    ):
        settled = client.send_all(
            stream_to(f"tcp://127.0.0.1:{port}", egress_to(port), key=number, body=str(number).encode())
            if number % 2
            else send_to(receiver.url, receiver.egress, key=number, body=str(number).encode())
            for number in range(100)
        )
        assert sorted(int(arrival.body) for arrival in receiver.arrivals) == list(range(0, 100, 2))
    assert sorted(map(int, received)) == list(range(1, 100, 2))
    assert sorted(settlement.key for settlement in settled) == list(range(100))
    assert {end(settlement) for settlement in settled} == {CONFIRMED}


def test_streams_give_back_every_descriptor_settled_or_cut() -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("open descriptors are counted under /proc")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, nobody reads
        port = silent.getsockname()[1]
        before = len(list(descriptors.iterdir()))
        with Client[Any]() as client:
            client.submit(stream_to(f"tcp://127.0.0.1:{port}", egress_to(port), timeout_seconds=0.2) for _ in range(5))
            client.submit(stream_to(f"tcp://127.0.0.1:{port}", egress_to(port), timeout_seconds=60) for _ in range(5))
            settled: list[Settlement[Any]] = []
            while len(settled) < 5:
                settled += client.pump(timeout_seconds=5)
            assert {end(settlement) for settlement in settled} == {SILENT}
            assert client.pending == 5
        assert len(list(descriptors.iterdir())) <= before


def test_a_plain_handle_takes_no_stream() -> None:
    send = stream_to("http://127.0.0.1:80", replace(egress_to(80), allow_plain_http=True))
    exchange = Exchange[Any]()
    exchange.begin(send, 0.0, now=0.0)
    assert exchange.load(send.step, 1.0) is FailureKind.REQUEST_INVALID
    exchange.handle.close()
