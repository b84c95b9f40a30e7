"""What the commands share: the engine's refusals as messages, its records as JSON."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import InterfaceError, OperationalError

from rollback_audit.engine import ledger
from rollback_audit.engine.actors import Actor, actor_named
from rollback_audit.errors import CavraError, InvalidInput
from rollback_audit.states import ROLE_PERMISSIONS, Permission, Role


@contextmanager
def refusals() -> Iterator[None]:
    """Turn a refusal of the engine into a message on stderr and the exit code 1."""
    try:
        yield
    except InvalidInput as refusal:
        fields = "; ".join(f"{name}: {' '.join(messages)}" for name, messages in refusal.fields.items())
        raise CommandError(fields or refusal.detail) from None
    except CavraError as refusal:
        raise CommandError(refusal.detail) from None
    except (OperationalError, InterfaceError):
        raise CommandError("The database does not answer, or was never migrated (cavra migrate).") from None


def actor(username: str | None) -> Actor:
    """The named user; else whoever sits at this terminal, who holds the database and the key anyway.

    Approving takes a signed-in identity all the same: no live run sends what only the terminal wanted.
    """
    if username is not None:
        return actor_named(username)
    permissions = ROLE_PERMISSIONS[Role.PLATFORM_OWNER] - {Permission.APPROVE_RETRY}
    return Actor(name=f"terminal-{getpass.getuser()}", user_id=None, permissions=permissions)


def as_json(record: object) -> str:
    return json.dumps(ledger.jsonable(record), indent=2)
