"""The same people, connectors and receivers as the engine's tests have, and a ledger that every test begins anew."""

import os
import random
import secrets
from pathlib import Path

import pytest
from django.conf import LazySettings

from rollback_audit.engine import signing_keys
from tests.engine.conftest import configure, people, receiver

__all__ = ["configure", "people", "receiver"]


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, settings: LazySettings) -> None:
    """An emptied database does not continue what the test before it has signed."""
    settings.CAVRA_LEDGER_KEY_FILE = tmp_path / "ledger_key"
    settings.CAVRA_CHECKPOINT_FILE = tmp_path / "checkpoints.txt"
    signing_keys.ensure(settings.CAVRA_LEDGER_KEY_FILE)


@pytest.fixture
def chance() -> random.Random:
    """Repeatable: the seed is printed, CHAOS_SEED repeats it."""
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbits(32))
    print(f"CHAOS_SEED={seed}")
    return random.Random(seed)
