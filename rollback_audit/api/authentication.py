"""Who is asking: a bearer token, or the console's session with its CSRF token."""

from typing import TYPE_CHECKING

from rest_framework.authentication import BaseAuthentication
from rest_framework.authentication import SessionAuthentication as DjangoSessions
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from rollback_audit.engine import tokens

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

SCHEME = "Bearer"
_REALM = f'{SCHEME} realm="cavra"'
_LONGEST_TOKEN = 200


class CsrfFailed(PermissionDenied):
    default_code = "csrf_failed"
    default_detail = "A session needs its CSRF token in the X-CSRFToken header, sent from this site."


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer cavra_…`. Comes first, so that its header is the challenge of a 401."""

    def authenticate(self, request: Request) -> "tuple[AbstractBaseUser, None] | None":
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != SCHEME.lower():
            return None
        token = token.strip()
        user = tokens.user_for(token) if token.isascii() and 0 < len(token) <= _LONGEST_TOKEN else None
        if user is None:
            raise AuthenticationFailed
        return user, None

    def authenticate_header(self, request: Request) -> str:
        return _REALM


class SessionAuthentication(DjangoSessions):
    """The console's session. Django's reasons for a CSRF refusal repeat the Origin and Referer sent: ours do not."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied:
            raise CsrfFailed from None
