"""The four roles as groups with their permissions. The table is states.ROLE_PERMISSIONS; this only installs it."""

from typing import TYPE_CHECKING, Any

from django.apps import apps as installed_apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError

from rollback_audit.errors import InvalidInput
from rollback_audit.redaction import refuse_credentials
from rollback_audit.states import ROLE_PERMISSIONS, Permission, Role

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def install(apps: Any = installed_apps) -> None:
    """Make the groups hold exactly their roles' permissions; twice without harm. Other groups are left alone.

    `apps` is the registry: the migration passes its own. Permissions are made here, because Django makes them only
    after the last migration.
    """
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="rollback_audit", model="access"
    )
    permissions = apps.get_model("auth", "Permission").objects
    held = {
        word: permissions.get_or_create(
            content_type=content_type, codename=word.value, defaults={"name": word.value.replace("_", " ")}
        )[0]
        for word in Permission
    }
    for role, words in ROLE_PERMISSIONS.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=role.value)
        group.permissions.set([held[word] for word in words])


def role_named(name: str) -> Role:
    """The role of that name. Raises InvalidInput."""
    try:
        return Role(name)
    except ValueError:
        raise InvalidInput({"role": [f"Expected one of: {', '.join(Role)}."]}) from None


def user_with_role(username: str, role: Role) -> "User":
    """The user of that name in the role's group, made without a usable password if there is none.

    A user's other groups stay. Raises InvalidInput for a name that Django would not accept, or a user who was retired.
    """
    model = get_user_model()
    fresh = model(username=username)
    # Before the look-up: a database refuses some characters with an error of its own.
    _validate(fresh)
    user = model.objects.filter(username=username).first()
    if user is None:
        user = fresh
        user.set_unusable_password()
        user.save()
    if not user.is_active:
        raise InvalidInput({"user": ["This user is not active."]})
    user.groups.add(Group.objects.get(name=role.value))
    return user


def _validate(user: "User") -> None:
    refuse_credentials("user", user.username)
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as problem:
        raise InvalidInput({"user": problem.messages}) from None
