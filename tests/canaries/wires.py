"""The entry points on the delivery side: the connector file, its secrets, and whatever a receiver may say."""

import io
import json
import os
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from http import HTTPStatus
from itertools import cycle
from threading import Event
from typing import Any
from unittest import mock

from cryptography import x509
from django.core.management import CommandError, call_command

from rollback_audit.delivery import names
from rollback_audit.delivery.tokens import TOKENS
from rollback_audit.engine import connectors, deliveries
from rollback_audit.engine.actors import actor_named
from rollback_audit.engine.packages import AuditFilters
from tests.api.doors import A
from tests.canaries.doors import door
from tests.canaries.scene import Scene, Sown, batches
from tests.delivery.certificates import Issued
from tests.receivers import LOOPBACK, RecordingReceiver, Reply, raw_receiver, read_request

_PLACES = ("{}", "https://example.com/{}", "https://x:{}@example.com/", "https://example.com/?token={}", "ftp://{}")


def _to(port: int, **changes: Any) -> dict[str, Any]:
    """A Splunk connector to a port of this machine; a value of None leaves its key out."""
    keys = {
        "provider": "splunk",
        "url": f"http://127.0.0.1:{port}",
        "token_env": "TEST_WEBHOOK_SECRET",
        "allow_networks": [*LOOPBACK],
        "allow_ports": [port],
        "allow_plain_http": True,
        **changes,
    }
    return {key: value for key, value in keys.items() if value is not None}


def _deliver(scene: Scene) -> None:
    """Send evidence to every connector there is; and hear what the API says of it."""
    TOKENS.clear()
    answer = scene.hear("a delivery", scene.api.post(A, {"timeout_seconds": 2.0}))
    assert answer.status_code == HTTPStatus.OK, answer.content[:500]


# --- The file -------------------------------------------------------------------------------------------------------


@door("connector value")
def connector_values(scene: Scene) -> None:
    changes: list[Callable[[str], dict[str, Any]]] = [
        *(lambda text, form=form: {"url": form.format(text)} for form in _PLACES),
        lambda text: {"headers": {"X-Team": text}},
        lambda text: {"headers": {"Authorization": text}},
        lambda text: {"token": text},
        lambda text: {"token_env": text},
        lambda text: {"token_file": text},
        lambda text: {"allow_networks": [text]},
        lambda text: {"allow_ports": [text]},
        lambda text: {"provider": text},
        lambda text: {"index": text, "enabled": False},
        lambda text: {"ca_file": text},
        lambda text: {"authorization_scheme": text},
        lambda text: {"surprise": {"x": [text]}},
    ]
    kinds = cycle(changes)
    for batch in batches(scene.sow("connector value"), 60):
        scene.configure({f"c-{number}": _to(9) | next(kinds)(one.text) for number, one in enumerate(batch)})
        _command(scene)
    scene.restore()


@door("connector key")
def connector_keys(scene: Scene) -> None:
    """Keys and headers' names are told of by name, so that an operator finds them: unless they look like no name."""
    for batch in batches(scene.some("connector key"), 50):
        entries = {f"c-{number}": _to(9) | {one.text: "x"} for number, one in enumerate(batch)}
        entries |= {f"c-{50 + number}": _to(9, headers={one.text: "x"}) for number, one in enumerate(batch)}
        scene.configure(entries)
        scene.config.write_text(json.dumps({"connectors": {}, batch[0].text: 1}))
        connectors.sync()
        _command(scene)
    scene.restore()


@door("connector name")
def connector_names(scene: Scene) -> None:
    """A name of the right form is shown. One of a credential's form is not."""
    scene.configure({one.text: _to(9) for one in scene.credentials("connector name")})
    _command(scene)
    scene.restore()


@door("broken file")
def broken_files(scene: Scene) -> None:
    path = scene.config
    for batch in batches(scene.sow("broken file"), 120):
        content = b"\n".join(one.content for one in batch)
        for suffix, form in (
            ("json", b'{"connectors": {"%b'),
            ("toml", b"[connectors.x]\n%b = "),
            ("yaml", b"connectors: {x: [%b\n"),
            ("yaml", b"connectors: !!python/name:%b\n"),
        ):
            scene.config = path.with_name(f"connectors.{suffix}")
            _read(scene, form % content)
    scene.config = path
    _read(scene, json.dumps({"connectors": scene.configured}).encode())


def _read(scene: Scene, content: bytes) -> None:
    scene.config.write_bytes(content)
    with mock.patch.object(connectors.django_settings, "CAVRA_CONNECTOR_CONFIG", scene.config):
        connectors._known.configuration = None
        connectors.sync()
        _command(scene)
    connectors._known.configuration = None


def _command(scene: Scene) -> None:
    for command in ("connectors", "check"):
        said = io.StringIO()
        try:
            call_command(command, stdout=said, stderr=said)
        except (CommandError, SystemExit) as refusal:
            said.write(str(refusal))
        scene.heard.append((f"what cavra {command} said", said.getvalue().encode()))


# --- Secrets that are used ------------------------------------------------------------------------------------------


@door("secret of a connector")
def secrets_in_use(scene: Scene) -> None:
    """From the environment and from files: resolved, sent to the receiver, and nowhere else."""
    scene.world.receiver.reply = Reply(401, b"no")
    sown = scene.some("secret of a connector", encodings=1)
    for batch in batches(sown, 60):
        entries: dict[str, Any] = {}
        with mock.patch.dict(os.environ):
            for number, one in enumerate(batch):
                name, port = f"c-{number}", scene.world.receiver.port
                (scene.folder / name).write_bytes(one.content)
                os.environ[f"CANARY_{number}"] = one.line
                entries[name] = _to(port) | (
                    {"token_env": f"CANARY_{number}"} if number % 2 else _from_file(name)
                )  # fmt: skip
                (scene.folder / f"url-{number}").write_text(f"http://127.0.0.1:{port}/{one.line}")
                entries[f"c-{60 + number}"] = _to(port, url=None, url_file=f"url-{number}")
            scene.configure(entries)
            _command(scene)
            _deliver(scene)
    heard = {arrival.headers.get("authorization", "") for arrival in scene.world.receiver.arrivals}
    assert any(one.canary.parts[0] in text for one in sown for text in heard), "no secret was used"
    scene.restore()


def _from_file(name: str) -> dict[str, Any]:
    return {"token_env": None, "token_file": name}


# --- What receivers say ---------------------------------------------------------------------------------------------


def _answers(batch: Sequence[Sown]) -> Iterator[bytes]:
    """The same canaries in every part of an answer, whatever its status."""
    one, line = batch[0], b" ".join(item.line.encode() for item in batch)
    headers = b"\r\n".join(
        b"%b: %b" % (name, item.line.encode()) for name, item in zip(cycle(_ANSWER_HEADERS), batch[:60], strict=False)
    )
    bodies = (
        b"\n".join(item.content for item in batch),
        json.dumps({"text": [item.text for item in batch], "code": 6, "error": {one.text: one.text}}).encode(),
        b'{"text": "' + b'", "code": '.join(item.content for item in batch),
    )
    for status in (b"200 ", b"302 ", b"400 ", b"401 ", b"429 ", b"503 "):
        yield b"HTTP/1.1 " + status + line[:2000] + b"\r\n" + headers + b"\r\nContent-Length: 0\r\n\r\n"
        for body in bodies:
            yield b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    yield line
    yield b"HTTP/1.1 " + line
    yield b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n"
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + line + b"\r\n" + line


_ANSWER_HEADERS = (
    b"Location", b"Retry-After", b"Set-Cookie", b"WWW-Authenticate", b"Date", b"Content-Type", b"Server",
    b"X-Request-Id", b"Content-Encoding", b"Alt-Svc", b"Link", b"Trailer",
)  # fmt: skip


@door("receiver's answer")
def receivers_answers(scene: Scene) -> None:
    replies = [reply for batch in batches(scene.sow("receiver's answer"), 120) for reply in _answers(batch)]
    said = iter(replies)

    def behave(connection: socket.socket, _: Event) -> None:
        read_request(connection)
        connection.sendall(next(said, b""))

    with raw_receiver(behave) as port:
        scene.configure({f"c-{number}": _to(port) for number in range(len(replies))})
        _deliver(scene)
        for number in range(3):
            scene.hear("a test of a connector", scene.api.post(f"{A}/connectors/c-{number}/test", {}))
    scene.restore()


@door("TLS certificate")
def tls_certificates(scene: Scene) -> None:
    """Names in certificates that are not trusted, or that are and name another host."""
    sown = scene.sow("TLS certificate", encodings=("raw", "hex"))
    labels = [part[:60] for one in sown for part in one.canary.parts]
    root = Issued.root(labels[0])
    sans = [x509.DNSName(f"{''.join(c for c in label if c.isalnum())}.example.com") for label in labels]
    with ExitStack() as stack:
        entries = {}
        for number, issued in enumerate((root.issue(common_name=labels[1], names=tuple(sans)), Issued.root(labels[2]))):
            folder = scene.folder / f"tls-{number}"
            folder.mkdir()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(issued.chain_file(folder))
            receiver = RecordingReceiver()
            receiver.serve_tls(context)
            stack.enter_context(receiver)
            url = f"https://127.0.0.1:{receiver.port}"
            for trust in (None, str(root.trust_file(folder))):
                entries[f"t-{number}-{'known' if trust else 'unknown'}"] = _to(receiver.port, url=url, ca_file=trust)
        scene.configure(entries)
        _deliver(scene)
    scene.restore()


@door("DNS name")
def dns_names(scene: Scene) -> None:
    """Names that nobody knows; the resolver's own words repeat them."""
    sown = scene.sow("DNS name", encodings=("raw", "hex"))
    entries = {}
    for number, one in enumerate(sown):
        label = "".join(sign for sign in one.canary.parts[0] if sign.isalnum() or sign == ".").strip(".")[:60].lower()
        (scene.folder / f"host-{number}").write_text(f"https://{label}.invalid/")
        entries[f"c-{number}"] = _to(443, url=None, url_file=f"host-{number}", allow_plain_http=None)

    def unknown(name: bytes, *_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, f"Name or service not known: {name.decode()}")

    with mock.patch.object(names.socket, "getaddrinfo", unknown):
        scene.configure(entries)
        _deliver(scene)
    scene.restore()


def deliver_directly(scene: Scene) -> deliveries.DeliverAuditAnswer:
    """Deliver without a door in between, so that what the wire raises is met by the engine itself."""
    return deliveries.deliver_audit(
        actor=actor_named("release_manager"), filters=AuditFilters(), delivery_provider="webhook", timeout_seconds=2.0
    )
