"""What a provider's case file tells the suite."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rollback_audit.delivery.contract import Envelope
from rollback_audit.states import Category, FailureKind
from tests.receivers import Arrival, Reply

# Stands in a case's keys and goldens for scheme, host and port of the receiver.
RECEIVER = "https://receiver.example.com"
# Every secret of a case holds this word, so that the suite can look for it.
HUSH = "hush"

NOW = datetime(2026, 11, 23, 10, 5, 0, tzinfo=UTC)
KEY = "gordackdelivery-0123456789abcdef"

EVENT: dict[str, Any] = {
    "event_type": "cavra.go_backend.rollback_drill.acknowledgement_audit_delivery",
    "summary": {
        "audit_id": "gordackaudit-00112233",
        "delivery_id": "gordackdelivery-44556677",
        "alert_level": "critical",
        "route_count": 1,
        "acknowledgement_count": 0,
        "acknowledged_count": 0,
        "resolved_count": 0,
        "escalated_count": 0,
        "dismissed_count": 0,
        "outstanding_count": 1,
        "filters": {"owner": "Zo\u00eb & <Co> \u2603"},
        "cadence": "on_demand",
        "schedule_ref": None,
        "next_delivery_at": None,
    },
    "routes": [
        {
            "route_id": "gordackroute-1",
            "schedule_id": "payments-weekly",
            "provider": "slack",
            "owner": "Zo\u00eb & <Co> \u2603",
            "acknowledgement_state": "outstanding",
            "acknowledged": False,
        }
    ],
}

ENVELOPE = Envelope(
    event=json.dumps(EVENT, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(),
    event_type=EVENT["event_type"],
    event_id="gordackevent-1",
    idempotency_key=KEY,
    occurred_at=datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC),
)


@dataclass(frozen=True, kw_only=True)
class Golden:
    """One request, byte for byte, as the vendor's reference shows it. `changes` are changed keys; None leaves one out.

    Without a `body` only the rest is compared; a case that does so says why.
    """

    name: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    method: str = "POST"
    changes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A whole answer to the event, and what it comes to: a kind of failure, or None: confirmed."""

    name: str
    reply: Reply
    kind: FailureKind | None
    retry_after_seconds: int | None = None
    already_held: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How the receiver is asked whether it holds the event, and what its answers come to.

    `unclear` answers mean that nothing is sent. `receipt` is what an earlier attempt was given, if that is needed.
    """

    request: Golden
    is_question: Callable[[Arrival], bool]
    held: Reply
    absent: Reply
    unclear: tuple[tuple[Reply, FailureKind], ...]
    receipt: int | None = None


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """How an accepted event is confirmed later, under the keys in `changes`."""

    changes: Mapping[str, object]
    accepted: Reply
    receipt: int
    is_confirmation: Callable[[Arrival], bool]
    not_yet: Reply
    done: Reply


@dataclass(frozen=True, kw_only=True)
class Case:
    """One provider. `keys` is the connector's table as an operator writes it; `environ` what its `_env` keys name.

    `required` are the keys it cannot do without; `key_of` finds the idempotency key in a request that arrived;
    `is_event` tells the request that carries the event from those before and after it, which `otherwise` answers.
    `broken` are changes that nobody may configure, with the key that is named for each.
    `bounded`: what is sent is a notice, within the vendor's limit whatever the event is.
    """

    provider: str
    category: Category
    drops_repeats: bool
    keys: Mapping[str, object]
    environ: Mapping[str, str]
    required: tuple[str, ...]
    goldens: tuple[Golden, ...]
    answers: tuple[Answer, ...]
    broken: tuple[tuple[Mapping[str, object], str], ...]
    key_of: Callable[[Arrival], str]
    is_event: Callable[[Arrival], bool] = lambda arrival: True
    otherwise: Callable[[Arrival], Reply] = lambda arrival: Reply(status=404)
    sign_in: Golden | None = None
    asked: Asked | None = None
    confirmed: Confirmed | None = None
    over_http: bool = True
    bounded: bool = False

    def __str__(self) -> str:
        return self.provider


def answer(
    name: str,
    status: int,
    body: str | bytes,
    kind: FailureKind | None,
    *,
    retry_after: str | None = None,
    retry_after_seconds: int | None = None,
    already_held: bool = False,
) -> Answer:
    """One line of a case's table of answers."""
    text = body.encode() if isinstance(body, str) else body
    headers = () if retry_after is None else (("Retry-After", retry_after),)
    return Answer(
        name=name,
        reply=Reply(status=status, body=text, headers=headers),
        kind=kind,
        retry_after_seconds=retry_after_seconds,
        already_held=already_held,
    )
