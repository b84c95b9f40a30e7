"""Splunk, by its HTTP Event Collector.

Source: Splunk's REST API reference, "services/collector/event", and "Format events for HTTP Event Collector" with its
table of possible error codes (Splunk Enterprise, Getting Data In). The collector stores whatever it takes, so a repeat
is a second event: repeats are not dropped. The indexed field `idempotency_key` lets a search drop them.

`url` is the collector's base (`https://host:8088`) or its full address; a path is kept as it is.
"""

import json
from collections.abc import Mapping
from datetime import datetime

from rollback_audit.delivery.contract import ConfigurationProblem, ConnectorSettings, Envelope, Verdict, WireRequest
from rollback_audit.delivery.statuses import is_success, verdict_for
from rollback_audit.states import Category, FailureKind

PROVIDER = "splunk"
CATEGORY = Category.SIEM
DROPS_REPEATS = False
MAX_BODY_BYTES = 1_000_000  # Splunk Cloud's limit for one event; Enterprise allows more

SECRETS: tuple[str, ...] = ("token",)
OPTIONS: Mapping[str, type] = {
    "authorization_scheme": str,
    "host": str,
    "index": str,
    "source": str,
    "sourcetype": str,
}

COLLECTOR_PATH = "/services/collector/event"
SOURCE = "cavra"
SOURCETYPE = "cavra:evidence"

SUCCESS = 0
# Codes that say more than the status they come with.
_KINDS: dict[int, FailureKind] = {
    1: FailureKind.CREDENTIAL_REFUSED,  # token disabled
    2: FailureKind.CREDENTIAL_REFUSED,  # token is required
    3: FailureKind.CREDENTIAL_REFUSED,  # invalid authorization
    4: FailureKind.CREDENTIAL_REFUSED,  # invalid token
    7: FailureKind.PAYLOAD_REFUSED,  # incorrect index
    9: FailureKind.UNAVAILABLE,  # server is busy
    16: FailureKind.CREDENTIAL_REFUSED,  # query string authorization is not enabled
    18: FailureKind.UNAVAILABLE,  # unhealthy, queues are full
    23: FailureKind.UNAVAILABLE,  # shutting down
}


def check(settings: ConnectorSettings) -> None:
    if "token" not in settings.secrets:
        raise ConfigurationProblem("token", "is required: name it with token_env or token_file")


def build(settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> WireRequest:
    """One event object. The event's canonical JSON goes into it as it is, never parsed again."""
    around = {
        "time": round(envelope.occurred_at.timestamp(), 3),
        "source": SOURCE,
        "sourcetype": SOURCETYPE,
        "fields": {
            "event_id": envelope.event_id,
            "event_type": envelope.event_type,
            "idempotency_key": envelope.idempotency_key,
        },
        **{key: settings.options[key] for key in ("host", "index", "source", "sourcetype") if key in settings.options},
    }
    scheme = settings.options.get("authorization_scheme", "Splunk")
    return WireRequest(
        method="POST",
        url=_collector_url(settings.url),
        headers=(
            ("Authorization", f"{scheme} {settings.secrets['token']}"),
            ("Content-Type", "application/json"),
            *settings.headers,
        ),
        body=b'%b,"event":%b}' % (json.dumps(around, separators=(",", ":")).encode()[:-1], envelope.event),
    )


def judge(status_code: int, body: bytes) -> Verdict:
    """A 2xx counts only with code 0; a code that is known says more than its status."""
    code = _code_in(body)
    if is_success(status_code):
        return verdict_for(status_code) if code == SUCCESS else Verdict(_KINDS.get(code, FailureKind.ANSWER_REJECTED))
    known = _KINDS.get(code)
    return verdict_for(status_code) if known is None else Verdict(failure_kind=known)


def _code_in(body: bytes) -> int:
    """The answer's `code`; -1 where there is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return -1
    code = answer.get("code") if isinstance(answer, dict) else None
    return code if type(code) is int else -1


def _collector_url(url: str) -> str:
    _, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return url if path or "?" in host else f"{url.rstrip('/')}{COLLECTOR_PATH}"
