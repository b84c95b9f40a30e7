"""Where the client goes, and where nothing makes it go."""

import socket
import threading
from typing import Any

import pytest

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


REDIRECTS = (301, 302, 303, 307, 308)
TARGETS = ("/elsewhere", "http://127.0.0.1:{other}/hook", "http://169.254.169.254/latest/", "file:///etc/passwd")


@pytest.mark.parametrize("target", TARGETS, ids=["same", "another receiver", "metadata", "a file"])
@pytest.mark.parametrize("code", REDIRECTS)
def test_a_redirect_is_not_followed_and_is_told_as_one(post: Post, code: int, target: str) -> None:
    with RecordingReceiver() as other, RecordingReceiver() as receiver:
        location = target.format(other=other.port)
        receiver.reply = Reply(status=code, headers=(("Location", location), ("Refresh", f"0; url={location}")))
        egress = egress_to(receiver.port, allow_ports=(receiver.port, other.port))
        settlement = post(receiver.port, egress=egress)
        assert [arrival.path for arrival in receiver.arrivals] == ["/hook"]
        assert (receiver.connection_count, other.connection_count) == (1, 0)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.REFUSED, FailureKind.REDIRECT_REFUSED)
    assert settlement.status_code == code


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
