"""How often one may ask.

REST framework's own throttles read a list, append and write it back, so parallel requests slip through. These count in
one atomic step: a counter for each identity and window of time.
"""

import logging
import time
from typing import Any

from django.core.cache import cache
from django.utils.crypto import salted_hmac
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

log = logging.getLogger(__name__)

_SALT = "rollback_audit.api.throttling"
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class WindowThrottle(BaseThrottle):
    """At most so many requests in each window, as `DEFAULT_THROTTLE_RATES` says for the scope.

    A cache that is down lets everybody in: an outage of the cache must not be one of the API.
    """

    scope = ""

    def __init__(self) -> None:
        self._left_seconds = 0.0

    def identity(self, request: Request) -> str | None:
        """Who is counted; None where this throttle does not apply."""
        raise NotImplementedError

    def allow_request(self, request: Request, view: Any) -> bool:
        who = self.identity(request)
        rate = api_settings.DEFAULT_THROTTLE_RATES.get(self.scope)
        if who is None or rate is None:
            return True
        most, seconds = _read(str(rate))
        window, passed = divmod(time.time(), seconds)
        self._left_seconds = seconds - passed
        # Under the secret key: whoever reads the cache could try all addresses against a plain hash.
        name = salted_hmac(_SALT, f"{self.scope}\n{who}\n{seconds}\n{int(window)}", algorithm="sha256").hexdigest()
        try:
            return _count(f"throttle-{name}", seconds=seconds) <= most
        except (RedisError, OSError):
            log.warning("throttle skipped, the cache does not answer")
            return True

    def wait(self) -> float:
        return self._left_seconds


class UserThrottle(WindowThrottle):
    """Whoever is signed in, by account: a second token gives no second allowance."""

    scope = "user"

    def identity(self, request: Request) -> str | None:
        return str(request.user.pk) if request.user.is_authenticated else None


class AnonymousThrottle(WindowThrottle):
    """Whoever is not, wrong tokens included, by address."""

    scope = "anon"

    def identity(self, request: Request) -> str | None:
        return None if request.user.is_authenticated else self.get_ident(request)


def _read(rate: str) -> tuple[int, int]:
    """`600/minute` as a number and seconds."""
    number, _, period = rate.partition("/")
    return int(number), _SECONDS[period]


def _count(key: str, *, seconds: int) -> int:
    cache.add(key, 0, timeout=2 * seconds)
    try:
        return cache.incr(key)
    except ValueError:
        # A full cache threw the counter out between the two steps.
        return 1
