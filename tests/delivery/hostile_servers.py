"""Receivers that mean harm, in a process of their own so that the client's memory is the client's.

`running()` starts them and gives their ports by name. Whatever they say carries CANARY, which nobody may keep.
"""

import gzip
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.receivers import read_request

CANARY = b"canary-5f1d-of-a-receiver"
_LINE = b"\r\nX-Word: " + CANARY + b"\r\n"
_OK = b"HTTP/1.1 200 OK" + _LINE
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_LONG = CANARY * 200_000  # 5 MB
_FOR_EVER = 5_000
_PATIENCE_SECONDS = 20

Behaviour = Callable[[socket.socket], None]
SERVERS: dict[str, Behaviour] = {}


def _named(name: str, behave: Behaviour) -> None:
    SERVERS[name] = behave


def _says(name: str, *pieces: bytes) -> None:
    """Reads the request, says the pieces and closes."""

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        for piece in pieces:
            connection.sendall(piece)

    SERVERS[name] = behave


def _floods(name: str, head: bytes, piece: bytes) -> None:
    """Reads the request, then says the piece again and again, as fast as it is taken."""
    _says(name, head, *[piece] * _FOR_EVER)


def _drips(name: str, head: bytes, piece: bytes) -> None:
    """Reads the request, then says the piece again and again, slowly."""

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head)
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            connection.sendall(piece)
            time.sleep(0.02)

    SERVERS[name] = behave


def _hold(connection: socket.socket) -> None:
    """Until the client has gone."""
    while connection.recv(65_536):
        pass


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _answer_and_reset(connection: socket.socket) -> None:
    connection.sendall(_OK + b"\r\n")
    _reset(connection)


def _after(said: bytes, then: Behaviour) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(said)
        then(connection)

    return behave


def _wait_out(connection: socket.socket) -> None:
    time.sleep(_PATIENCE_SECONDS)


def _answer_too_late(connection: socket.socket) -> None:
    read_request(connection)
    time.sleep(1.3)
    connection.sendall(_OK + b"Content-Length: 0\r\n\r\n")


def _read_slowly(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until and connection.recv(1):
        time.sleep(0.1)


def _half_close(connection: socket.socket) -> None:
    read_request(connection)
    connection.shutdown(socket.SHUT_WR)
    _wait_out(connection)


# Silence and broken connections.
_named("never reads", _wait_out)
_named("reads and says nothing", _after(b"", _wait_out))
_named("answers too late", _answer_too_late)
_named("reads a byte now and then", _read_slowly)
_named("closes at once", lambda connection: None)
_named("resets at once", _reset)
_named("closes after the request", _after(b"", lambda connection: None))
_named("resets after the request", _after(b"", _reset))
_named("half-closes and waits", _half_close)
_named("answers without reading and resets", _answer_and_reset)
_named("resets in the body", _after(_OK + b"Content-Length: 99\r\n\r\nha", _reset))
_named("closes in the body", _after(_OK + b"Content-Length: 99\r\n\r\nha", lambda connection: None))
_named("closes in the head", _after(_OK, lambda connection: None))
_named("closes in the status line", _after(b"HTTP/1.1 20", lambda connection: None))
_named("closes between chunks", _after(_CHUNKED + b"4\r\nhaha\r\n", lambda connection: None))
_named("stays open after a whole answer", _after(_OK + b"Content-Length: 0\r\n\r\n", _hold))
_named("stays open without a length", _after(_OK + b"\r\n" + CANARY, _hold))

# Drips.
_drips("drips the status line", b"", b"H")
_drips("drips a header", _OK + b"X-Long: ", b"c")
_drips("drips headers", _OK, b"X-More: " + CANARY + b"\r\n")
_drips("drips the body", _OK + b"Content-Length: 999999\r\n\r\n", CANARY)
_drips("drips chunks", _CHUNKED, b"1\r\nc\r\n")
_drips("drips a chunk size", _CHUNKED, b"0")
_drips("drips trailers", _CHUNKED + b"0\r\n", b"X-More: " + CANARY + b"\r\n")
_drips("drips 100 Continue", b"", b"HTTP/1.1 100 Continue\r\n\r\n")

# Floods.
_floods("floods 100 Continue", b"", b"HTTP/1.1 100 Continue" + _LINE + b"\r\n")
_floods("floods 103 Early Hints", b"", b"HTTP/1.1 103 Early Hints" + _LINE + b"\r\n")
_floods("floods headers", _OK, b"X-More: " + CANARY * 10 + b"\r\n")
_floods("floods cookies", _OK, b"Set-Cookie: a=" + CANARY + b"\r\n")
_floods("floods the body", _OK + b"Content-Length: 9999999999\r\n\r\n", CANARY * 1_000)
_floods("floods a body without a length", _OK + b"\r\n", CANARY * 1_000)
_floods("floods chunks", _CHUNKED, (b"19\r\n" + CANARY + b"\r\n") * 10)
_floods("floods trailers", _CHUNKED + b"0\r\n", b"X-More: " + CANARY * 10 + b"\r\n")
_says("5,000 headers", _OK, b"".join(b"X-%d: %b\r\n" % (number, CANARY) for number in range(5_000)), b"\r\n")
_says("a header of 5 MB", _OK + b"X-Long: ", _LONG, b"\r\n\r\n")
_says("a status line of 5 MB", b"HTTP/1.1 200 ", _LONG, b"\r\n\r\n")
_says("a chunk size of 5 MB", _CHUNKED, b"0" * 5_000_000, b"1\r\nc\r\n0\r\n\r\n")
_says("a chunk extension of 5 MB", _CHUNKED + b"1;x=", _LONG, b"\r\nc\r\n0\r\n\r\n")
_says("a chunk size that overflows", _CHUNKED + b"f" * 40 + b"\r\n" + CANARY)
_says("a negative chunk size", _CHUNKED + b"-1\r\n" + CANARY)

# Bodies that grow when they are touched.
_BOMB = gzip.compress(b"0" * 50_000_000)
_says("a gzip bomb", _OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(_BOMB), _BOMB)
_says("ten codings", _OK + b"Content-Encoding: " + b", ".join([b"gzip"] * 10) + b"\r\nContent-Length: 4\r\n\r\nhaha")
_says("transfer coding gzip", _OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n19\r\n" + CANARY + b"\r\n0\r\n\r\n")
_says("deep JSON", _OK + b"Content-Length: 200000\r\n\r\n" + b"[" * 200_000)
_says("a number of 4,000 digits", _OK + b"Content-Length: 4010\r\n\r\n" + b'{"code":' + b"9" * 4_001 + b"}")

# Answers that contradict themselves or are none.
_says("a negative length", _OK + b"Content-Length: -1\r\n\r\n" + CANARY)
_says("two lengths", _OK + b"Content-Length: 1\r\nContent-Length: 25\r\n\r\n" + CANARY)
_says("a length and chunks", _OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + CANARY)
_says("a second answer behind the first", _OK + b"Content-Length: 0\r\n\r\n" + _OK + b"Content-Length: 0\r\n\r\n")
_says("HTTP/0.9", b"<html>" + CANARY + b"</html>")
_says("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" + CANARY)
_says("HTTP/9.9", b"HTTP/9.9 200 OK\r\n\r\n" + CANARY)
_says("status 000", b"HTTP/1.1 000 No" + _LINE + b"\r\n")
_says("status 999", b"HTTP/1.1 999 Odd" + _LINE + b"\r\n")
_says("101 Switching Protocols", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c" + _LINE + b"\r\n" + CANARY)
_says("204 with a body", b"HTTP/1.1 204 No Content" + _LINE + b"Content-Length: 25\r\n\r\n" + CANARY)
_says("NUL in a header", _OK + b"X-Nul: a\0b" + CANARY + b"\r\n\r\n")
_says("bare line feeds", b"HTTP/1.1 200 OK\nX-Word: " + CANARY + b"\n\n")
_says("bare carriage returns", b"HTTP/1.1 200 OK\rX-Word: " + CANARY + b"\r\r")
_says("folded headers", _OK + b" " + CANARY + b"\r\n\t" + CANARY + b"\r\nContent-Length: 0\r\n\r\n")
_says("a header without a name", _OK + b": " + CANARY + b"\r\nContent-Length: 0\r\n\r\n")
_says("garbage", bytes(range(256)) * 40 + CANARY)
_says("an SSH banner", b"SSH-2.0-" + CANARY + b"\r\n")
_says("a TLS alert", b"\x15\x03\x01\x00\x02\x02\x46" + CANARY)

# Bad advice.
for _name, _advice in {
    "no number": CANARY,
    "20,000 digits": b"9" * 20_000,
    "minus one": b"-1",
    "a fraction": b"1.5",
    "the year 9999": b"Fri, 31 Dec 9999 23:59:59 GMT",
    "the year 99999": b"Fri, 31 Dec 99999 23:59:59 GMT",
    "twice": b"1\r\nRetry-After: " + CANARY,
    "bytes that are no text": b"\xff\xfe\x80" + CANARY,
}.items():
    _says(f"Retry-After: {_name}", b"HTTP/1.1 503 No\r\nRetry-After: " + _advice + _LINE + b"Content-Length: 0\r\n\r\n")
_says(
    "401 with every challenge",
    b"HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate, NTLM, Basic realm=x, Digest realm=x, nonce=y" + _LINE + b"\r\n",
)
_says("407 of no proxy", b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x" + _LINE + b"\r\n")
_ALT_SVC = b'Alt-Svc: h3=":443"; ma=99\r\nLink: </x>; rel=preload\r\n'
_says("Alt-Svc and Link", _OK + _ALT_SVC + b"Content-Length: 0\r\n\r\n")


def _serve(listener: socket.socket, behave: Behaviour) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_meet, args=(connection, behave), daemon=True).start()


def _meet(connection: socket.socket, behave: Behaviour) -> None:
    with connection, suppress(OSError):
        connection.settimeout(_PATIENCE_SECONDS)
        behave(connection)


@contextmanager
def running() -> Iterator[dict[str, int]]:
    """Every server's port by its name, for as long as the block lasts."""
    command = [sys.executable, "-m", "tests.delivery.hostile_servers"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())
        process.kill()


def main() -> None:
    ports = {}
    for name, behave in SERVERS.items():
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        ports[name] = listener.getsockname()[1]
        threading.Thread(target=_serve, args=(listener, behave), daemon=True).start()
    print(json.dumps(ports), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
