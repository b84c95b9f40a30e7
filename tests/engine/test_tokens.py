"""API tokens: who gets one, and what it is worth."""

import hashlib
import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from rollback_audit.engine import roles, tokens
from rollback_audit.engine.actors import actor_for
from rollback_audit.errors import InvalidInput, UnknownRecord
from rollback_audit.models import ApiToken
from rollback_audit.states import ROLE_PERMISSIONS, Role

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _roles() -> None:
    roles.install()


@pytest.mark.parametrize("role", Role)
def test_a_token_brings_its_user_with_exactly_the_roles_permissions(role: Role) -> None:
    user = tokens.user_for(tokens.create(username="robot", role=role.value))
    assert user is not None
    assert user.get_username() == "robot"
    assert not user.has_usable_password()
    assert actor_for(user).permissions == ROLE_PERMISSIONS[role]


def test_only_the_hash_is_stored() -> None:
    token = tokens.create(username="robot", role="auditor")
    assert re.fullmatch(r"cavra_[A-Za-z0-9_-]{43}", token)
    row = ApiToken.objects.get()
    assert row.digest == hashlib.sha256(token.encode()).hexdigest()
    assert row.hint == token[:8]
    assert all(token not in str(value) for value in vars(row).values())


def test_a_second_token_is_for_the_same_user_who_keeps_other_roles() -> None:
    tokens.create(username="robot", role="auditor")
    tokens.create(username="robot", role="soc_analyst")
    user = get_user_model().objects.get(username="robot")
    assert set(user.groups.values_list("name", flat=True)) == {"auditor", "soc_analyst"}
    assert ApiToken.objects.count() == 2


@pytest.mark.parametrize("days", [1, 90, 3650])
def test_a_token_lives_its_days(days: int) -> None:
    tokens.create(username="robot", role="auditor", days=days)
    row = ApiToken.objects.get()
    assert row.expires_at - row.created_at == timedelta(days=days)


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_days_out_of_bounds_are_refused(days: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        tokens.create(username="robot", role="auditor", days=days)
    assert list(refused.value.fields) == ["days"]
    assert not get_user_model().objects.exists()


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        tokens.create(username="robot", role="root")
    assert list(refused.value.fields) == ["role"]


@pytest.mark.parametrize("username", ["", "a b", "x" * 151, "a\x00b"])
def test_a_name_that_no_user_may_have_is_refused(username: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        tokens.create(username=username, role="auditor")
    assert list(refused.value.fields) == ["user"]
    assert not ApiToken.objects.exists()


def test_an_expired_token_is_worth_nothing() -> None:
    token = tokens.create(username="robot", role="auditor")
    row = ApiToken.objects.get()
    ApiToken.objects.update(created_at=row.created_at - timedelta(days=90), expires_at=row.created_at)
    assert tokens.user_for(token) is None


def test_a_revoked_token_is_worth_nothing_and_is_revoked_once() -> None:
    token = tokens.create(username="robot", role="auditor")
    tokens.revoke(token=token)
    assert tokens.user_for(token) is None
    with pytest.raises(UnknownRecord):
        tokens.revoke(token=token)


def test_a_token_of_a_retired_user_is_worth_nothing_and_no_new_one_is_made() -> None:
    token = tokens.create(username="robot", role="auditor")
    get_user_model().objects.update(is_active=False)
    assert tokens.user_for(token) is None
    with pytest.raises(InvalidInput):
        tokens.create(username="robot", role="auditor")


@pytest.mark.parametrize(
    "token",
    ["", "cavra_", "cavra_" + "A" * 43, "x" * 49, "cavra_" + "A" * 42 + "\x00", "cavra_" + "ä" * 43, "A" * 10_000],
)
def test_any_other_text_is_nobody(token: str) -> None:
    tokens.create(username="robot", role="auditor")
    assert tokens.user_for(token) is None


def test_roles_are_installed_twice_without_harm_and_leave_other_groups_alone() -> None:
    other = Group.objects.create(name="others")
    extra = Group.objects.get(name="auditor")
    extra.permissions.add(*Group.objects.get(name="platform_owner").permissions.all())
    roles.install()
    roles.install()
    assert Group.objects.filter(pk=other.pk).exists()
    for role, words in ROLE_PERMISSIONS.items():
        held = Group.objects.get(name=role.value).permissions.values_list("codename", flat=True)
        assert sorted(held) == sorted(word.value for word in words)
