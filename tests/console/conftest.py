"""Connectors as a file names them, and a signed-in client for each role."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client

from rollback_audit.engine import connectors
from rollback_audit.states import Role
from tests import factories

SignedIn = Callable[[str, Role], Client]


@pytest.fixture
def configure(tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes the connector file, one webhook for each name given with its port, and makes the rows agree."""
    path = tmp_path / "connectors.json"
    monkeypatch.setenv("TEST_WEBHOOK_SECRET", factories.WEBHOOK_SECRET)
    monkeypatch.setattr(connectors, "_known", connectors._Known())
    settings.CAVRA_CONNECTOR_CONFIG = path

    def write(**ports: int) -> None:
        factories.write_connectors(path, ports)
        connectors.sync()

    return write


@pytest.fixture
def signed_in(db: None) -> SignedIn:
    """A client of its own for each person."""

    def sign_in(name: str, role: Role) -> Client:
        client = Client()
        client.force_login(factories.person(name, role))
        return client

    return sign_in
