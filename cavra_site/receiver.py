"""The demo's receiver: a real HTTP server that refuses in several ways, and keeps its own record of what arrived.

It speaks Standard Webhooks (`POST /webhook`) and Splunk's HTTP Event Collector (`POST /services/collector/event`), both
as far as a sender can see. Its state is two files in a folder, so that the operator's commands need no connection.
"""

import html
import json
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from cavra_site.processes import StopRequest

WEBHOOK_PATH = "/webhook"
COLLECTOR_PATH = "/services/collector/event"
_MAX_BODY_BYTES = 2 * 1024 * 1024
RETRY_AFTER_SECONDS = 10
_SHOWN = 50


class Mood(StrEnum):
    """How the receiver answers, in the order of its course of refusals."""

    OUTAGE = "outage"
    BUSY = "busy"
    LOCKED = "locked"
    WORKING = "working"

    @property
    def status(self) -> HTTPStatus:
        return _WORDS[self][0]

    @property
    def state(self) -> str:
        return _WORDS[self][1]

    @property
    def explanation(self) -> str:
        return _WORDS[self][2]

    @property
    def next(self) -> "Mood":
        """The mood that follows; the last one begins the course anew."""
        course = list(Mood)
        return course[(course.index(self) + 1) % len(course)]


_WORDS = {
    Mood.OUTAGE: (HTTPStatus.SERVICE_UNAVAILABLE, "in an outage", "Every delivery is answered with 503."),
    Mood.BUSY: (
        HTTPStatus.TOO_MANY_REQUESTS,
        "too busy",
        f"Every delivery is answered with 429 and told to come back after {RETRY_AFTER_SECONDS} seconds.",
    ),
    Mood.LOCKED: (HTTPStatus.UNAUTHORIZED, "refusing the credential", "Every delivery is answered with 401."),
    Mood.WORKING: (HTTPStatus.OK, "working", "Every delivery is taken."),
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request that reached the receiver, and the status it was answered with if it was not taken."""

    at: str
    door: str
    idempotency_key: str
    taken: bool
    refused_with: int | None = None


class Record:
    """What arrived, and the receiver's mood. Every process that knows the folder sees the same."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._arrivals = folder / "arrivals.jsonl"
        self._mood = folder / "mood"
        self._lock = Lock()

    @property
    def mood(self) -> Mood:
        return Mood(self._mood.read_text(encoding="ascii")) if self._mood.exists() else Mood.OUTAGE

    @mood.setter
    def mood(self, mood: Mood) -> None:
        # Whoever reads meanwhile finds the old word or the new one, never half of it.
        beside = self._mood.with_suffix(".new")
        beside.write_text(mood, encoding="ascii")
        beside.replace(self._mood)

    def add(self, arrival: Arrival) -> None:
        with self._lock, self._arrivals.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(arrival)) + "\n")

    def arrivals(self) -> list[Arrival]:
        if not self._arrivals.exists():
            return []
        return [Arrival(**json.loads(line)) for line in self._arrivals.read_text(encoding="utf-8").splitlines()]

    def summary(self) -> dict[str, Any]:
        """Counts, every arrival, and how often each idempotency key arrived and was taken."""
        arrivals = self.arrivals()
        taken = Counter(arrival.idempotency_key for arrival in arrivals if arrival.taken)
        tries = Counter(arrival.idempotency_key for arrival in arrivals)
        return {
            "mood": self.mood,
            "arrived": len(arrivals),
            "taken": sum(taken.values()),
            "keys": {key: {"arrived": count, "taken": taken[key]} for key, count in tries.items()},
            "arrivals": [asdict(arrival) for arrival in arrivals],
        }


# What a POST sets; None for the mood that follows.
_BUTTONS = {"/recover": Mood.WORKING, "/outage": Mood.OUTAGE, "/next": None}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    record: Record

    def do_GET(self) -> None:
        if self.path == "/record":
            self._answer(HTTPStatus.OK, json.dumps(self.record.summary()), "application/json")
        elif self.path == "/":
            self._answer(HTTPStatus.OK, _page(self.record), "text/html; charset=utf-8")
        else:
            self._answer(HTTPStatus.NOT_FOUND, "{}", "application/json")

    def do_POST(self) -> None:
        body = self._body()
        if body is None:
            self.close_connection = True
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "{}", "application/json")
        elif self.path == WEBHOOK_PATH:
            self._take("webhook", self.headers.get("webhook-id", ""), "{}")
        elif self.path == COLLECTOR_PATH:
            self._take("splunk", _collector_key(body), json.dumps({"text": "Success", "code": 0}))
        elif self.path in _BUTTONS:
            self.record.mood = _BUTTONS[self.path] or self.record.mood.next
            self._answer(HTTPStatus.SEE_OTHER, "", "text/plain", Location="/")
        else:
            self._answer(HTTPStatus.NOT_FOUND, "{}", "application/json")

    def _take(self, door: str, key: str, answer: str) -> None:
        mood = self.record.mood
        taken = mood is Mood.WORKING
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        refused_with = None if taken else mood.status.value
        self.record.add(Arrival(now, door, idempotency_key=key[:200], taken=taken, refused_with=refused_with))
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if mood is Mood.BUSY else {}
        self._answer(mood.status, answer if taken else "{}", "application/json", **headers)

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > _MAX_BODY_BYTES or "Transfer-Encoding" in self.headers:
            return None
        return self.rfile.read(int(length))

    def _answer(self, status: HTTPStatus, text: str, content_type: str, **headers: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: the record is the log."""


def _collector_key(body: bytes) -> str:
    try:
        return str(json.loads(body)["fields"]["idempotency_key"])
    except (ValueError, KeyError, TypeError):
        return ""


def server(*, port: int, folder: Path) -> ThreadingHTTPServer:
    """A receiver on 127.0.0.1, not started yet. Port 0 takes any that is free."""
    handler = type("Handler", (_Handler,), {"record": Record(folder)})
    running = ThreadingHTTPServer(("127.0.0.1", port), handler)
    # Connections that senders keep open must not keep the process from ending.
    running.daemon_threads = True
    return running


def serve(*, port: int, folder: Path) -> None:
    """Receive until asked to stop."""
    stop = StopRequest()
    with server(port=port, folder=folder) as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        while not stop.wait(seconds=60):
            pass
        running.shutdown()
        thread.join()


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Demo receiver</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ccc; overflow-wrap: anywhere }}
button {{ font: inherit; padding: .4rem 1rem }}
</style>
<h1>Demo receiver: {state}</h1>
<p>{explanation}</p>
<form method="post"><button formaction="/{action}">{button}</button>
<button formaction="/next">Next in its course: {next}</button></form>
<h2>What arrived</h2>
<p>{arrived} requests, {taken} of them taken. The newest first; the whole <a href="/record">record as JSON</a>.</p>
<table><thead><tr><th>Time<th>Door<th>Idempotency key<th>Answer</tr></thead><tbody>{rows}</tbody></table>
</html>
"""


def _page(record: Record) -> str:
    arrivals, mood = record.arrivals(), record.mood
    works = mood is Mood.WORKING
    rows = "".join(
        f"<tr><td>{html.escape(arrival.at)}<td>{html.escape(arrival.door)}"
        f"<td>{html.escape(arrival.idempotency_key)}<td>{'taken' if arrival.taken else arrival.refused_with}</tr>"
        for arrival in reversed(arrivals[-_SHOWN:])
    )
    return _PAGE.format(
        state=mood.state,
        explanation=mood.explanation,
        action="outage" if works else "recover",
        button="Begin an outage" if works else "Recover",
        next=f"{mood.next.state} ({mood.next.status.value})",
        arrived=len(arrivals),
        taken=sum(arrival.taken for arrival in arrivals),
        rows=rows,
    )
