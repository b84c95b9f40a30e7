"""A configured receiver, people with roles, and a clock that can be moved."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from rollback_audit.engine import clock, connectors, roles
from rollback_audit.engine.actors import Actor, actor_for
from rollback_audit.states import Role
from tests.receivers import RecordingReceiver

People = Callable[[str, Role], Actor]


@pytest.fixture(autouse=True)
def _whole_runs(settings: LazySettings) -> None:
    """Runs send all they select at once and stop at nothing; the tests of waves and stop rules say otherwise."""
    settings.CAVRA_CANARY_WAVES = "rest"
    settings.CAVRA_STOP_FAILURE_PERCENT = 100
    settings.CAVRA_STOP_CONSECUTIVE_FAILURES = 10_000


@pytest.fixture
def receiver() -> Iterator[RecordingReceiver]:
    with RecordingReceiver() as running:
        yield running


@pytest.fixture
def people(db: None) -> People:
    """Makes an actor with a role; the same name gives the same person."""
    # A test that commits ends with empty tables, the migration's groups among them.
    roles.install()

    def make(name: str, role: Role) -> Actor:
        user, _ = get_user_model().objects.get_or_create(username=name)
        user.groups.add(Group.objects.get(name=role.value))
        return actor_for(get_user_model().objects.get(pk=user.pk))

    return make


@pytest.fixture
def configure(tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes the connector file, one webhook for each name given with its port, and makes the rows agree.

    `limits` go into every entry: pace, concurrency and the circuit's bounds.
    """
    path = tmp_path / "connectors.json"
    monkeypatch.setenv("TEST_WEBHOOK_SECRET", "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    settings.CAVRA_CONNECTOR_CONFIG = path  # type: ignore[attr-defined]
    monkeypatch.setattr(connectors, "_known", connectors._Known())

    def write(*, limits: dict[str, float] | None = None, **ports: int) -> None:
        entries = {
            name: {
                "provider": "webhook",
                "url": f"http://127.0.0.1:{port}/hook",
                "secret_env": "TEST_WEBHOOK_SECRET",
                "allow_networks": ["127.0.0.0/8"],
                "allow_ports": [port],
                "allow_plain_http": True,
                **(limits or {}),
            }
            for name, port in ports.items()
        }
        path.write_text(json.dumps({"connectors": entries}))
        connectors.sync()

    return write


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Moves the engine's clock forward; the database's own goes on as it does."""
    database_now = clock.now
    moved = timedelta()

    def now() -> datetime:
        return database_now() + moved

    def move(by: timedelta) -> None:
        nonlocal moved
        moved += by

    monkeypatch.setattr(clock, "now", now)
    return move
