"""What every test may use."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Group
from django.db import connection
from django.test import TransactionTestCase

from rollback_audit.engine import roles
from rollback_audit.models import guards
from rollback_audit.states import Role

_WITH_DATABASE = {"db", "transactional_db", "live_server"}


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """The hasher of production with one round: a million of them for each person made take most of a test's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PBKDF2PasswordHasher, "iterations", 1)
        yield


@pytest.fixture(scope="session", autouse=True)
def _emptied_ledgers() -> Iterator[None]:
    """A test that commits ends with empty tables, the append-only ones too: their guards step aside for that."""
    empty = TransactionTestCase._fixture_teardown

    def unguarded(case: TransactionTestCase) -> None:
        with connection.schema_editor() as editor:
            guards.remove(editor)
        empty(case)
        with connection.schema_editor() as editor:
            guards.install(editor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", unguarded)
        yield


@pytest.fixture(autouse=True)
def _installed_roles(request: pytest.FixtureRequest, _django_db_helper: None) -> None:
    """The migration's roles: a test that commits ends with empty tables, and any test may come after it."""
    wants = request.node.get_closest_marker("django_db") or _WITH_DATABASE & set(request.fixturenames)
    if wants and Group.objects.filter(name__in=list(Role)).count() < len(Role):
        roles.install()
