"""Who acts. Every verb takes an actor and asks it for the permission it needs, so that every door obeys."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model

from rollback_audit.errors import NotAllowed
from rollback_audit.states import Permission

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in identity, or the system itself (`user_id` None)."""

    name: str
    user_id: int | None
    permissions: frozenset[Permission]

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise NotAllowed unless the actor holds the permission."""
        if permission not in self.permissions:
            raise NotAllowed(f"This needs the permission {permission.value}.")


# Schedules act as the system: it looks, dry-runs and keeps reports, and can never send.
SYSTEM = Actor(
    name="system",
    user_id=None,
    permissions=frozenset(
        {Permission.VIEW_EVIDENCE, Permission.PLAN_RETRY, Permission.RUN_DRY, Permission.OPEN_RECOVERY}
    ),
)


def actor_for(user: "User | AnonymousUser") -> Actor:
    """The actor behind a Django user; one without permissions for whoever is inactive or not signed in."""
    if not user.is_active or not user.is_authenticated:
        return Actor(name="anonymous", user_id=None, permissions=frozenset())
    held = user.get_all_permissions()
    permissions = frozenset(word for word in Permission if f"rollback_audit.{word.value}" in held)
    return Actor(name=user.get_username(), user_id=user.pk, permissions=permissions)


def actor_named(username: str) -> Actor:
    """The actor of a username, for commands. Raises NotAllowed where there is none."""
    user = get_user_model().objects.filter(username=username).first()
    if user is None:
        raise NotAllowed("No such user.")
    return actor_for(user)
