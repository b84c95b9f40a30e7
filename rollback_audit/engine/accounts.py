"""People who sign in to the console with a password."""

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from rollback_audit.engine import roles
from rollback_audit.errors import InvalidInput


def create(*, username: str, role: str, password: str) -> None:
    """Give a user a role and a password; the user is made if need be, and other roles stay.

    Raises InvalidInput for an unknown role, a name that no user may have, or a password that is too easily guessed.
    """
    wanted = roles.role_named(role)
    with transaction.atomic():
        user = roles.user_with_role(username, wanted)
        try:
            validate_password(password, user)
        except ValidationError as problem:
            raise InvalidInput({"password": problem.messages}) from None
        user.set_password(password)
        user.save(update_fields=["password"])


def exists(username: str) -> bool:
    return get_user_model().objects.filter(username=username).exists()
