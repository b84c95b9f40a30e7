"""What only a real server shows: bodies that are too large, cut short, or sent in chunks."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection
from pytest_django.live_server_helper import LiveServer

from rollback_audit.engine import tokens
from rollback_audit.models import RetryPlan
from rollback_audit.states import Role
from tests.api.doors import A
from tests.engine.conftest import People

pytestmark = pytest.mark.django_db(transaction=True)

PLAN = f"{A}/retry-plan"


@dataclass(frozen=True, slots=True)
class Server:
    """A server on 127.0.0.1 and a token that it knows."""

    port: int
    token: str

    def ask(self, *parts: bytes, headers: tuple[str, ...] = (), path: str = PLAN) -> tuple[int, dict[str, object]]:
        """Send the head, then each part, and read the answer."""
        head = [
            f"POST {path} HTTP/1.1",
            "Host: 127.0.0.1",
            "Content-Type: application/json",
            f"Authorization: Bearer {self.token}",
            "Connection: close",
            *headers,
        ]
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as sent:
            sent.sendall("\r\n".join([*head, "", ""]).encode())
            for part in parts:
                sent.sendall(part)
            answer = HTTPResponse(sent)
            answer.begin()
            return answer.status, json.loads(answer.read())


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _database_url() -> str:
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{values['NAME']}"
    user, password, host = (quote(str(values[name]), safe="") for name in ("USER", "PASSWORD", "HOST"))
    return f"postgresql://{user}:{password}@{host}:{values['PORT']}/{values['NAME']}"


@pytest.fixture
def token(people: People) -> str:
    return tokens.create(username="manager", role=Role.RELEASE_MANAGER.value)


@pytest.fixture
def gunicorn(token: str) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = subprocess.Popen(
            [
                sys.executable,
                *("-m", "gunicorn", "--bind", f"fd://{listener.fileno()}", "--threads", "2"),
                *("--log-level", "error", "cavra_site.wsgi:application"),
            ],
            pass_fds=[listener.fileno()],
            env=os.environ | {"CAVRA_DATABASE_URL": _database_url(), "CAVRA_HOME": str(settings.CAVRA_HOME)},
        )
        try:
            yield Server(listener.getsockname()[1], token)
        finally:
            process.terminate()
            process.wait(timeout=20)


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(gunicorn: Server) -> None:
    status, answer = gunicorn.ask(b"{", headers=("Content-Length: 10000000",))
    assert (status, answer["code"]) == (413, "body_too_large")


def test_a_stranger_is_turned_away_before_the_body_is_looked_at(gunicorn: Server) -> None:
    stranger = Server(gunicorn.port, "cavra_nonsense")
    assert stranger.ask(b"{", headers=("Content-Length: 10000000",))[0] == 401


def test_a_body_in_chunks_is_read(gunicorn: Server) -> None:
    parts = [b'{"generated_by"', b': "in chunks"}']
    status, answer = gunicorn.ask(*map(_chunk, [*parts, b""]), headers=("Transfer-Encoding: chunked",))
    assert status == 200, answer
    assert RetryPlan.objects.get().generated_by == "in chunks"


def test_a_body_in_chunks_that_is_too_large_is_refused(gunicorn: Server) -> None:
    body = b'{"generated_by": "' + b"x" * (1024 * 1024)
    status, answer = gunicorn.ask(_chunk(body), _chunk(b""), headers=("Transfer-Encoding: chunked",))
    assert (status, answer["code"]) == (413, "body_too_large")


def test_a_body_in_broken_chunks_is_refused(gunicorn: Server) -> None:
    status, answer = gunicorn.ask(b"zz\r\n{}\r\n0\r\n\r\n", headers=("Transfer-Encoding: chunked",))
    assert (status, answer["code"]) == (400, "parse_error")


def test_an_empty_body_in_chunks_is_an_empty_object(gunicorn: Server) -> None:
    assert gunicorn.ask(_chunk(b""), headers=("Transfer-Encoding: chunked",))[0] == 200


def test_a_host_that_is_not_ours_is_answered_in_json(gunicorn: Server) -> None:
    status, answer = gunicorn.ask(headers=("X-Forwarded-Host: evil.example",), path=f"{A}/nothing")
    assert (status, answer["code"]) == (404, "not_found")


def test_a_server_that_cannot_end_a_body_wants_its_length(live_server: LiveServer, token: str) -> None:
    server = Server(live_server.thread.port, token)
    status, answer = server.ask(_chunk(b"{}"), _chunk(b""), headers=("Transfer-Encoding: chunked",))
    assert (status, answer["code"]) == (411, "length_required")


def test_a_real_server_plans(live_server: LiveServer, token: str) -> None:
    body = b'{"generated_by": "over the wire"}'
    server = Server(live_server.thread.port, token)
    status, answer = server.ask(body, headers=(f"Content-Length: {len(body)}",))
    assert status == 200, answer
