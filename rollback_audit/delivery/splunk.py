"""Splunk, by its HTTP Event Collector.

Source: Splunk's REST API reference, "services/collector/event" and "services/collector/ack"; Splunk Enterprise,
Getting Data In, "Format events for HTTP Event Collector", "About HTTP Event Collector Indexer Acknowledgment" and the
codes of "Troubleshoot HTTP Event Collector". The collector stores whatever it takes, so a repeat is a second event:
repeats are not dropped. The indexed field `idempotency_key` lets a search drop them.

With `use_ack` an event counts as delivered only once the indexer says so. Each delivery has a channel of its own, so
that an acknowledgement number can never be taken for another delivery's, not even after the collector has begun to
count anew. The collector forgets a number once it has said true, and says false of one that it does not know.

`url` is the collector's base (`https://host:8088`) or its full address; a path is kept as it is.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime

from rollback_audit.delivery.contract import ConfigurationProblem, ConnectorSettings, Envelope, Verdict, WireRequest
from rollback_audit.delivery.credentials import require
from rollback_audit.delivery.fields import fields_of
from rollback_audit.delivery.statuses import CONFIRMED, is_success, verdict_for
from rollback_audit.delivery.urls import with_path
from rollback_audit.states import Category, FailureKind, RepeatCheck

PROVIDER = "splunk"
CATEGORY = Category.SIEM
DROPS_REPEATS = False
ASKS_BY = RepeatCheck.BY_RECEIPT
MAX_BODY_BYTES = 1_000_000  # Splunk Cloud's limit for one event; Enterprise allows more

SECRETS: tuple[str, ...] = ("token",)
OPTIONS: Mapping[str, type] = {
    "authorization_scheme": str,
    "host": str,
    "index": str,
    "source": str,
    "sourcetype": str,
    "use_ack": bool,
}

COLLECTOR_PATH = "/services/collector"
EVENT_PATH = f"{COLLECTOR_PATH}/event"
SOURCE = "cavra"
SOURCETYPE = "cavra:evidence"

SUCCESS = 0
# What the collector's codes mean, whatever status they come with. The rest is read by its status.
_KINDS: dict[int, FailureKind] = {
    1: FailureKind.CREDENTIAL_REFUSED,  # token disabled
    2: FailureKind.CREDENTIAL_REFUSED,  # token is required
    3: FailureKind.CREDENTIAL_REFUSED,  # invalid authorization
    4: FailureKind.CREDENTIAL_REFUSED,  # invalid token
    5: FailureKind.PAYLOAD_REFUSED,  # no data
    6: FailureKind.PAYLOAD_REFUSED,  # invalid data format
    7: FailureKind.ADDRESS_UNKNOWN,  # incorrect index: a setting is wrong, and the event is not
    8: FailureKind.SERVER_ERROR,  # internal server error
    9: FailureKind.UNAVAILABLE,  # server is busy
    10: FailureKind.CREDENTIAL_REFUSED,  # data channel is missing: the token wants use_ack
    11: FailureKind.CREDENTIAL_REFUSED,  # invalid data channel
    12: FailureKind.PAYLOAD_REFUSED,  # event field is required
    13: FailureKind.PAYLOAD_REFUSED,  # event field cannot be blank
    14: FailureKind.CREDENTIAL_REFUSED,  # ACK is disabled: the token does not know use_ack
    15: FailureKind.PAYLOAD_REFUSED,  # error in handling indexed fields
    16: FailureKind.CREDENTIAL_REFUSED,  # query string authorization is not enabled
    18: FailureKind.UNAVAILABLE,  # unhealthy, queues are full
    19: FailureKind.UNAVAILABLE,  # unhealthy, ack service unavailable
    20: FailureKind.UNAVAILABLE,  # unhealthy, both
    21: FailureKind.CREDENTIAL_REFUSED,  # invalid token
    22: FailureKind.CREDENTIAL_REFUSED,  # token disabled
    23: FailureKind.UNAVAILABLE,  # shutting down
    24: FailureKind.ANSWER_MALFORMED,  # queue near capacity: a 200 that does not say what became of the event
    25: FailureKind.ANSWER_MALFORMED,  # ACK near capacity: the same
    26: FailureKind.RATE_LIMITED,  # queue at capacity
    27: FailureKind.RATE_LIMITED,  # ACK channel at capacity
    28: FailureKind.CREDENTIAL_REFUSED,  # data channel is missing, in Splunk Cloud's words
}


def check(settings: ConnectorSettings) -> None:
    require(settings, "token")
    if wanted(settings) and not _event_url(settings).endswith((COLLECTOR_PATH, EVENT_PATH)):
        raise ConfigurationProblem("url", f"must end in {COLLECTOR_PATH} or have no path, which use_ack wants")


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
    return WireRequest(
        method="POST",
        url=_event_url(settings),
        headers=_headers(settings, envelope),
        body=b'%b,"event":%b}' % (_json(around)[:-1], envelope.event),
    )


def judge(status_code: int, body: bytes) -> Verdict:
    """A 2xx counts only with code 0; a code that is known says more than its status."""
    answer = fields_of(body)
    code = answer.get("code")
    if type(code) is int and code in _KINDS:
        return Verdict(failure_kind=_KINDS[code])
    if not is_success(status_code):
        return verdict_for(status_code)
    if type(code) is not int or code != SUCCESS:
        return Verdict(failure_kind=FailureKind.ANSWER_REJECTED)
    number = answer.get("ackId")
    return Verdict(failure_kind=None, receipt=number if type(number) is int else None)


def wanted(settings: ConnectorSettings) -> bool:
    return bool(settings.options.get("use_ack"))


def confirmation(settings: ConnectorSettings, envelope: Envelope, *, receipt: int) -> WireRequest:
    """Whether the indexer has the event, on the delivery's own channel."""
    return WireRequest(
        method="POST",
        url=f"{_event_url(settings).removesuffix('/event')}/ack",
        headers=_headers(settings, envelope),
        body=_json({"acks": [receipt]}),
    )


def confirmed(status_code: int, body: bytes, *, receipt: int) -> Verdict | None:
    """Only true is a last word: false means not yet, lost or forgotten, and an error says nothing of the event."""
    return CONFIRMED if _is_acknowledged(status_code, body) else None


def question(settings: ConnectorSettings, envelope: Envelope, *, receipt: int | None) -> WireRequest | None:
    """The same question, about the number that an earlier try was given."""
    return confirmation(settings, envelope, receipt=receipt) if wanted(settings) and receipt is not None else None


def holding(status_code: int, body: bytes, envelope: Envelope) -> Verdict | None:
    """True is held. False is no proof of a loss, but all there is: the event goes out again as a possible duplicate."""
    if _is_acknowledged(status_code, body):
        return Verdict(failure_kind=None, already_held=True)
    if is_success(status_code) and isinstance(fields_of(body).get("acks"), dict):
        return None
    refusal = judge(status_code, body)
    return Verdict(failure_kind=FailureKind.ANSWER_REJECTED) if refusal.confirmed else refusal


def _is_acknowledged(status_code: int, body: bytes) -> bool:
    """One number was asked about, so its word is the only one in the answer."""
    acks = fields_of(body).get("acks")
    return is_success(status_code) and isinstance(acks, dict) and list(acks.values()) == [True]


def _event_url(settings: ConnectorSettings) -> str:
    return with_path(settings.url, EVENT_PATH)


def _headers(settings: ConnectorSettings, envelope: Envelope) -> tuple[tuple[str, str], ...]:
    scheme = settings.options.get("authorization_scheme", "Splunk")
    headers = [("Authorization", f"{scheme} {settings.secrets['token']}"), ("Content-Type", "application/json")]
    if wanted(settings):
        channel = uuid.uuid5(uuid.NAMESPACE_OID, envelope.idempotency_key)
        headers.append(("X-Splunk-Request-Channel", str(channel)))
    return (*headers, *settings.headers)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
