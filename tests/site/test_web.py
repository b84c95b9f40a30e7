"""What the web server says of bytes that are no request: a status and where the log has it, and none of the bytes."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings

from tests.site.shell import COMMAND, cavra, environment
from tests.waiting import within

MARKER = "hunter2"
UNREADABLE = {
    f"GET {MARKER} HTTP/9.9\r\n\r\n": 400,
    f"G{MARKER}(T / HTTP/1.1\r\n\r\n": 400,
    f"GET / HTTP/1.1\r\nHost: a\r\n{MARKER}(: x\r\n\r\n": 400,
    f"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {MARKER}\r\n\r\n": 501,
    f"GET /{MARKER}{'x' * 9000} HTTP/1.1\r\n\r\n": 414,
    f"GET / HTTP/1.1\r\n{MARKER}: {'x' * 70_000}\r\n\r\n": 431,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    home = tmp_path_factory.mktemp("web")
    assert cavra("migrate", home=home).returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    log = home / "log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            [*COMMAND, "api", "--port", str(port)],
            env=environment(home=home, CAVRA_LOG_LEVEL="debug"),
            stdout=output,
            stderr=output,
            cwd=settings.BASE_DIR,
        )
        try:
            assert within(
                30, lambda: b"HTTP" in ask(port, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            )
            yield port, log
        finally:
            running.terminate()
            running.wait(timeout=30)


def ask(port: int, sent: str) -> bytes:
    answer = b""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(sent.encode())
        while part := client.recv(65536):
            answer += part
    return answer


@pytest.mark.slow
@pytest.mark.parametrize("sent", UNREADABLE, ids=map(str, range(len(UNREADABLE))))
def test_what_is_no_request_is_not_repeated(server: tuple[int, Path], sent: str) -> None:
    port, log = server
    answer = ask(port, sent).decode()
    # A connection that is closed on unread bytes may lose the answer on the way; the log has it all the same.
    if answer:
        assert answer.startswith(f"HTTP/1.1 {UNREADABLE[sent]} ")
        assert "In the log as " in answer
    assert within(5, lambda: f'"status_code": {UNREADABLE[sent]}' in log.read_text())
    said = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"event": "request_unreadable", "status_code": UNREADABLE[sent]}.items() <= said[-1].items()
    assert MARKER not in answer + log.read_text()
