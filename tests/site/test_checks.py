"""`cavra check` stops at what an operator has to mend; nothing else does."""

import json
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from django.core.checks import Error, Info, Warning  # noqa: A004
from django.db import connection
from pytest_django.fixtures import Settings

from cavra_site import env, sqlite
from rollback_audit import checks
from tests.site.shell import COMMAND, cavra, environment
from tests.waiting import within

BROKEN = {
    "splunk-soc": {"provider": "splunk", "url": "https://hunter2.example.org", "token_env": "NOT_SET_ANYWHERE"},
    "webhook-audit": {"provider": "webhook", "url": "https://example.org", "secret": "hunter2"},
}
OFF = {"url": "https://example.org", "secret_file": "secret", "provider": "webhook", "enabled": False}


@pytest.fixture
def written(tmp_path: Path, settings: Settings) -> Path:
    """An empty connector file that the settings name."""
    (tmp_path / "secret").write_text("whsec_" + "QUJD" * 10)
    settings.CAVRA_CONNECTOR_CONFIG = tmp_path / "connectors.json"
    return write(tmp_path, {})


def write(folder: Path, connectors: object) -> Path:
    path = folder / "connectors.json"
    path.write_text(json.dumps({"connectors": connectors}))
    return path


def test_each_broken_connector_is_named_with_its_key_and_a_hint_and_no_value(written: Path) -> None:
    write(written.parent, BROKEN | {"off": OFF})
    found = checks.check_connectors()
    assert [(type(message), message.id) for message in found] == [(Error, "rollback_audit.E002")] * 2
    places = [" ".join(message.msg.split()[:2]) for message in found]
    assert places == [
        "connectors.json: connectors.splunk-soc.token_env",
        "connectors.json: connectors.webhook-audit.secret",
    ]
    assert all("docs/connectors.md" in str(message.hint) for message in found)
    assert "hunter2" not in str(found)


@pytest.mark.parametrize("text", ["{", "[]", '{"connectors": []}', '{"hunter2": 1, "connectors": {}}'])
def test_a_file_that_cannot_be_used_is_one_error(written: Path, text: str) -> None:
    written.write_text(text)
    assert [message.id for message in checks.check_connectors()] == ["rollback_audit.E001"]


def test_a_file_that_is_not_there_is_an_error_and_none_at_all_is_not(written: Path, settings: Settings) -> None:
    written.unlink()
    assert [message.id for message in checks.check_connectors()] == ["rollback_audit.E001"]
    settings.CAVRA_CONNECTOR_CONFIG = None
    assert checks.check_connectors() == []


def test_connectors_that_work_or_are_switched_off_are_no_problem(written: Path) -> None:
    write(written.parent, {"off": OFF, "on": OFF | {"enabled": True}})
    assert checks.check_connectors() == []


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite only")
@pytest.mark.parametrize(
    ("version", "kind", "id_", "said"),
    [
        ((3, 53, 4), Info, "rollback_audit.I001", "SQLite 3.53.4 serves, with journal_mode=WAL."),
        ((3, 45, 1), Warning, "rollback_audit.W001", "SQLite 3.45.1 serves, with journal_mode=DELETE."),
    ],
)
def test_the_sqlite_library_that_serves_is_named(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], kind: type, id_: str, said: str
) -> None:
    monkeypatch.setattr(sqlite, "library_version", lambda: version)
    (found,) = checks.check_sqlite()
    assert (type(found), found.id) == (kind, id_)
    assert found.msg.startswith(said)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="PostgreSQL only")
def test_another_database_has_no_sqlite_library_to_name() -> None:
    assert checks.check_sqlite() == []


def test_the_handbook_explains_every_id() -> None:
    ids = re.compile(r"rollback_audit\.[EWI]\d{3}")
    explained = ids.findall((env.BASE_DIR / "docs" / "operations.md").read_text(encoding="utf-8"))
    assert set(explained) == set(ids.findall(Path(checks.__file__).read_text(encoding="utf-8")))


@pytest.mark.slow
@pytest.mark.parametrize("program", [COMMAND, (COMMAND[0], "manage.py")], ids=["cavra", "manage.py"])
def test_check_stops_at_a_broken_connector_before_there_is_a_key(tmp_path: Path, program: tuple[str, ...]) -> None:
    done = subprocess.run(
        [*program, "check"],
        env=environment(home=tmp_path / "home", CAVRA_CONNECTOR_CONFIG=str(write(tmp_path, BROKEN))),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=env.BASE_DIR,
    )
    assert done.returncode == 1
    assert "?: (rollback_audit.E002) connectors.json: connectors.webhook-audit.secret " in done.stderr
    assert done.stderr.count("HINT: ") == 2
    assert "hunter2" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_every_other_command_starts_with_a_broken_connector(tmp_path: Path) -> None:
    path = str(write(tmp_path, BROKEN))
    for command in ("migrate", "clearsessions", "connectors"):
        done = cavra(command, home=tmp_path / "home", CAVRA_CONNECTOR_CONFIG=path)
        assert (done.returncode, done.stderr) == (0, ""), command
    assert done.stdout.count("misconfigured") == 2
    with running_up(environment(home=tmp_path / "home", CAVRA_CONNECTOR_CONFIG=path), log=tmp_path / "log") as port:
        assert within(30, lambda: answers(port) and "cluster_started" in (tmp_path / "log").read_text())


@contextmanager
def running_up(environ: dict[str, str], *, log: Path) -> Iterator[int]:
    """Web server and worker, which end well when asked to. Yields the server's port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    with log.open("w") as file:
        process = subprocess.Popen([*COMMAND, "up", "--port", str(port)], cwd=env.BASE_DIR, env=environ, stderr=file)
    try:
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=90)
    assert code == 0


def answers(port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/console/login/", timeout=5) as answer:
        return bool(answer.status == 200)
    return False
