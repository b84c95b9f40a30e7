"""Read in the source: what is logged, what is raised at a border, and what is hashed without a key."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from cavra_site.logs import EXTRA_KEYS
from tests.test_house import MODULES, tree

LOG_CALLS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
# Where a library's or a stranger's text could come in, or go out to people.
DOORS = {"admin", "api", "console", "delivery", "management", "tasks.py", "checks.py"}
BORDERS = [module for module in MODULES if DOORS & set(module.parts)]

# Every use of a hash: its key, or why nobody can guess what went in, or why all may know it. Hosts, addresses and
# bodies of requests are few enough to try: they are hashed under a key or not at all.
HASHES = {
    "rollback_audit/api/idempotency.py": "keyed: what was asked, under the secret key",
    "rollback_audit/api/throttling.py": "keyed: who asked, under the secret key",
    "rollback_audit/delivery/config.py": "keyed: the settings of a connector, under the key of connectors.py",
    "rollback_audit/delivery/sources.py": "certificates or a private key; goes on into the keyed digest alone",
    "rollback_audit/delivery/webhook.py": "keyed: the signature that the receiver verifies",
    "rollback_audit/engine/connectors.py": "derives that key from the secret key",
    "rollback_audit/engine/dispatch.py": "the event's bytes, which are public-safe",
    "rollback_audit/engine/idempotency.py": "the random key that a client made up; shown nowhere",
    "rollback_audit/engine/lines.py": "a public record's canonical form",
    "rollback_audit/engine/packages.py": "a public record's canonical form",
    "rollback_audit/engine/tokens.py": "a token: 256 random bits",
    "rollback_audit/evidence/merkle.py": "ledger lines, which are public-safe, and hashes of them",
    "rollback_audit/evidence/notes.py": "a public key and its name",
    "rollback_audit/planning/digest.py": "public digests, counts and words, and the random revision of a connector",
    "rollback_audit/planning/retry.py": "ids and a number: spreads delays, and is not kept",
}


def log_calls(module: Path) -> Iterator[ast.Call]:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOG_CALLS:
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id in {"log", "logger", "logging"}:
                yield node


def _message(call: ast.Call) -> ast.expr:
    assert isinstance(call.func, ast.Attribute)
    return call.args[1] if call.func.attr == "log" else call.args[0]


def _is_constant(node: ast.expr) -> bool:
    """A string, a choice between strings, or a name that is given such a one."""
    if isinstance(node, ast.IfExp):
        return _is_constant(node.body) and _is_constant(node.orelse)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _named_constants(module: Path) -> set[str]:
    """Names that are only ever given constants."""
    given: dict[str, list[bool]] = {}
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            given.setdefault(node.targets[0].id, []).append(_is_constant(node.value))
    return {name for name, each in given.items() if all(each)}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_log_line_is_a_constant_with_declared_keys(module: Path) -> None:
    constants = _named_constants(module)
    for call in log_calls(module):
        message = _message(call)
        assert _is_constant(message) or (isinstance(message, ast.Name) and message.id in constants), call.lineno
        assert len(call.args) == (2 if message is not call.args[0] else 1), "a constant takes no arguments"
        for keyword in call.keywords:
            assert keyword.arg in {"extra", "exc_info"}, call.lineno
            if keyword.arg == "extra":
                assert isinstance(keyword.value, ast.Dict)
                keys = {key.value for key in keyword.value.keys if isinstance(key, ast.Constant)}
                assert len(keys) == len(keyword.value.keys)
                assert keys <= set(EXTRA_KEYS), call.lineno


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_nobody_prints_or_formats_an_exception(module: Path) -> None:
    """An exception's text is written nowhere: no traceback formatted, none printed, none turned into text but ours."""
    called = {ast.unparse(node.func) for node in ast.walk(tree(module)) if isinstance(node, ast.Call)}
    assert not called & {
        "traceback.print_exc", "traceback.format_exc", "traceback.print_exception", "traceback.format_exception",
        "sys.exc_info", "warnings.warn",
    }  # fmt: skip


def raised_in_handlers(module: Path) -> Iterator[tuple[str, ast.Raise]]:
    """Every `raise` of a new exception inside an `except`, with the function it stands in."""
    for function in ast.walk(tree(module)):
        if isinstance(function, ast.FunctionDef):
            for handler in ast.walk(function):
                if isinstance(handler, ast.ExceptHandler):
                    yield from ((function.name, node) for node in ast.walk(handler) if isinstance(node, ast.Raise))


@pytest.mark.parametrize("module", BORDERS, ids=str)
def test_what_is_raised_at_a_border_leaves_its_cause_behind(module: Path) -> None:
    for function, node in raised_in_handlers(module):
        if node.exc is None:
            continue
        assert isinstance(node.cause, ast.Constant), f"{function}, line {node.lineno}: raise ... from None"
        assert node.cause.value is None


def hashing(module: Path) -> bool:
    return any(
        isinstance(node, ast.Import | ast.ImportFrom)
        and {"hashlib", "hmac", "salted_hmac"}
        & ({alias.name for alias in node.names} | {getattr(node, "module", None)})
        for node in ast.walk(tree(module))
    )


def test_every_hash_is_listed_with_the_reason_it_is_fine() -> None:
    found = {str(module) for module in MODULES if hashing(module) and module.name != "verify_evidence.py"}
    assert found == HASHES.keys()
