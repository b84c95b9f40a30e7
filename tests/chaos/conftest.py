"""The same people, connectors and receivers as the engine's tests have."""

from tests.engine.conftest import configure, people, receiver

__all__ = ["configure", "people", "receiver"]
