"""Canaries of every kind, through every door, in every encoding: none of them is anywhere afterwards."""

from collections.abc import Callable, Iterator
from random import Random

import pytest

from tests.canaries import guards, places, wires
from tests.canaries.doors import DOORS, ECHOES, PRIVATE
from tests.canaries.encodings import ENCODINGS, Search, needles
from tests.canaries.kinds import KINDS, PLAIN, SHAPED, draw
from tests.canaries.places import LogLines, Place
from tests.canaries.scene import Hit, Scene, hits

assert wires  # its doors are among DOORS once it has been read

LEAST_KINDS, LEAST_DOORS = 39, 18


def everywhere(scene: Scene, log: LogLines, said: str) -> Iterator[Place]:
    """Every place there is. `said` is what went to the terminal."""
    yield from places.answers_to_everybody(scene.world)
    yield from places.exports()
    yield from places.database()
    yield from places.redis()
    yield from log.places()
    yield from scene.heard
    yield "terminal", said.encode("utf-8", "replace")


def sweep(scene: Scene, log: LogLines, said: str) -> list[Hit]:
    return hits(scene.sown, everywhere(scene, log, said), private=PRIVATE.__contains__)


def in_words(found: list[Hit], limit: int = 40) -> str:
    return "\n".join(sorted({str(hit) for hit in found})[:limit])


def test_there_are_enough_kinds_and_doors() -> None:
    assert len(KINDS) >= LEAST_KINDS
    assert len(DOORS) >= LEAST_DOORS


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_search_sees_every_kind_in_every_encoding_wherever_it_stands(encoding: str, random: Random) -> None:
    encode = ENCODINGS[encoding]
    for kind in KINDS:
        canary = draw(kind, random)
        search = Search((part, needle) for part in canary.parts for needle in needles(part).values())
        for before in range(3):
            content = b"said: " + encode(b"-" * before + canary.text.encode()) + b", and no more"
            said = {part for part in canary.parts if part in canary.text}
            assert said <= search.names_in(content), (kind, content)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.django_db
def test_no_canary_is_anywhere(scene: Scene, log: LogLines, capfd: pytest.CaptureFixture[str]) -> None:
    for put in DOORS.values():
        put(scene)
    scene.heard = [place for place in scene.heard if not place[0].startswith(tuple(f"answer to {at}" for at in ECHOES))]
    found = sweep(scene, log, "".join(capfd.readouterr()))
    assert {one.canary.kind for one in scene.sown} == KINDS.keys()
    assert {one.door for one in scene.sown} == DOORS.keys()
    assert not found, in_words(found)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("switch_off", "door", "kinds"),
    [
        (guards.detector_off, "API notes and references", SHAPED),
        (guards.border_off, "receiver's answer", KINDS),
        (guards.formatter_off, "API notes", PLAIN),
        (guards.formatter_off, "path segment", KINDS),
    ],
    ids=["detector", "client's border", "log formatter, of SQL", "log formatter, of requests"],
)
def test_with_a_guard_switched_off_every_kind_is_found(
    switch_off: Callable[[pytest.MonkeyPatch, LogLines], None],
    door: str,
    kinds: dict[str, object],
    *,
    scene: Scene,
    log: LogLines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    switch_off(monkeypatch, log)
    DOORS[door](scene)
    looked_at = [*places.database(), *log.places()]
    found = {hit.kind for hit in hits(scene.sown, looked_at, private=PRIVATE.__contains__)}
    assert found >= kinds.keys()
