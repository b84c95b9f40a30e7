"""What a library raises may say anything. One code of ours is what is left of it: stored, answered and logged."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pycurl
import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.backends.utils import CursorWrapper
from django.urls import reverse

from cavra_site import logs
from rollback_audit import tasks
from rollback_audit.delivery import fields, names, stream
from rollback_audit.engine import leases
from rollback_audit.models import DeliveryAttempt
from rollback_audit.states import AttemptState, FailureKind
from tests.api.doors import A, B
from tests.canaries import exceptions, places
from tests.canaries.exceptions import made
from tests.canaries.places import LogLines
from tests.canaries.scene import Scene, hits
from tests.receivers import LOOPBACK, Reply, raw_receiver

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

_SETOPT, _GETINFO = "setopt", "getinfo"


@pytest.fixture
def nothing_is_left(scene: Scene, log: LogLines, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Gives a text to raise, fresh each time; afterwards none of them is anywhere."""

    def fresh() -> str:
        (one,) = scene.sow("exception", ["postgres_dsn"], encodings=("raw",))
        return one.text

    yield fresh
    terminal = ("terminal", "".join(capfd.readouterr()).encode())
    found = hits(scene.sown, [*places.database(), *log.places(), *scene.heard, terminal], private=lambda door: False)
    assert not found, [str(hit) for hit in found[:10]]


def deliver(scene: Scene, **keys: Any) -> None:
    """Deliver to one connector more, and hear what the API says."""
    usual = {"provider": "splunk", "token_env": "TEST_WEBHOOK_SECRET", "allow_networks": [*LOOPBACK]}
    scene.configure({"broken": usual | keys})
    said = {"delivery_provider": "broken", "timeout_seconds": 0.5}
    scene.hear("a delivery", scene.api.post(A, said))


def one_code(later: Callable[[timedelta], None]) -> FailureKind | None:
    """What became of the last attempt, in the end: an exception may leave it to the sweeper."""
    later(timedelta(minutes=10))
    leases.reclaim_expired()
    attempt = DeliveryAttempt.objects.latest("pk")
    assert attempt.state == AttemptState.SETTLED
    return FailureKind(attempt.failure_kind) if attempt.failure_kind else None


@pytest.mark.parametrize("kind", exceptions.RESOLVER, ids=lambda kind: kind.__name__)
def test_a_resolver_that_raises_leaves_one_code(
    kind: type[BaseException],
    scene: Scene,
    nothing_is_left: Callable[[], str],
    later: Callable[[timedelta], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise made(kind, nothing_is_left())

    monkeypatch.setattr(names.socket, "getaddrinfo", broken)
    deliver(scene, url="https://receiver.example.com/")
    assert one_code(later) is FailureKind.NAME_UNRESOLVED


@pytest.mark.parametrize("at", ["do_handshake", "write", "unwrap", "read"])
def test_a_tls_layer_that_raises_leaves_one_code(
    at: str,
    scene: Scene,
    nothing_is_left: Callable[[], str],
    later: Callable[[timedelta], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        """A TLS object that works until it is asked for one thing."""

        def __init__(self, kind: type[BaseException]) -> None:
            self.kind = kind

        def wrap_bio(self, *_: object, **__: object) -> "Broken":
            return self

        def __getattr__(self, name: str) -> Callable[..., int]:
            def answer(data: Any = b"") -> int:
                if name == at:
                    raise made(self.kind, nothing_is_left())
                return len(data) if isinstance(data, memoryview) else 0

            return answer

    with raw_receiver(lambda connection, stopping: stopping.wait(1)) as port:
        for kind in exceptions.TLS:
            monkeypatch.setattr(stream, "_context", lambda egress, kind=kind: Broken(kind))
            keys = {"provider": "syslog", "token_env": None, "url": f"tls://127.0.0.1:{port}", "allow_ports": [port]}
            scene.configure({})
            usual = {key: value for key, value in keys.items() if value is not None}
            scene.configure({"broken": usual | {"allow_networks": [*LOOPBACK]}})
            scene.hear("a delivery", scene.api.post(A, {"delivery_provider": "broken", "timeout_seconds": 0.2}))
            one_code(later)
    assert len(DeliveryAttempt.objects.filter(delivery__provider="broken")) == len(exceptions.TLS)


@pytest.mark.parametrize("kind", exceptions.JSON, ids=lambda kind: kind.__name__)
def test_a_parser_that_raises_leaves_one_code(
    kind: type[BaseException],
    scene: Scene,
    nothing_is_left: Callable[[], str],
    later: Callable[[timedelta], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        @staticmethod
        def loads(body: bytes) -> Any:
            raise made(kind, nothing_is_left())

    monkeypatch.setattr(fields, "json", Broken)
    receiver = scene.world.receiver
    receiver.reply = Reply(400, b'{"code": 6}')
    egress = {"allow_ports": [receiver.port], "allow_plain_http": True}
    deliver(scene, url=f"http://127.0.0.1:{receiver.port}", **egress)
    assert one_code(later) in {FailureKind.ANSWER_MALFORMED, FailureKind.PAYLOAD_REFUSED}


@pytest.mark.parametrize("at", [_SETOPT, _GETINFO])
def test_a_client_that_raises_leaves_one_code(
    at: str,
    scene: Scene,
    nothing_is_left: Callable[[], str],
    later: Callable[[timedelta], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = {_SETOPT: pycurl.HTTPHEADER, _GETINFO: pycurl.RESPONSE_CODE}

    class Broken(pycurl.Curl):
        def setopt(self, option: int, value: Any) -> None:
            if at == _SETOPT and option == options[at]:
                raise pycurl.error(3, nothing_is_left())
            super().setopt(option, value)

        def getinfo(self, option: int) -> Any:
            if at == _GETINFO and option == options[at]:
                raise pycurl.error(48, nothing_is_left())
            return super().getinfo(option)

    monkeypatch.setattr(pycurl, "Curl", Broken)
    port = scene.world.receiver.port
    deliver(scene, url=f"http://127.0.0.1:{port}", allow_ports=[port], allow_plain_http=True)
    assert one_code(later) is not None


@contextmanager
def broken_database(monkeypatch: pytest.MonkeyPatch, kind: type[BaseException], text: str) -> Iterator[None]:
    """Every statement about the project's own records fails, as if the driver had raised."""
    execute = CursorWrapper._execute

    def broken(self: Any, sql: str, params: Any, *ignored: Any) -> Any:
        if "rollback_audit_" in sql and "apitoken" not in sql:
            with self.db.wrap_database_errors:
                raise made(kind, text)
        return execute(self, sql, params, *ignored)

    with monkeypatch.context() as patched:
        patched.setattr(CursorWrapper, "_execute", broken)
        yield


def say(scene: Scene, words: list[str]) -> None:
    """A command as the `cavra` program runs it: what it does not catch, the program's own hook tells of."""
    said = io.StringIO()
    try:
        call_command(*words, stdout=said, stderr=said)
    except CommandError as refusal:
        said.write(str(refusal))
    except Exception:
        logs._uncaught(*sys.exc_info())  # type: ignore[arg-type]
    scene.heard.append(("a command", said.getvalue().encode()))


def test_a_database_that_raises_leaves_one_code(
    scene: Scene, nothing_is_left: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = set()
    delivery = reverse("admin:rollback_audit_delivery_changelist")
    for kind in exceptions.of_the_database():
        with broken_database(monkeypatch, kind, nothing_is_left()):
            for answer in (
                scene.api.get(f"{A}/worker-runs"),
                scene.api.post(f"{A}/retry-plan", {}),
                scene.api.post(f"{B}/deliver", {}, HTTP_IDEMPOTENCY_KEY="again"),
            ):
                scene.hear("the API", answer)
                codes.add(answer.json()["code"])
            for page in (reverse("console:overview"), delivery, reverse("console:plan", args=["x"])):
                answer = scene.hear("the console", scene.browser().get(page))
                assert answer.status_code in {400, 500, 503}
            scene.hear("the console", scene.browser().post(reverse("console:plan-retry"), {}))
            tasks.sweep()
            tasks.run_schedules()
            for words in (["plan"], ["connectors"]):
                say(scene, words)
        # The test's own transaction, which something that failed inside it has given up.
        transaction.set_rollback(False)
    assert codes <= {"internal_error", "database_unavailable", "parse_error"}
