"""House rule: one module opens sockets."""

import ast
from pathlib import Path

import rollback_audit

PACKAGE = Path(rollback_audit.__file__).parent
CLIENT = PACKAGE / "delivery" / "client.py"
WIRES = ("socket", "pycurl", "http.client", "urllib.request", "urllib3", "requests", "httpx", "aiohttp", "smtplib",
         "ftplib", "telnetlib", "socketserver", "asyncio", "xmlrpc", "websockets")  # fmt: skip


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def opens_sockets(path: Path) -> bool:
    return any(name == wire or name.startswith(f"{wire}.") for name in imported(path) for wire in WIRES)


def test_only_the_client_imports_anything_that_opens_sockets() -> None:
    assert [path for path in PACKAGE.rglob("*.py") if opens_sockets(path)] == [CLIENT]
