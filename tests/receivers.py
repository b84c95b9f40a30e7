"""Receivers to send to: real servers on 127.0.0.1 that keep their own record of what arrived."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from rollback_audit.delivery.contract import Egress

LOOPBACK = ("127.0.0.0/8",)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it arrived. Header names are in lower case; `at` is time.monotonic()."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer, and how long to think about it first. `drop` closes the connection without a word."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    latency_seconds: float = 0.0
    drop: bool = False


def egress_to(port: int, **changes: Any) -> Egress:
    """An egress that allows plain http to this port of 127.0.0.1 and nothing else."""
    return replace(Egress(allow_networks=LOOPBACK, allow_ports=(port,), allow_plain_http=True), **changes)


class RecordingReceiver:
    """Answers every request with `reply`: a Reply, or a function from the Arrival to one; both may be set again.

    `arrivals` is the receiver's own record, in the order of arrival. Connections are kept alive, as real receivers do.
    """

    def __init__(self, reply: Reply | Callable[[Arrival], Reply] = Reply()) -> None:
        self.reply = reply
        self._arrivals: list[Arrival] = []
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.on_connect = self._connections.add
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def egress(self) -> Egress:
        return egress_to(self.port)

    @property
    def arrivals(self) -> list[Arrival]:
        with self._changed:
            return list(self._arrivals)

    @property
    def connection_count(self) -> int:
        """Connections accepted so far."""
        return self._server.accepted

    def wait_for(self, count: int, *, timeout_seconds: float = 10.0) -> list[Arrival]:
        """The record once it holds `count` arrivals."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._arrivals) >= count, timeout_seconds), "too few arrivals"
            return list(self._arrivals)

    def serve_tls(self, context: ssl.SSLContext) -> None:
        """Speak https from now on; before `with`."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    def _record(self, arrival: Arrival) -> Reply:
        with self._changed:
            self._arrivals.append(arrival)
            self._changed.notify_all()
        reply = self.reply(arrival) if callable(self.reply) else self.reply
        self._stopping.wait(reply.latency_seconds)
        return reply

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        record = self._record

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = record(Arrival(self.command, self.path, headers, body, time.monotonic()))
                if reply.drop:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_PUT = do_PATCH = do_GET = do_POST  # noqa: N815

            def log_message(self, *args: Any) -> None:
                """Tests read the record, not the log."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512
    accepted = 0
    on_connect: Callable[[socket.socket], None]

    def process_request(self, request: Any, client_address: Any) -> None:
        self.accepted += 1
        self.on_connect(request)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some tests are about."""


@contextmanager
def raw_receiver(behave: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """A server that behaves as badly as it is told: `behave(connection, stopping)` gets each connection.

    Yields the port. `stopping` is set when the test is over.
    """
    stopping = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            behave(connection, stopping)

    def accept() -> None:
        while not stopping.is_set():
            with suppress(TimeoutError):
                threads.append(threading.Thread(target=serve, args=(listener.accept()[0],)))
                threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stopping.set()
        acceptor.join()
        listener.close()
        for thread in threads:
            thread.join()


def read_request(connection: socket.socket) -> bytes:
    """One whole request: its head and as many body bytes as it announces."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65_536)
        if not chunk:
            return data
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body
