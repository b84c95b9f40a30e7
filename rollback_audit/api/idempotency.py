"""The Idempotency-Key of a POST: read, and handed to the engine with what was asked."""

import json
from collections.abc import Callable
from typing import Any

from django.utils.crypto import salted_hmac
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from rollback_audit.engine import idempotency
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.idempotency import Answer

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_LONGEST = 255
_SALT = "rollback_audit.api.idempotency"


def once(request: Request, *, actor: Actor, perform: Callable[[], Response]) -> Response:
    """The answer of `perform`; of the first request with this key, where the request carries one."""
    key = request.headers.get(HEADER)
    if key is None:
        return perform()
    if not 1 <= len(key) <= _LONGEST or not key.isascii() or not key.isprintable():
        raise ValidationError({HEADER: [f"Expected 1 to {_LONGEST} printable ASCII characters."]})

    def answer() -> Answer:
        response = perform()
        return Answer(
            status_code=response.status_code,
            location=response.headers.get("Location", ""),
            body=json.dumps(response.data, separators=(",", ":")),
        )

    kept, replayed = idempotency.once(actor=actor, key=key, request_digest=_digest(request), perform=answer)
    response = Response(json.loads(kept.body), status=kept.status_code)
    if kept.location:
        response["Location"] = kept.location
    if replayed:
        response[REPLAYED] = "true"
    return response


def _digest(request: Request) -> str:
    """What was asked: method, path and body, whatever the order of its keys.

    Under the secret key, because a body may be short enough to guess.
    """
    asked: list[Any] = [request.method, request.path.rstrip("/"), request.data]
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"))
    return salted_hmac(_SALT, text, algorithm="sha256").hexdigest()
