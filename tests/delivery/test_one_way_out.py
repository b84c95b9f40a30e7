"""House rule: one module opens sockets, one drives them, one talks over what was opened."""

import ast
from pathlib import Path

import cavra_site
import rollback_audit

PACKAGE = Path(rollback_audit.__file__).parent
SHELL = Path(str(cavra_site.__file__)).parent
WAY_OUT = {
    "delivery/exchange.py": {"pycurl", "socket"},
    "delivery/client.py": {"pycurl"},
    "delivery/names.py": {"socket"},
    "delivery/stream.py": {"socket", "ssl"},
}
# The demo asks whether its own ports on 127.0.0.1 are free, and whether its servers listen yet. It sends nothing.
PROBES = "management/commands/demo.py"
# The web server. Database and Redis are reached through Django, whose settings name them.
LISTENING = {"web.py": {"gunicorn"}}
WIRES = (
    "socket", "ssl", "pycurl", "ctypes", "cffi", "gunicorn", "multiprocessing", "http.client", "urllib.request",
    "urllib3", "requests", "httpx", "aiohttp", "smtplib", "ftplib", "telnetlib", "socketserver", "asyncio", "xmlrpc",
    "websockets",
)  # fmt: skip


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def wires_of(path: Path) -> set[str]:
    names = imported(path)
    return {wire for wire in WIRES if any(name == wire or name.startswith(f"{wire}.") for name in names)}


def test_only_the_way_out_imports_anything_that_opens_sockets() -> None:
    modules = {path.relative_to(PACKAGE).as_posix(): wires_of(path) for path in PACKAGE.rglob("*.py")}
    assert {name: modules.pop(name) for name in WAY_OUT} == WAY_OUT
    assert modules.pop(PROBES, set()) <= {"socket"}
    assert {name: wires for name, wires in modules.items() if wires} == {}


def test_the_shell_listens_and_starts_processes_and_that_is_all() -> None:
    modules = {path.relative_to(SHELL).as_posix(): wires_of(path) for path in SHELL.rglob("*.py")}
    assert {name: wires for name, wires in modules.items() if wires} == LISTENING


def test_nothing_is_imported_by_a_name_made_up_at_run_time() -> None:
    hidden = {
        f"{package.name}/{path.relative_to(package).as_posix()}"
        for package in (PACKAGE, SHELL)
        for path in package.rglob("*.py")
        if {"importlib", "__import__"} & (imported(path) | called(path))
    }
    # It imports our own system checks, late, so that other commands do not run them.
    assert hidden == {"rollback_audit/management/commands/check.py"}


def called(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
