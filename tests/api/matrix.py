"""Who may do what, asked of every address: the table of docs/access.md, and how it is made.

`python -m tests.api.matrix` asks everything anew and writes the page. A new address without a row fails a test.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.messages import get_messages
from django.db import transaction
from django.http import HttpResponseBase, StreamingHttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.api.doors import DOORS, World

PAGE = Path(__file__).parent.parent.parent / "docs" / "access.md"
HEADING = "## The matrix"
WRITE = "WRITE_ACCESS_MATRIX"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
API = "/runtime/"
NO_SUCH = "no-such-id"
# What catches everything else has no address of its own.
CATCHALLS = {"runtime/go-pilot/": "/runtime/go-pilot/nothing", "^runtime(/|$)": "/runtime/nothing"}

Form = Callable[[World], dict[str, Any]]


def _nothing(world: World) -> dict[str, Any]:
    return {}


def _reason(world: World) -> dict[str, Any]:
    return {"reason": "A test."}


_SCHEDULE = {
    "schedule_id": "orders-rollback",
    "owner": "orders",
    "providers": ["webhook"],
    "interval_days": "30",
    "next_due_at": "2030-01-01T00:00",
    "acknowledgement_minutes": "60",
}
# What a console button has to be sent beside nothing, by the name of its address.
FORMS: dict[str, Form] = {
    "review": lambda world: {**world.key, "acknowledgement_state": "accepted"},
    "decide": lambda world: {"approval_state": "approved"},
    "execute": lambda world: {
        "plan_digest": world.plan_digest,
        "max_retry_deliveries": "5",
        "expected": "0",
        "reason": "A test.",
    },
    "pause": _reason,
    "resume": _reason,
    "abort": _reason,
    "release-connector": _reason,
    "new-schedule": lambda world: _SCHEDULE,
    "schedule": lambda world: {**_SCHEDULE, "schedule_id": world.schedule_id},
    "acknowledge": lambda world: {"acknowledgement_state": "acknowledged"},
    "acknowledge-alert": lambda world: {"acknowledgement_state": "acknowledged"},
    "acknowledge-escalation": lambda world: {"acknowledgement_state": "acknowledged"},
    "place-hold": lambda world: {"scope": "everything", "reason": "A test."},
    "release-hold": _reason,
    "close-recovery": lambda world: {"closure_state": "deferred", "external_ref": "INC-7"},
}
# Parameters that go by another name than what they hold.
_HELD = {
    "/console/escalations/": {"plan_id": "escalation_id"},
    "/console/executive-reports/": {"run_id": "report_id"},
}
_BODIES = {(door.method, door.address): door.body for door in DOORS}
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True, slots=True)
class Address:
    """An address as docs name it, with its parameters in braces, and the name it has in the URL configuration."""

    path: str
    name: str

    def at(self, ids: dict[str, str]) -> str:
        """The address of what there is, by the ids given; of what there is not, where none is."""
        held = next((names for start, names in _HELD.items() if self.path.startswith(start)), {})
        return re.sub(r"{(\w+)}", lambda match: ids.get(held.get(match[1], match[1]), NO_SUCH), self.path)


def addresses() -> list[Address]:
    """Every address of the project once, static files included; the API's second form, with a slash, left out."""
    found: dict[str, Address] = {}
    views: dict[str, Callable[..., Any]] = {}
    for pattern, name, view in _walk(get_resolver()):
        path = CATCHALLS.get(pattern) or "/" + _PARAMETER.sub(r"{\1}", pattern)
        if path.startswith(API) and views.get(path.removesuffix("/")) is view:
            continue
        views.setdefault(path, view)
        found.setdefault(path, Address(path, name))
    for folder in settings.STATICFILES_DIRS:
        for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
            path = f"/{settings.STATIC_URL.strip('/')}/{file.relative_to(folder).as_posix()}"
            found[path] = Address(path, "static")
    return list(found.values())


def _walk(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, str, Callable[..., Any]]]:
    for item in resolver.url_patterns:
        pattern = before + str(item.pattern)
        if isinstance(item, URLPattern):
            yield pattern, item.name or "", item.callback
        else:
            yield from _walk(item, pattern)


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who asks: with a token below /runtime/, with a session elsewhere. Either may be worthless."""

    name: str
    token: str = ""
    session: str = ""

    def client(self) -> Client:
        client = Client(raise_request_exception=False)
        if self.session:
            client.cookies[settings.SESSION_COOKIE_NAME] = self.session
        return client


def cell(who: Identity, method: str, address: Address, *, world: World, ids: dict[str, str]) -> str:
    """What one identity gets for one method at one address. Whatever it did is undone."""
    with transaction.atomic():
        answer = _ask(who, method, address, world=world, ids=ids)
        word = _word(answer)
        if isinstance(answer, StreamingHttpResponse):
            # Read to its end, a file is closed.
            answer.getvalue()
        transaction.set_rollback(True)
    return word


def _ask(who: Identity, method: str, address: Address, *, world: World, ids: dict[str, str]) -> HttpResponseBase:
    path, client = address.at(ids), who.client()
    if not path.startswith(API):
        form = FORMS.get(address.name, _nothing)(world) if method == "POST" else {}
        return client.post(path, form) if method == "POST" else client.generic(method, path)
    body = _BODIES.get((method, address.path), _nothing)(world)
    extra = {"HTTP_AUTHORIZATION": f"Bearer {who.token}"} if who.token else {}
    sent = "" if method in {"GET", "HEAD"} else json.dumps(body)
    return client.generic(method, path, sent, content_type="application/json", **extra)  # type: ignore[arg-type]


def _word(answer: Any) -> str:
    location = answer.headers.get("Location", "")
    if answer.status_code == 302:
        return "sign in" if "/login/" in location else "302"
    if answer.status_code == 303:
        said = [str(message) for message in get_messages(answer.wsgi_request) if message.level_tag == "error"]
        if any(text.startswith("This needs the permission") for text in said):
            return "403"
        return "refused" if said else "303"
    return str(answer.status_code)


def table(cells: dict[tuple[str, str], list[str]], names: list[str]) -> list[str]:
    """The rows of the page: the methods of an address that answer everybody alike share one."""
    head = ["address", "method", *names]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for path in dict.fromkeys(path for path, _ in cells):
        alike: dict[tuple[str, ...], list[str]] = {}
        for method in METHODS:
            alike.setdefault(tuple(cells[path, method]), []).append(method)
        lines += [f"| `{path}` | {' '.join(methods)} | {' | '.join(words)} |" for words, methods in alike.items()]
    return lines


def rows() -> list[str]:
    """The rows of the checked-in page."""
    _, _, below = PAGE.read_text(encoding="utf-8").partition(HEADING)
    return [line for line in below.splitlines() if line.startswith("|")]


def paths_in_page() -> set[str]:
    return {match[1] for line in rows() if (match := re.match(r"\| `([^`]+)` \|", line))}


def write(lines: list[str]) -> None:
    """Put the rows in place of the page's own, and leave its words."""
    words, heading, _ = PAGE.read_text(encoding="utf-8").partition(HEADING)
    PAGE.write_text(words + heading + "\n".join(["", "", *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    os.environ[WRITE] = "1"
    raise SystemExit(pytest.main(["-q", "-p", "no:cacheprovider", "tests/api/test_matrix.py"]))
