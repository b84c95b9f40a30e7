"""Gives the session a state folder and a signing key of its own, before Django's settings are read.

A pytest plugin rather than part of conftest.py: pytest-django reads the settings before any conftest is imported.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from cavra_site import env, keys

_KEPT = {"CAVRA_DATABASE_URL", "CAVRA_REDIS_URL"}


def _own_home() -> Path:
    for name in [name for name in os.environ if name.startswith(env.PREFIX) and name not in _KEPT]:
        del os.environ[name]
    home = Path(tempfile.mkdtemp(prefix="cavra-test-"))
    os.environ["CAVRA_HOME"] = str(home)
    keys.ensure(home / "secret_key")
    return home


HOME = _own_home()


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(HOME, ignore_errors=True)
