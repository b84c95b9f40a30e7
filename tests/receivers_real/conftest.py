"""The installed programs, and a connector of each provider as the conformance suite configures it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rollback_audit.delivery.config import load
from rollback_audit.delivery.contract import ConnectorSettings
from tests.delivery.conformance.case import RECEIVER
from tests.delivery.conformance.cases import CASES
from tests.receivers import LOOPBACK
from tests.receivers_real import installed

Connector = Callable[..., ConnectorSettings]


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which node finds the npm packages."""
    return installed.npm_packages(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that finds the PyPI packages."""
    return installed.python_packages(tmp_path_factory.mktemp("python"))


@pytest.fixture
def connector(tmp_path: Path) -> Connector:
    """A provider's connector, read from a file; `port` is that of a receiver on this machine."""

    def connector(provider: str, *, port: int = 443, **changes: object) -> ConnectorSettings:
        (case,) = [case for case in CASES if case.provider == provider]
        base = f"http://127.0.0.1:{port}"
        ways = {"allow_networks": [*LOOPBACK], "allow_ports": [port], "allow_plain_http": True}
        path = tmp_path / "connectors.json"
        keys = {key: value for key, value in {**case.keys, **ways, **changes}.items() if value is not None}
        path.write_text(json.dumps({"connectors": {provider: keys}}).replace(RECEIVER, base))
        environ = {name: value.replace(RECEIVER, base) for name, value in case.environ.items()}
        configuration = load(path, environ=environ, digest_key=b"of the suite")
        assert configuration.problems == ()
        return configuration.settings[provider]

    return connector
