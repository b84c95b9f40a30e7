"""A world that lets canaries in, and a seed that a failure names."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from django.conf import LazySettings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client
from rest_framework.settings import api_settings
from rest_framework.test import APIClient

from rollback_audit.engine import tokens
from rollback_audit.states import Role
from tests.api.conftest import world  # noqa: F401
from tests.api.doors import World
from tests.canaries.places import LogLines
from tests.canaries.scene import Scene
from tests.engine.conftest import configure, later, people, receiver  # noqa: F401

# Set it to what a failure printed, and every canary is drawn as it was then.
SEED = "CANARY_SEED"


# Always the same, so that a change and not luck decides; another one goes into the environment.
_SEED = "1"


@pytest.fixture
def random() -> Random:
    seed = os.environ.get(SEED, _SEED)
    print(f"{SEED}={seed}")
    return Random(seed)


@pytest.fixture
def log() -> Iterator[LogLines]:
    lines = LogLines()
    with lines.attached():
        yield lines


@pytest.fixture
def scene(
    world: World,  # noqa: F811
    random: Random,
    tmp_path: Path,
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", {"anon": "9999999/day", "user": "9999999/day"})
    cache.clear()
    settings.ALLOWED_HOSTS = ["testserver"]
    api = APIClient(raise_request_exception=False)
    token = tokens.create(username="platform_owner", role=Role.PLATFORM_OWNER.value)
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    console = Client()
    console.force_login(get_user_model().objects.get(username="platform_owner"))
    config = Path(settings.CAVRA_CONNECTOR_CONFIG)
    return Scene(
        world=world,
        api=api,
        session=console.cookies[settings.SESSION_COOKIE_NAME].value,
        folder=tmp_path,
        config=config,
        random=random,
        configured=json.loads(config.read_text())["connectors"],
    )
