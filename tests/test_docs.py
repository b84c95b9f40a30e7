"""What the documentation says of the code is what the code says."""

import inspect
import re
import runpy
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest
from django.apps import apps

from cavra_site import env
from rollback_audit import states
from rollback_audit.states import FAILURE_CLASS, MOVES, ROLE_PERMISSIONS, FailureKind, Role

DOCS = env.BASE_DIR / "docs"
PAGES = sorted([env.BASE_DIR / "README.md", env.BASE_DIR / "CHANGELOG.md", *DOCS.glob("*.md")])
ENUMERATIONS = {
    name: found
    for name, found in vars(states).items()
    if inspect.isclass(found) and issubclass(found, StrEnum) and found is not StrEnum
}

HEADING = re.compile(r"^#+ .*\(`(\w+)`\)$")
ROW = re.compile(r"^\| `([^`]+)` \|(.*)\|$")
MOVE = re.compile(r"^ +(\w+) --> (\w+)(?:: .+)?$")
# E is short for an address of the API, one of which ends like a module.
MODULE = re.compile(r"`(?!E/)((?:\w+/)+\w+\.py)`")
MODEL = re.compile(r"`([A-Z]\w+)`")
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)(?:#[^)\s]*)?\)")


@dataclass
class Section:
    """One enumeration's part of docs/states.md: its table, first cell by row, and the moves of its diagram."""

    rows: dict[str, str]
    moves: set[tuple[str, str]]


def read_sections() -> dict[str, Section]:
    sections: dict[str, Section] = {}
    section = None
    for line in (DOCS / "states.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = HEADING.match(line)
            section = sections.setdefault(heading[1], Section({}, set())) if heading else None
        elif section is None:
            assert not ROW.match(line), f"a table of words under no enumeration's heading: {line}"
        elif row := ROW.match(line):
            section.rows[row[1]] = row[2]
        elif move := MOVE.match(line):
            section.moves.add((move[1], move[2]))
    return sections


SECTIONS = read_sections()


def test_every_enumeration_has_a_section_and_no_other_does() -> None:
    assert set(SECTIONS) == set(ENUMERATIONS)


@pytest.mark.parametrize("name", ENUMERATIONS)
def test_a_section_lists_the_words_of_its_enumeration_in_their_order(name: str) -> None:
    assert list(SECTIONS[name].rows) == [word.value for word in ENUMERATIONS[name]]


@pytest.mark.parametrize("name", ENUMERATIONS)
def test_a_diagram_shows_the_moves_of_the_code_and_no_others(name: str) -> None:
    drawn = SECTIONS[name].moves
    if ENUMERATIONS[name] in MOVES:
        assert drawn == {(one.value, other.value) for one, other in MOVES[ENUMERATIONS[name]]}
    else:
        assert {word for move in drawn for word in move} <= {word.value for word in ENUMERATIONS[name]}


def test_every_kind_of_failure_is_shown_in_its_class() -> None:
    shown = {word: cells.split("|")[0].strip(" `") for word, cells in SECTIONS["FailureKind"].rows.items()}
    assert shown == {kind.value: FAILURE_CLASS[kind].value for kind in FailureKind}


def test_every_role_is_shown_with_what_it_adds() -> None:
    before: frozenset[states.Permission] = frozenset()
    for role in Role:
        added = set(re.findall(r"`(\w+)`", SECTIONS["Role"].rows[role.value]))
        assert added == {word.value for word in ROLE_PERMISSIONS[role] - before}
        before = ROLE_PERMISSIONS[role]


def test_architecture_says_of_every_table_what_it_is_for() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8").split("## What each table is for")[1]
    assert set(MODEL.findall(text)) == {model.__name__ for model in apps.get_app_config("rollback_audit").get_models()}


def test_every_constraint_that_is_promised_is_there() -> None:
    text = (DOCS / "governance.md").read_text(encoding="utf-8").split("## What the database refuses")[1]
    promised = re.findall(
        r"`(\w+)`", "".join(line for line in text.split("\n## ")[0].splitlines() if line.startswith("|"))
    )
    models = apps.get_app_config("rollback_audit").get_models()
    assert promised
    assert set(promised) <= {constraint.name for model in models for constraint in model._meta.constraints}


def test_the_diagram_is_what_its_source_draws() -> None:
    source = runpy.run_path(str(DOCS / "diagrams" / "draw.py"))
    assert source["DRAWING"].read_text(encoding="utf-8") == source["svg"]()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_that_is_named_is_there(page: Path) -> None:
    roots = [env.BASE_DIR, env.BASE_DIR / "rollback_audit"]
    named = MODULE.findall(page.read_text(encoding="utf-8"))
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_that_is_there(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert missing == []
