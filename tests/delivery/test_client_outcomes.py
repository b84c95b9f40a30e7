"""Every way an exchange can end, against real sockets."""

import selectors
import socket
import struct
import threading
from pathlib import Path
from typing import Any

import pycurl
import pytest

from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import Verdict
from rollback_audit.states import FailureKind, Outcome
from tests.delivery.conftest import Post, send_to
from tests.receivers import Arrival, RecordingReceiver, Reply, egress_to, raw_receiver, read_request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_a_2xx_that_was_read_to_its_end_is_confirmed_and_the_request_arrived_once_as_it_was_built(post: Post) -> None:
    with RecordingReceiver(Reply(status=202, body=b"thanks")) as receiver:
        settlement = post(receiver.port, key=("a", 1), body=b'{"nul":"\x00"}', headers=(("X-One", "1"), ("X-Two", "")))
        (arrival,) = receiver.arrivals
    assert (settlement.key, settlement.outcome, settlement.failure_kind) == (("a", 1), Outcome.CONFIRMED, None)
    assert (settlement.status_code, settlement.retry_after_seconds) == (202, None)
    assert 0 <= settlement.duration_ms < 5000
    assert (arrival.method, arrival.path, arrival.body) == ("POST", "/hook", b'{"nul":"\x00"}')
    assert (arrival.headers["x-one"], arrival.headers["x-two"]) == ("1", "")
    assert not {"expect", "accept-encoding", "cookie", "authorization"} & set(arrival.headers)


@pytest.mark.parametrize(
    ("status", "outcome", "kind"),
    [
        (301, Outcome.REFUSED, FailureKind.REDIRECT_REFUSED),
        (304, Outcome.REFUSED, FailureKind.REDIRECT_REFUSED),
        (400, Outcome.REFUSED, FailureKind.PAYLOAD_REFUSED),
        (401, Outcome.REFUSED, FailureKind.CREDENTIAL_REFUSED),
        (403, Outcome.REFUSED, FailureKind.CREDENTIAL_REFUSED),
        (404, Outcome.REFUSED, FailureKind.ADDRESS_UNKNOWN),
        (407, Outcome.REFUSED, FailureKind.CREDENTIAL_REFUSED),
        (408, Outcome.REFUSED, FailureKind.TRY_LATER),
        (410, Outcome.REFUSED, FailureKind.ADDRESS_UNKNOWN),
        (413, Outcome.REFUSED, FailureKind.PAYLOAD_REFUSED),
        (422, Outcome.REFUSED, FailureKind.PAYLOAD_REFUSED),
        (425, Outcome.REFUSED, FailureKind.TRY_LATER),
        (429, Outcome.REFUSED, FailureKind.RATE_LIMITED),
        (500, Outcome.ANSWERED_5XX, FailureKind.SERVER_ERROR),
        (502, Outcome.ANSWERED_5XX, FailureKind.GATEWAY_FAILED),
        (503, Outcome.ANSWERED_5XX, FailureKind.UNAVAILABLE),
        (504, Outcome.ANSWERED_5XX, FailureKind.GATEWAY_FAILED),
        (599, Outcome.ANSWERED_5XX, FailureKind.SERVER_ERROR),
    ],
)
def test_a_complete_answer_that_is_no_success_is_told_apart_by_its_status(
    post: Post, status: int, outcome: Outcome, kind: FailureKind
) -> None:
    with RecordingReceiver(Reply(status=status)) as receiver:
        settlement = post(receiver.port)
    assert (settlement.outcome, settlement.failure_kind, settlement.status_code) == (outcome, kind, status)


def test_a_redirect_is_not_followed_even_to_the_same_receiver(post: Post) -> None:
    with RecordingReceiver(Reply(status=307, headers=(("Location", "/elsewhere"), ("Retry-After", "5")))) as receiver:
        settlement = post(receiver.port)
        assert [arrival.path for arrival in receiver.arrivals] == ["/hook"]
    assert settlement.failure_kind == FailureKind.REDIRECT_REFUSED
    assert settlement.retry_after_seconds is None


def test_a_connector_may_reject_a_2xx_for_what_it_says(post: Post) -> None:
    rejected = Verdict(failure_kind=FailureKind.ANSWER_REJECTED)
    with RecordingReceiver(Reply(body=b'{"errors":true}')) as receiver:
        settlement = post(receiver.port, judge=lambda status_code, body: rejected if b"errors" in body else None)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.REFUSED, FailureKind.ANSWER_REJECTED)


def test_no_connector_can_confirm_an_answer_that_is_no_2xx(post: Post) -> None:
    with RecordingReceiver(Reply(status=500)) as receiver:
        settlement = post(receiver.port, judge=lambda status_code, body: Verdict(failure_kind=None))
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.ANSWERED_5XX, FailureKind.SERVER_ERROR)


def test_a_judge_that_stumbles_over_an_answer_leaves_it_unknown(post: Post) -> None:
    def judge(status_code: int, body: bytes) -> Verdict:
        raise ValueError(body)

    with RecordingReceiver(Reply(body=b"secret of the receiver")) as receiver:
        settlement = post(receiver.port, judge=judge)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.UNKNOWN, FailureKind.ANSWER_MALFORMED)


def test_a_judge_sees_four_kibibytes_of_a_longer_answer_and_the_answer_still_counts(post: Post) -> None:
    seen: list[int] = []

    def judge(status_code: int, body: bytes) -> Verdict:
        seen.append(len(body))
        return Verdict(failure_kind=None)

    with RecordingReceiver(Reply(body=b"x" * 200_000)) as receiver:
        assert post(receiver.port, judge=judge).outcome == Outcome.CONFIRMED
    assert seen == [4096]


def test_a_refused_connection_was_not_sent(post: Post) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    settlement = post(port)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.NOT_SENT, FailureKind.CONNECT_REFUSED)
    assert settlement.status_code is None


def test_a_name_that_does_not_resolve_was_not_sent(post: Post) -> None:
    settlement = post(443, url="https://receiver.invalid/hook")
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.NOT_SENT, FailureKind.NAME_UNRESOLVED)


def test_a_connection_that_is_never_accepted_was_not_sent(post: Post) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        settlement = post(full.getsockname()[1], timeout_seconds=0.4)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.NOT_SENT, FailureKind.CONNECT_TIMEOUT)


def test_an_exchange_whose_lease_ran_out_is_not_begun(client: Client[Any]) -> None:
    with RecordingReceiver() as receiver:
        (settlement,) = client.send_all([send_to(receiver.url, receiver.egress, start_by=0.0)])
        assert receiver.arrivals == []
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.NOT_SENT, FailureKind.LEASE_LOST)


@pytest.mark.parametrize(
    "change",
    [
        {"headers": (("X-Evil", "1\r\nX-More: 2"),)},
        {"headers": (("X-Evil", "1\n"),)},
        {"headers": (("X-Evil", "caf\xe9"),)},
        {"method": "TRACE"},
        {"method": "POST / HTTP/1.1\r\n"},
    ],
)
def test_a_request_that_could_break_out_of_its_line_is_not_sent(post: Post, change: dict[str, object]) -> None:
    with RecordingReceiver() as receiver:
        settlement = post(receiver.port, **change)
        assert receiver.arrivals == []
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.NOT_SENT, FailureKind.REQUEST_INVALID)


def test_silence_after_the_request_is_unknown_when_the_deadline_passes(post: Post) -> None:
    with RecordingReceiver(Reply(latency_seconds=30)) as receiver:
        settlement = post(receiver.port, timeout_seconds=0.4)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.UNKNOWN, FailureKind.ANSWER_TIMEOUT)
    assert 400 <= settlement.duration_ms < 2000


def drip(connection: socket.socket, stopping: threading.Event, head: bytes, piece: bytes) -> None:
    read_request(connection)
    connection.sendall(head)
    while not stopping.wait(0.02):
        connection.sendall(piece)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    ],
    ids=["body", "header", "interim answers", "chunks", "chunk size"],
)
def test_one_deadline_covers_an_answer_that_drips(post: Post, head: bytes, piece: bytes) -> None:
    with raw_receiver(lambda connection, stopping: drip(connection, stopping, head, piece)) as port:
        settlement = post(port, timeout_seconds=0.5)
    assert settlement.outcome == Outcome.UNKNOWN
    assert settlement.failure_kind in {FailureKind.ANSWER_TIMEOUT, FailureKind.CONNECTION_LOST}
    assert settlement.duration_ms < 2000


def flood(connection: socket.socket, head: bytes, piece: bytes) -> None:
    read_request(connection)
    connection.sendall(head)
    for _ in range(4000):
        connection.sendall(piece)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", b"x" * 1024),
        (b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n", b"400\r\n" + b"x" * 1024 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 1024),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "chunks", "headers", "header line", "interim answers"],
)
def test_an_answer_without_end_is_cut_and_unknown_whatever_its_status(post: Post, head: bytes, piece: bytes) -> None:
    with raw_receiver(lambda connection, stopping: flood(connection, head, piece)) as port:
        settlement = post(port)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.UNKNOWN, FailureKind.ANSWER_TOO_LARGE)


def test_a_compressed_answer_is_not_unpacked(post: Post) -> None:
    with RecordingReceiver(Reply(body=b"not gzip at all", headers=(("Content-Encoding", "gzip"),))) as receiver:
        assert post(receiver.port).outcome == Outcome.CONFIRMED


@pytest.mark.parametrize(
    "garbage", [b"SSH-2.0-OpenSSH\r\n", b"<html>200 OK</html>", b"HTTP/1.1 999 Odd\r\n\r\n", b"\0" * 64]
)
def test_an_answer_that_is_not_http_is_unknown(post: Post, garbage: bytes) -> None:
    def behave(connection: socket.socket, stopping: threading.Event) -> None:
        read_request(connection)
        connection.sendall(garbage)

    with raw_receiver(behave) as port:
        settlement = post(port)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.UNKNOWN, FailureKind.ANSWER_MALFORMED)
    assert settlement.status_code is None


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nha", b"HTTP/1.1 200 OK\r\nConte"])
@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
def test_a_connection_lost_after_the_request_is_unknown(post: Post, said: bytes, reset: bool) -> None:
    def behave(connection: socket.socket, stopping: threading.Event) -> None:
        read_request(connection)
        connection.sendall(said)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with raw_receiver(behave) as port:
        settlement = post(port)
    assert settlement.outcome == Outcome.UNKNOWN
    assert settlement.failure_kind == FailureKind.CONNECTION_LOST


def test_a_request_is_not_sent_again_when_a_kept_connection_closes_without_an_answer(client: Client[Any]) -> None:
    requests: list[bytes] = []

    def behave(connection: socket.socket, stopping: threading.Event) -> None:
        requests.append(read_request(connection))
        connection.sendall(OK)
        requests.append(read_request(connection))

    with raw_receiver(behave) as port:
        first, second = (
            client.send_all([send_to(f"http://127.0.0.1:{port}/", egress_to(port), body=body)])[0]
            for body in (b"1", b"2")
        )
    assert first.outcome == Outcome.CONFIRMED
    assert (second.outcome, second.failure_kind) == (Outcome.UNKNOWN, FailureKind.CONNECTION_LOST)
    assert [request[-1:] for request in requests if request] == [b"1", b"2"]


def test_a_handle_carries_nothing_over_from_its_last_exchange(client: Client[Any]) -> None:
    with RecordingReceiver(Reply(status=503, body=b"busy", headers=(("Retry-After", "7"),))) as receiver:
        egress = receiver.egress
        (busy,) = client.send_all([send_to(receiver.url, egress)])
        receiver.reply = Reply(status=500)
        (failed,) = client.send_all([send_to(receiver.url, egress, judge=_body_must_be_empty)])
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        (refused,) = client.send_all([send_to(f"http://127.0.0.1:{port}/hook", egress_to(port))])
    assert (busy.status_code, busy.retry_after_seconds) == (503, 7)
    assert (failed.status_code, failed.retry_after_seconds) == (500, None)
    assert (refused.status_code, refused.outcome) == (None, Outcome.NOT_SENT)


def _body_must_be_empty(status_code: int, body: bytes) -> Verdict:
    assert body == b""
    return Verdict(failure_kind=FailureKind.SERVER_ERROR)


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, (("Retry-After", "120"),), 120),
        (503, (("retry-after", "0"),), 0),
        (400, (("Retry-After", "99999999999999"),), 43_200 * 60),
        (503, (("Retry-After", "-1"),), None),
        (503, (("Retry-After", "soon"),), None),
        (503, (("Retry-After", "\xe9"),), None),
        (200, (("Retry-After", "9"),), None),
    ],
)
def test_retry_after_is_read_from_failures_and_bounded(
    post: Post, status: int, headers: tuple[tuple[str, str], ...], seconds: int | None
) -> None:
    with RecordingReceiver(Reply(status=status, headers=headers)) as receiver:
        assert post(receiver.port).retry_after_seconds == seconds


def test_many_exchanges_are_driven_at_once_over_kept_connections() -> None:
    def reply(arrival: Arrival) -> Reply:
        return Reply(status=200 if int(arrival.body) % 2 else 500)

    with RecordingReceiver(reply) as receiver, Client[Any](max_in_flight=8) as client:
        sends = [send_to(receiver.url, receiver.egress, key=number, body=str(number).encode()) for number in range(200)]
        client.submit(iter(sends))
        assert client.pending == 200
        settlements = client.send_all([])
        assert client.pending == 0
        assert sorted(int(arrival.body) for arrival in receiver.arrivals) == list(range(200))
        assert receiver.connection_count <= 8
    assert {settlement.key: settlement.status_code for settlement in settlements} == {
        number: 200 if number % 2 else 500 for number in range(200)
    }


def test_libcurl_and_selectors_number_reading_and_writing_alike() -> None:
    assert pycurl.POLL_IN == pycurl.CSELECT_IN == selectors.EVENT_READ
    assert pycurl.POLL_OUT == pycurl.CSELECT_OUT == selectors.EVENT_WRITE
    assert pycurl.POLL_INOUT == selectors.EVENT_READ | selectors.EVENT_WRITE


def test_pump_returns_as_soon_as_something_is_settled_and_empty_handed_when_the_time_is_up() -> None:
    def reply(arrival: Arrival) -> Reply:
        return Reply(latency_seconds=30 if arrival.body == b"slow" else 0)

    with RecordingReceiver(reply) as receiver, Client[Any]() as client:
        client.submit(
            send_to(receiver.url, receiver.egress, key=body, body=body, timeout_seconds=20)
            for body in (b"slow", b"fast")
        )
        assert [settlement.key for settlement in client.pump(timeout_seconds=10)] == [b"fast"]
        assert client.pump(timeout_seconds=0.01) == []
        assert client.pending == 1
    client.close()
    assert client.pending == 0


def test_a_large_body_arrives_whole(post: Post) -> None:
    body = bytes(range(256)) * 4096
    with RecordingReceiver() as receiver:
        assert post(receiver.port, body=body).outcome == Outcome.CONFIRMED
        assert receiver.arrivals[0].body == body


def test_a_body_that_only_left_in_part_is_unknown(post: Post) -> None:
    def behave(connection: socket.socket, stopping: threading.Event) -> None:
        connection.recv(1)
        stopping.wait(30)

    with raw_receiver(behave) as port:
        settlement = post(port, body=b"x" * 20_000_000, timeout_seconds=0.5)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.UNKNOWN, FailureKind.ANSWER_TIMEOUT)


def test_a_closed_client_gives_back_every_descriptor() -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("open descriptors are counted under /proc")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, nobody answers
        port = silent.getsockname()[1]
        before = len(list(descriptors.iterdir()))
        with Client[Any]() as client:
            client.submit(send_to(f"http://127.0.0.1:{port}/", egress_to(port)) for _ in range(5))
            assert client.pump(timeout_seconds=0.05) == []
            assert client.pending == 5
        assert len(list(descriptors.iterdir())) <= before
