"""The world that canaries are put into, and the books that are kept on them."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from django.conf import settings
from django.http import HttpResponseBase
from django.test import Client
from rest_framework.test import APIClient

from rollback_audit.engine import connectors
from rollback_audit.models import DrillRoute
from tests.api.doors import World
from tests.canaries import places
from tests.canaries.encodings import ENCODINGS, Search, needles
from tests.canaries.kinds import KINDS, PLAIN, SHAPED, Canary, draw
from tests.canaries.places import PRIVATE_COLUMNS, Place

_AT_ONCE = 24


@dataclass(frozen=True, slots=True)
class Sown:
    """A canary as it was put through a door: `content` is its text in one encoding."""

    door: str
    encoding: str
    canary: Canary
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    @property
    def line(self) -> str:
        """The bytes as one line of a header or of a command."""
        return self.content.decode("latin-1").replace("\n", " ").replace("\0", "%00")


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a canary was found that should be nowhere."""

    door: str
    kind: str
    put_in: str
    found_as: str
    place: str

    def __str__(self) -> str:
        return f"{self.kind} ({self.put_in}) by {self.door}: in {self.place} as {self.found_as}"


@dataclass(slots=True)
class Scene:
    """Clients of the platform owner, who may everything; where connector files go; and what was put in and answered."""

    world: World
    api: APIClient
    session: str
    folder: Path
    config: Path
    random: Random
    configured: dict[str, Any]
    heard: list[Place] = field(default_factory=list)
    sown: list[Sown] = field(default_factory=list)

    @property
    def ids(self) -> dict[str, str]:
        """What there is, by the names that addresses have for it."""
        held = {name: getattr(self.world, name) for name in World.__slots__ if name.endswith("_id")}
        return held | {"name": "webhook", "route_id": DrillRoute.objects.values_list("route_id", flat=True)[0]}

    def browser(self) -> Client:
        """A browser that is signed in, and has nothing left to say from the last page."""
        client = Client(raise_request_exception=False)
        client.cookies[settings.SESSION_COOKIE_NAME] = self.session
        return client

    def sow(
        self, door: str, kinds: Iterable[str] = KINDS, *, encodings: Sequence[str] = tuple(ENCODINGS)
    ) -> list[Sown]:
        """A canary of each kind in each of these encodings, all of them different."""
        made = []
        for kind in kinds:
            for encoding in encodings:
                canary = draw(kind, self.random)
                made.append(Sown(door, encoding, canary, ENCODINGS[encoding](canary.text.encode())))
        self.sown += made
        return made

    def some(self, door: str, kinds: Iterable[str] = KINDS, *, encodings: int = 2) -> list[Sown]:
        """A canary of each kind as it is, and in as many encodings by lot: for doors that take one at a time."""
        others = [name for name in ENCODINGS if name != "raw"]
        return [
            one
            for kind in kinds
            for one in self.sow(door, [kind], encodings=("raw", *self.random.sample(others, encodings)))
        ]

    def credentials(self, door: str) -> list[Sown]:
        """Canaries that a free text must refuse: as they are, and in the encodings that nobody reads past."""
        return self.sow(door, SHAPED, encodings=("raw", "base64", "json", "html"))

    def endless_credentials(self, door: str) -> Iterator[Sown]:
        """Such canaries one after the other, in no order, as many as are asked for."""
        while True:
            made = self.credentials(door)
            self.random.shuffle(made)
            yield from made

    def private(self, door: str) -> list[Sown]:
        """Canaries that no text betrays; and the unreadable forms of those that would be betrayed by theirs."""
        return self.sow(door, PLAIN, encodings=("raw", "hex", "html, every sign", "percent, every sign"))

    def hear(self, said_at: str, response: HttpResponseBase) -> HttpResponseBase:
        self.heard.append((f"answer to {said_at}", places.answer(response)))
        return response

    def configure(self, entries: dict[str, Any]) -> None:
        """Write the connector file with these beside the one that the world has, and make the rows agree."""
        self.config.write_text(json.dumps({"connectors": self.configured | entries}))
        connectors.sync()
        self.heard += [("a problem of the file", str(item).encode()) for item in connectors.configuration().problems]

    def restore(self) -> None:
        self.configure({})


def batches(sown: Sequence[Sown], size: int = _AT_ONCE) -> Iterator[Sequence[Sown]]:
    for start in range(0, len(sown), size):
        yield sown[start : start + size]


def hits(sown: Sequence[Sown], found_in: Iterable[Place], *, private: Callable[[str], bool]) -> list[Hit]:
    """Every canary that turned up, but for those whose door is `private`, in the columns declared for that."""
    books: dict[str, tuple[Sown, str]] = {}
    wanted: list[tuple[str, bytes]] = []
    for one in sown:
        for part in one.canary.parts:
            for encoding, needle in needles(part).items():
                name = str(len(wanted))
                wanted.append((name, needle))
                books[name] = one, encoding
    search, found = Search(wanted), []
    for place, content in found_in:
        is_private = place.rpartition(".")[2] in PRIVATE_COLUMNS
        for name in search.names_in(content):
            one, encoding = books[name]
            if not (is_private and private(one.door)):
                found.append(Hit(one.door, one.canary.kind, one.encoding, encoding, place))
    return found
