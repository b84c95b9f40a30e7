"""The house rules, as tests: ceilings, imports, words. The floors themselves are import-linter's (pyproject.toml)."""

import ast
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest

from rollback_audit.states import MOVES

ROOT = Path(__file__).parent.parent
PACKAGES = ("rollback_audit", "cavra_site")
# About 300 and about 40: room for the last sentence, not for just one more thing.
MODULE_LINES = 320
FUNCTION_LINES = 45

MODULES = sorted(
    path.relative_to(ROOT)
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "migrations" not in path.parts
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def tree(module: Path) -> ast.Module:
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


def functions(module: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(module)) if isinstance(node, Function))


def lines_of_code(module: Path) -> int:
    """Lines that are neither empty nor imports."""
    text = (ROOT / module).read_text(encoding="utf-8").splitlines()
    head = [node for node in tree(module).body if isinstance(node, ast.Import | ast.ImportFrom)]
    imports = {line for node in head for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return sum(bool(line.strip()) for number, line in enumerate(text, start=1) if number not in imports)


def body_lines(function: Function) -> int:
    """Lines of the body, without the docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or function.lineno) - body[0].lineno + 1 if body else 0


def imported(module: Path) -> Iterator[str]:
    """Every name a module imports, dotted."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_rules_see_the_house() -> None:
    assert len(MODULES) > 50


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_can_be_read_in_one_sitting(module: Path) -> None:
    assert lines_of_code(module) <= MODULE_LINES


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_function_fits_on_a_screen(module: Path) -> None:
    tall = {function.name: body_lines(function) for function in functions(module)}
    assert {name: lines for name, lines in tall.items() if lines > FUNCTION_LINES} == {}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_nothing_is_imported_inside_a_function(module: Path) -> None:
    hidden = [
        f"{function.name}, line {node.lineno}"
        for function in functions(module)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert hidden == []


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_star_no_signal_and_no_relative_import(module: Path) -> None:
    names = list(imported(module))
    assert not [name for name in names if name.endswith(".*") or name.startswith("None.")]
    assert not [name for name in names if name.startswith(("django.dispatch", "django.db.models.signals"))]
    assert not [name for name in names if re.match(r"django\.\S+\.signals\b", name)]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_module_is_a_drawer_for_everything(module: Path) -> None:
    assert not {"utils", "util", "helpers", "common", "misc"} & {module.stem, *module.parts}


def test_every_move_is_between_words_of_its_own_enumeration() -> None:
    for words, moves in MOVES.items():
        assert all(isinstance(word, words) for move in moves for word in move)


@pytest.mark.parametrize("words", MOVES, ids=lambda words: words.__name__)
def test_every_state_can_be_reached_or_begins(words: type[StrEnum]) -> None:
    reached = {after for _, after in MOVES[words]}
    begins = {before for before, _ in MOVES[words]} - reached
    assert set(words) == reached | begins
