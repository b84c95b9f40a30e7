"""API tokens: made once, shown once, known by their hash."""

import hashlib
import re
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from rollback_audit.engine import clock, roles
from rollback_audit.errors import InvalidInput, UnknownRecord
from rollback_audit.models import ApiToken

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PREFIX = "cavra_"
MOST_DAYS = 3650
_RANDOM_BYTES = 32
_HINT_LENGTH = 8
_SHAPE = re.compile(r"cavra_[A-Za-z0-9_-]{43}")


def create(*, username: str, role: str, days: int = 90) -> str:
    """A new token for a user in a role; the user is made if need be. It is shown here and never again.

    Raises InvalidInput for an unknown role, a name that no user may have, or days outside 1..3650.
    """
    wanted = roles.role_named(role)
    if not 1 <= days <= MOST_DAYS:
        raise InvalidInput({"days": [f"A whole number between 1 and {MOST_DAYS}."]})
    token = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    with transaction.atomic():
        now = clock.now()
        ApiToken.objects.create(
            user=roles.user_with_role(username, wanted),
            digest=_digest(token),
            hint=token[:_HINT_LENGTH],
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
    return token


def user_for(token: str) -> "User | None":
    """The active user a valid token stands for; None for any other token, whatever is wrong with it.

    One look-up by the hash: what a stranger sends is never compared byte by byte, so timing tells nothing.
    """
    if not _SHAPE.fullmatch(token):
        return None
    found = ApiToken.objects.select_related("user").filter(
        digest=_digest(token), revoked_at__isnull=True, expires_at__gt=Now(), user__is_active=True
    )
    row = found.first()
    return None if row is None else row.user


def revoke(*, token: str) -> None:
    """End a token now. Raises UnknownRecord for one that does not exist or has ended already."""
    digest = _digest(token) if _SHAPE.fullmatch(token) else ""
    if not ApiToken.objects.filter(digest=digest, revoked_at__isnull=True).update(revoked_at=clock.now()):
        raise UnknownRecord("No such token.")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
