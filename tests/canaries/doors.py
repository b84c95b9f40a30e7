"""The entry points: every way in which a text from outside can get in. Each door puts fresh canaries through itself."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any
from unittest import mock
from urllib.parse import quote

from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.urls import reverse
from rest_framework.test import APIClient

from cavra_site import env
from rollback_audit import tasks
from tests.api import matrix
from tests.api.doors import WRITES, A, B, World
from tests.canaries.fields import text_fields, with_text
from tests.canaries.scene import Scene, batches

DOORS: dict[str, Callable[[Scene], None]] = {}
# Doors behind which an operator's note is kept, in a column of its own.
PRIVATE = ("API notes", "console notes")
# Forms that show a person again what that same person has typed, in the answer to that request and nowhere else.
ECHOES = ("console search",)

_JSON = "application/json"
_HEADERS = (
    "User-Agent", "Referer", "Origin", "Accept", "Accept-Language", "Prefer", "Forwarded", "X-Forwarded-For",
    "X-Forwarded-Host", "X-Request-Id", "X-Correlation-Id", "Traceparent", "If-None-Match", "Range", "X-CSRFToken",
    "X-Api-Key", "Proxy-Authorization",
)  # fmt: skip
_TEXTS_A_FIELD = 6
_MOST_WRONG = 5


def door(name: str) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    def keep(put: Callable[[Scene], None]) -> Callable[[Scene], None]:
        DOORS[name] = put
        return put

    return keep


# --- The API --------------------------------------------------------------------------------------------------------


@door("path segment")
def path_segments(scene: Scene) -> None:
    addresses = (f"{A}/retry-plans/{{}}", f"{B}/schedules/{{}}", f"{A}/connectors/{{}}/test", f"{B}/{{}}")
    for number, one in enumerate(scene.some("path segment")):
        address = addresses[number % len(addresses)].format(quote(one.content, safe=""))
        scene.hear("path segment", scene.api.get(address))
        scene.hear("path segment", scene.api.post(address, {}))


@door("query string")
def query_strings(scene: Scene) -> None:
    for batch in batches(scene.sow("query string")):
        pairs = [f"{quote(one.content, safe='')}={quote(one.content, safe='')}" for one in batch]
        scene.hear("query string", scene.api.get(f"{A}/worker-runs?{'&'.join(pairs)}"))
        scene.hear("query string", scene.api.post(f"{A}/retry-plan?x={'&x='.join(pairs)}", {}))


@door("query value")
def query_values(scene: Scene) -> None:
    names = ("generated_by", "state", "since", "cursor", "limit", "provider", "source", "owner", "cadence")
    for number, one in enumerate(scene.some("query value")):
        for name in (names[number % len(names)], names[(number + 4) % len(names)]):
            scene.hear("query value", scene.api.get(f"{B}?{name}={quote(one.content, safe='')}"))
            scene.hear("query value", scene.api.get(f"{A}/worker-runs?{name}={quote(one.content, safe='')}"))


@door("request header")
def request_headers(scene: Scene) -> None:
    for batch in batches(scene.sow("request header"), len(_HEADERS)):
        headers = {
            f"HTTP_{name.upper().replace('-', '_')}": one.line for name, one in zip(_HEADERS, batch, strict=False)
        }
        for address in (f"{A}/worker-runs", reverse("console:overview"), "/runtime/nothing", "/nothing"):
            scene.hear("request header", scene.api.get(address, **headers))
            scene.hear("request header", scene.api.post(address, {}, **headers))
        strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
        scene.hear("request header", strict.post(reverse("console:plan-retry"), {}, **headers))


@door("Host")
def hosts(scene: Scene) -> None:
    for one in scene.some("Host"):
        scene.hear("Host", scene.api.get(f"{A}/worker-runs", HTTP_HOST=one.line))


@door("cookie")
def cookies(scene: Scene) -> None:
    for batch in batches(scene.sow("cookie")):
        sent = "; ".join(f"{name}={one.line}" for name, one in zip(_cookie_names(), batch, strict=False))
        for address in (f"{A}/worker-runs", reverse("console:overview")):
            scene.hear("cookie", Client(raise_request_exception=False).get(address, HTTP_COOKIE=sent))


def _cookie_names() -> Iterator[str]:
    yield from ("cavra_session", "cavra_csrf", "messages", "sessionid")
    yield from (f"other-{number}" for number in range(100))


@door("Authorization")
def authorizations(scene: Scene) -> None:
    for one in scene.some("Authorization"):
        for form in ("Bearer {}", "Basic {}", "{}"):
            client = APIClient(raise_request_exception=False)
            scene.hear("Authorization", client.get(f"{A}/worker-runs", HTTP_AUTHORIZATION=form.format(one.line)))


@door("Idempotency-Key")
def idempotency_keys(scene: Scene) -> None:
    said = {"acknowledgement_state": "acknowledged"}
    address = f"{A}/worker-health-alerts/{scene.world.alert_id}/acknowledgements"
    for one in scene.some("Idempotency-Key", encodings=1):
        for body in (said, said, said | {"external_ref": "INC-7"}, {"surprise": 1}):
            scene.hear("Idempotency-Key", scene.api.post(address, body, HTTP_IDEMPOTENCY_KEY=one.line))


@door("unknown field")
def unknown_fields(scene: Scene) -> None:
    for number, batch in enumerate(batches(scene.sow("unknown field"))):
        bodies: list[dict[str, Any]] = [
            {one.text: one.text for one in batch},
            {"retry_policy": {one.text: one.text for one in batch}},
            {"generated_by": {one.text: [one.text] for one in batch}},
        ]
        write = WRITES[number % len(WRITES)]
        for body in bodies:
            scene.hear("unknown field", scene.api.generic(write.method, write.at(scene.world), json.dumps(body), _JSON))


@door("broken body")
def broken_bodies(scene: Scene) -> None:
    for number, batch in enumerate(batches(scene.sow("broken body"))):
        write = WRITES[number % len(WRITES)]
        content = b'{"' + b'": "'.join(one.content for one in batch)
        for body in (content, b'"' + content + b'"', b"[" + content, b'{"a": ' + content + b"}"):
            scene.hear("broken body", scene.api.generic(write.method, write.at(scene.world), body, _JSON))


@door("another media type")
def media_types(scene: Scene) -> None:
    for batch in batches(scene.sow("another media type")):
        content = b"\n".join(one.content for one in batch)
        fields = {one.line[:60] or "x": one.line for one in batch}
        for address in (f"{A}/retry-plan", reverse("console:plan-retry")):
            for client in (scene.api, scene.browser()):
                upload = SimpleUploadedFile(batch[0].line.replace("/", "-") or "x", content)
                form = encode_multipart(BOUNDARY, {**fields, "file": upload})
                sent = client.generic("POST", address, form, content_type=MULTIPART_CONTENT)
                scene.hear("another media type", sent)
            kind = f"text/{batch[0].line}; boundary={batch[-1].line}"
            scene.hear("another media type", scene.api.generic("POST", address, content, content_type=kind))


@door("wrong value")
def wrong_values(scene: Scene) -> None:
    """Texts where a number, a moment, a word of an enumeration, an object or a name of a record is wanted."""
    for number, one in enumerate(scene.some("wrong value")):
        write = WRITES[number % len(WRITES)]
        names = (*write.body(scene.world), "acknowledgement_state", "next_due_at", "providers", "retry_policy", "force")
        for name in (*names, "limit", "source", "delivery_provider", "timeout_seconds", "retry_plan_id")[:_MOST_WRONG]:
            body = {**write.body(scene.world), name: [{one.text: one.text}] if number % 2 else {"x": [one.text]}}
            scene.hear("wrong value", scene.api.generic(write.method, write.at(scene.world), json.dumps(body), _JSON))


@door("API free text")
def api_texts(scene: Scene) -> None:
    """Every text field that the API's own description has: a credential in it is refused, and the refusal is mute."""
    fields = text_fields(scene.api.get("/runtime/go-pilot/openapi.json").json())
    texts = scene.endless_credentials("API free text")
    for write in WRITES:
        for field in fields[write.method, write.address]:
            for _ in range(_TEXTS_A_FIELD):
                one = next(texts)
                body = with_text(write.body(scene.world), field, one.text)
                answer = scene.api.generic(write.method, write.at(scene.world), json.dumps(body), _JSON)
                scene.hear("API free text", answer)
                if answer.status_code not in {400, 404}:
                    scene.heard.append((f"{write}, which took {'.'.join(field)}", one.canary.text.encode()))


@door("API notes")
def api_notes(scene: Scene) -> None:
    world = scene.world
    addresses: dict[str, dict[str, Any]] = {
        f"{A}/retry-plans/{world.retry_plan_id}/acknowledgements": world.key,
        f"{A}/worker-health-alerts/{world.alert_id}/acknowledgements": {},
        f"{A}/recovery-escalations/{world.escalation_id}/acknowledgements": {},
        f"{B}/{world.schedule_id}/acknowledgements": {"provider": "webhook"},
        f"{A}/connector-recovery-playbooks/{world.playbook_id}/closures": {
            "provider": "webhook",
            "closure_state": "deferred",
        },
    }
    for one in scene.private("API notes"):
        for address, body in addresses.items():
            scene.hear("API notes", scene.api.post(address, body | {"notes": one.text}))


@door("API notes and references")
def api_credentials(scene: Scene) -> None:
    """The longest texts there are, one of several lines: a credential is refused there as well."""
    address = f"{B}/{scene.world.schedule_id}/acknowledgements"
    for one in scene.credentials("API notes and references"):
        for body in ({"notes": one.text}, {"external_ref": one.text}):
            scene.hear("API notes and references", scene.api.post(address, body | {"provider": "webhook"}))


# --- The console ----------------------------------------------------------------------------------------------------


@door("sign-in form")
def sign_in_forms(scene: Scene) -> None:
    for one in scene.some("sign-in form"):
        browser = Client(raise_request_exception=False)
        for typed in ({"username": one.line, "password": "x"}, {"username": "platform_owner", "password": one.line}):
            scene.hear("sign-in form", browser.post(reverse("admin:login"), typed))


@door("password change")
def password_changes(scene: Scene) -> None:
    for one in scene.some("password change", encodings=1):
        typed = {"old_password": one.line, "new_password1": one.line, "new_password2": f"{one.line}x"}
        scene.hear("password change", scene.browser().post(reverse("admin:password_change"), typed))


@door("console path")
def console_paths(scene: Scene) -> None:
    starts = cycle(("/console/plans/", "/console/connectors/", "/console/deliveries/", "/static/", "/"))
    for one in scene.some("console path"):
        for start in (next(starts), next(starts)):
            scene.hear("console path", scene.browser().get(f"{start}{quote(one.content, safe='')}/"))


@door("console search")
def console_searches(scene: Scene) -> None:
    """What is looked for stands in the form again, for whoever typed it."""
    for one in scene.some("console search", encodings=1):
        text = quote(one.content, safe="")
        scene.hear("console search", scene.browser().get(f"{reverse('console:find')}?id={text}"))
        for name in ("delivery", "evidenceentry"):
            listing = reverse(f"admin:rollback_audit_{name}_changelist")
            asked = f"{listing}?audit_id={text}&age={text}&q={text}&cursor={text}&{text}=1"
            scene.hear("console search", scene.browser().get(asked))
        scene.hear("console search", Client().get(f"{reverse('admin:login')}?next={text}"))


_REFERENCE = ("external_ref", "notes")
# What can be typed into each form, by the name of its address.
_TYPED = {
    "review": _REFERENCE,
    "decide": _REFERENCE,
    "acknowledge": _REFERENCE,
    "acknowledge-alert": _REFERENCE,
    "acknowledge-escalation": _REFERENCE,
    "close-recovery": (*_REFERENCE, "verification_refs"),
    "execute": ("reason",),
    "pause": ("reason",),
    "resume": ("reason",),
    "abort": ("reason",),
    "release-connector": ("reason",),
    "new-schedule": ("schedule_id", "owner", "escalation_owner"),
    "schedule": ("owner", "escalation_owner"),
    "deliver-audit": ("schedule_id", "owner"),
}


@door("console free text")
def console_texts(scene: Scene) -> None:
    """Every form with a text: a credential in it is refused, and not drawn again."""
    texts = scene.endless_credentials("console free text")
    for address in _forms():
        for name in _TYPED[address.name]:
            for _ in range(_TEXTS_A_FIELD):
                form = {**matrix.FORMS.get(address.name, _nothing)(scene.world), name: next(texts).text}
                answer = scene.browser().post(address.at(scene.ids), form)
                scene.hear(f"console free text ({address.name}, {name})", answer)


def _nothing(_: World) -> dict[str, Any]:
    return {}


@door("console notes")
def console_notes(scene: Scene) -> None:
    forms = [address for address in _forms() if "notes" in _TYPED[address.name]]
    for number, one in enumerate(scene.private("console notes")):
        for address in forms[number % 2 :: 2]:
            form = matrix.FORMS[address.name](scene.world) | {"notes": one.text}
            scene.hear("console notes", scene.browser().post(address.at(scene.ids), form))


def _forms() -> list[matrix.Address]:
    return [address for address in matrix.addresses() if address.name in _TYPED and "/console/" in address.path]


# --- Commands, the environment, tasks -------------------------------------------------------------------------------


@door("command line")
def command_lines(scene: Scene) -> None:
    for one in scene.some("command line", encodings=1):
        for words in (
            ["plan", f"--source={one.line}"],
            ["plan", f"--user={one.line}"],
            ["plan", f"--what-if={one.line}", "--since=7d"],
            ["plan", "--what-if=max_retries=5", f"--since={one.line}"],
            ["run", f"--provider={one.line}"],
            ["run", "pause", one.line or "x", "--reason=A test."],
            ["connectors", "test", one.line or "x"],
        ):
            _command(scene, "command line", words)


@door("command's free text")
def command_texts(scene: Scene) -> None:
    for one in scene.credentials("command's free text"):
        _command(scene, "command's free text", ["run", "--execute", f"--reason={one.line}"])
        for words in (["token", "create", "--role=auditor"], ["user", "create", "--role=auditor"]):
            _command(scene, "command's free text", [*words, f"--user={one.line}"])


def _command(scene: Scene, name: str, words: list[str]) -> None:
    said = io.StringIO()
    try:
        with mock.patch.object(sys, "stdin", io.StringIO(f"{words[-1]}\n")):
            call_command(*words, stdout=said, stderr=said)
    except CommandError as refusal:
        said.write(str(refusal))
    scene.heard.append((f"what cavra {words[0]} said to {name}", said.getvalue().encode()))


@door("environment variable")
def environment_variables(scene: Scene) -> None:
    for number, one in enumerate(scene.some("environment variable")):
        for name in list(env.SETTINGS)[number % 2 :: 2]:
            try:
                said = repr(env.read({name: one.line}).port)
            except env.EnvironmentProblem as problem:
                said = str(problem)
            scene.heard.append((f"what was said of {name}", said.encode()))


@door("task argument")
def task_arguments(scene: Scene) -> None:
    for one in scene.some("task argument"):
        tasks.drain(one.line)
