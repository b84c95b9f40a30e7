"""An Idempotency-Key does its work once: the first answer is kept, and given again.

A key is claimed in a transaction of its own before the work begins, because the work has transactions (and exchanges
with receivers) of its own. A claim without an answer therefore means one of two things, told apart by its age: the work
is going on, or it died and nobody can say how far it came.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError

from rollback_audit.engine import clock
from rollback_audit.engine.actors import Actor
from rollback_audit.errors import CavraError, NotAllowed, StateForbids
from rollback_audit.models import IdempotentRequest

log = logging.getLogger(__name__)

WAIT_SECONDS = 5.0
GIVEN_UP_AFTER = timedelta(minutes=5)
KEPT_FOR = timedelta(days=7)
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.25


class KeyReused(CavraError):
    """The key was first used with another request."""

    code = "idempotency_key_reused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a door answered. `body` is JSON text, `location` a path of ours or empty."""

    status_code: int
    location: str
    body: str


def once(
    *,
    actor: Actor,
    key: str,
    request_digest: str,
    perform: Callable[[], Answer],
) -> tuple[Answer, bool]:
    """The answer to the first request of this actor and key, and whether it is a repetition.

    `request_digest` names what was asked (64 hex characters). A refusal leaves the key free. Raises KeyReused for
    another request, StateForbids while the first is still at work after WAIT_SECONDS, or its outcome is unknown.
    """
    if actor.user_id is None:
        raise NotAllowed("Keys belong to people.")
    claim, fresh = IdempotentRequest.objects.get_or_create(
        user_id=actor.user_id,
        key_digest=_digest(key),
        defaults={"request_digest": request_digest, "created_at": clock.now()},
    )
    if fresh:
        return _first(claim, perform), False
    return _again(claim, request_digest=request_digest), True


def forget(*, older_than: timedelta = KEPT_FOR) -> int:
    """Delete keys of the past; how many. A key used again after that is a new one."""
    deleted, _ = IdempotentRequest.objects.filter(created_at__lt=clock.now() - older_than).delete()
    return deleted


def _digest(key: str) -> str:
    return hashlib.sha256(f"cavra/idempotency-key/v1\n{key}".encode()).hexdigest()


def _first(claim: IdempotentRequest, perform: Callable[[], Answer]) -> Answer:
    try:
        answer = perform()
    except CavraError:
        # A refusal changed nothing. Any other exception may have struck half-way: its claim stays and says so.
        _release(claim)
        raise
    try:
        IdempotentRequest.objects.filter(pk=claim.pk, status_code=None).update(
            status_code=answer.status_code, location=answer.location, answer=answer.body
        )
    except DatabaseError:
        # The work is done and the client is owed its answer; only a repetition will find the outcome unknown.
        log.warning("idempotent answer not kept", exc_info=True)
    return answer


def _release(claim: IdempotentRequest) -> None:
    try:
        IdempotentRequest.objects.filter(pk=claim.pk, status_code=None).delete()
    except DatabaseError:
        log.warning("idempotency key not released", exc_info=True)


def _again(claim: IdempotentRequest, *, request_digest: str) -> Answer:
    deadline = time.monotonic() + WAIT_SECONDS
    pause = _FIRST_PAUSE_SECONDS
    while True:
        if claim.request_digest != request_digest:
            raise KeyReused("This Idempotency-Key was first used with another request. Use a new key.")
        if claim.status_code is not None:
            return Answer(status_code=claim.status_code, location=claim.location, body=claim.answer)
        if clock.now() - claim.created_at > GIVEN_UP_AFTER:
            raise StateForbids(
                "The first request with this key ended without an answer: it may have been carried out. "
                "Look at the history, then repeat it with a new key if it was not.",
                code="idempotency_outcome_unknown",
            )
        if time.monotonic() >= deadline:
            raise _still_at_work()
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        claim = _fresh(claim)


def _fresh(claim: IdempotentRequest) -> IdempotentRequest:
    row = IdempotentRequest.objects.filter(pk=claim.pk).first()
    if row is None:
        # The first request was refused: this one may be tried again, as itself.
        raise _still_at_work()
    return row


def _still_at_work() -> StateForbids:
    return StateForbids(
        "A request with this key is being worked on. Repeat this one a little later.", code="idempotency_in_progress"
    )
