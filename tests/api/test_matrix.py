"""Every address, with every method, asked by everybody: the answers are those of docs/access.md."""

import os
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from rest_framework.settings import api_settings

from rollback_audit.engine import tokens
from rollback_audit.models import ApiToken, DrillRoute
from rollback_audit.states import Role
from tests.api import matrix
from tests.api.doors import World
from tests.api.matrix import Identity

pytestmark = pytest.mark.django_db


def test_every_address_has_its_rows_and_no_other_does() -> None:
    if os.environ.get(matrix.WRITE):
        pytest.skip("The page is being written.")
    assert matrix.paths_in_page() == {address.path for address in matrix.addresses()}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_everybody_gets_what_the_page_says(
    world: World, identities: list[Identity], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", {"anon": "9999999/day", "user": "9999999/day"})
    ids = _ids(world)
    cells = {
        (address.path, method): [matrix.cell(who, method, address, world=world, ids=ids) for who in identities]
        for address in matrix.addresses()
        for method in matrix.METHODS
    }
    lines = matrix.table(cells, [who.name for who in identities])
    if os.environ.get(matrix.WRITE):
        matrix.write(lines)
    assert lines == matrix.rows()
    assert not {word for words in cells.values() for word in words if word.startswith("5")}


def _ids(world: World) -> dict[str, str]:
    """What there is, by the names that addresses have for it."""
    ids = {name: getattr(world, name) for name in World.__slots__ if name.endswith("_id")}
    # "key" is a package's in one list and a line's in another; an unknown one tells as much.
    ids |= {"name": world.name, "tree_size": str(world.tree_size)}
    return ids | {"route_id": DrillRoute.objects.values_list("route_id", flat=True)[0]}


@pytest.fixture
def identities(world: World) -> list[Identity]:
    """Nobody, two who are turned away, and the four roles, each by name as the page has them."""
    turned_away = [_signed_in("disabled", Role.PLATFORM_OWNER), _signed_in("expired", Role.PLATFORM_OWNER)]
    get_user_model().objects.filter(username="disabled").update(is_active=False)
    row = ApiToken.objects.get(user__username="expired")
    made_at = row.created_at - timedelta(days=100)
    ApiToken.objects.filter(pk=row.pk).update(created_at=made_at, expires_at=made_at + timedelta(days=90))
    return [
        Identity("anonymous"),
        turned_away[0],
        Identity("expired", turned_away[1].token),
        *(_signed_in(role.value, role) for role in Role),
    ]


def _signed_in(name: str, role: Role) -> Identity:
    user, _ = get_user_model().objects.get_or_create(username=name)
    user.groups.set([Group.objects.get(name=role.value)])
    client = Client()
    client.force_login(user)
    return Identity(
        name, tokens.create(username=name, role=role.value), client.cookies[settings.SESSION_COOKIE_NAME].value
    )
