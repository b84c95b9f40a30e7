"""Where to look: everything that is kept, said or shown. Each place is a name and its bytes."""

import contextlib
import io
import logging
import zipfile
from collections import Counter, deque
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.http import HttpResponseBase, StreamingHttpResponse
from django.test import Client
from django.urls import resolve, reverse
from redis import Redis
from rest_framework.test import APIClient

from cavra_site import logs
from rollback_audit.engine import checkpoints, tokens
from rollback_audit.engine import exports as evidence
from rollback_audit.engine.actors import actor_named
from rollback_audit.states import Role
from tests.api.doors import READS, ROOT, World

Place = tuple[str, bytes]

# What operators write and nobody is shown: the columns that are declared to hold it.
PRIVATE_COLUMNS = frozenset({"notes", "second_notes"})
_MOST_ALIKE = 3


def database() -> Iterator[Place]:
    """Every cell of every table: the project's own, the queue's, sessions, whatever there is."""
    connection.force_debug_cursor = False  # or the log would tell of this look, too
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            columns = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for column, cell in zip(columns, row, strict=True):
                    if cell is not None and not isinstance(cell, bool | int | float):
                        yield f"{table}.{column}", _bytes(cell)


def _bytes(cell: Any) -> bytes:
    return bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode("utf-8", "surrogatepass")


class LogLines(logging.Handler):
    """Every line of every logger, at DEBUG, as the project's formatter writes it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logs.JsonLines())
        self.lines: deque[str] = deque()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def places(self) -> Iterator[Place]:
        yield from ((f"log line {number}", line.encode()) for number, line in enumerate(list(self.lines)))

    @contextlib.contextmanager
    def attached(self) -> Iterator[None]:
        """Listens to all loggers, and to the SQL with its parameters, for as long as the block lasts."""
        loggers = [logging.getLogger(), *map(logging.getLogger, settings.LOGGING["loggers"])]
        before = [(logger, logger.level) for logger in loggers]
        connection.force_debug_cursor = True
        for logger in loggers:
            logger.setLevel(logging.DEBUG)
        loggers[0].addHandler(self)
        try:
            yield
        finally:
            loggers[0].removeHandler(self)
            connection.force_debug_cursor = False
            for logger, level in before:
                logger.setLevel(level)


def answer(response: HttpResponseBase) -> bytes:
    """Status, headers, cookies and body of an answer, as they go out."""
    head = [f"{response.status_code} {response.reason_phrase}", *(f"{k}: {v}" for k, v in response.headers.items())]
    head += [morsel.OutputString() for morsel in response.cookies.values()]
    body = response.getvalue() if isinstance(response, StreamingHttpResponse) else response.content
    return "\n".join(head).encode("utf-8", "replace") + b"\n\n" + body


def answers_to_everybody(world: World) -> Iterator[Place]:
    """Every read of the API and every page of the console, as each role. OpenAPI's description is one of the reads."""
    for role in Role:
        user = get_user_model().objects.get_or_create(username=role.value)[0]
        client = APIClient(raise_request_exception=False)
        token = tokens.create(username=user.username, role=role.value)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        for door in READS:
            yield f"{role}: {door}", answer(client.get(door.at(world)))
        yield f"{role}: openapi", answer(client.get(f"{ROOT}/openapi.json"))
        browser = Client(raise_request_exception=False)
        browser.force_login(user)
        yield from ((f"{role}: {path}", answer(page)) for path, page in pages(browser))


def pages(browser: Client) -> Iterator[tuple[str, HttpResponseBase]]:
    """Every kind of page that can be reached from the overview by links, a few of each."""
    waiting = deque([reverse("console:overview")])
    seen = set(waiting)
    kinds: Counter[str] = Counter()
    while waiting:
        path = waiting.popleft()
        page = browser.get(path)
        yield path, page
        if page.headers.get("Content-Type", "").startswith("text/html"):
            for link in _links(page.content.decode()):
                address = urljoin(path, link).partition("#")[0]
                if _is_page(address) and address not in seen and kinds[_kind(address)] < _MOST_ALIKE:
                    seen.add(address)
                    kinds[_kind(address)] += 1
                    waiting.append(address)


def _is_page(address: str) -> bool:
    parts = urlsplit(address)
    return not parts.netloc and parts.path.startswith("/console/") and "logout" not in parts.path


def _kind(address: str) -> str:
    """The page's address without what it is about, and the names of its filters."""
    parts = urlsplit(address)
    return f"{resolve(parts.path).view_name}?{sorted(dict(parse_qsl(parts.query)))}"


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name == "href" and value and tag == "a"]


def _links(text: str) -> list[str]:
    parser = _Links()
    parser.feed(text)
    return parser.found


def exports() -> Iterator[Place]:
    """Whatever leaves the system as a file: a bundle of all evidence there is, signed up to this moment, unpacked."""
    checkpoints.sign_everything()
    bundle = io.BytesIO(b"".join(evidence.export(actor=actor_named(Role.AUDITOR.value)).chunks()))
    with zipfile.ZipFile(bundle) as archive:
        yield from ((f"bundle: {name}", archive.read(name)) for name in archive.namelist())


def files(folder: Path, *, but: frozenset[str] = frozenset()) -> Iterator[Place]:
    """Every file below the folder, less those by these names, which hold secrets because they are meant to."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in but:
            yield f"file {path.relative_to(folder)}", path.read_bytes()


def redis() -> Iterator[Place]:
    """Every key and value of the Redis that carries bells and counters, where there is one."""
    url = settings.Q_CLUSTER["redis"]
    if not url:
        return
    with Redis.from_url(url) as store:
        for key in store.scan_iter():
            read = {b"list": lambda k: store.lrange(k, 0, -1), b"hash": store.hgetall, b"set": store.smembers}
            yield f"redis {key!r}", key + repr(read.get(store.type(key), store.get)(key)).encode()
