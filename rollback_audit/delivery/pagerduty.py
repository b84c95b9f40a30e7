"""PagerDuty: one alert for each event, by the Events API v2.

Source: PagerDuty's developer documentation, "Events API v2 Overview" (answers, 512 KB), "Send an Alert Event" (fields
and their lengths, alert de-duplication) and, for the question, the REST API's "List incidents". The idempotency key is
the `dedup_key`: PagerDuty adds a repeat to the open alert of that key, so repeats are dropped. Once somebody has
resolved the alert a repeat opens another one; the Events API cannot be asked, but with an `api_key` the REST API is,
before an attempt of unknown outcome is sent again, and it knows resolved incidents too.

The addresses are PagerDuty's own, by `region`; `url` and `api_url` are for a relay in between.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlencode

from rollback_audit.delivery.contract import ConfigurationProblem, ConnectorSettings, Envelope, Verdict, WireRequest
from rollback_audit.delivery.credentials import require
from rollback_audit.delivery.fields import fields_of
from rollback_audit.delivery.notice import notice_of
from rollback_audit.delivery.outbound import route_for
from rollback_audit.delivery.statuses import is_success, verdict_for
from rollback_audit.states import AlertLevel, Category, FailureKind, RepeatCheck

PROVIDER = "pagerduty"
CATEGORY = Category.ITSM
DROPS_REPEATS = True
ASKS_BY = RepeatCheck.BY_KEY
MAX_BODY_BYTES = 512_000

SECRETS: tuple[str, ...] = ("routing_key", "api_key")
OPTIONS: Mapping[str, type] = {"region": str, "source": str, "api_url": str}

ENQUEUE_PATH = "/v2/enqueue"
INCIDENTS_PATH = "/incidents"

# By service region: the Events API, the REST API.
_BASES = {
    "us": ("https://events.pagerduty.com", "https://api.pagerduty.com"),
    "eu": ("https://events.eu.pagerduty.com", "https://api.eu.pagerduty.com"),
}
_SEVERITY = {AlertLevel.CRITICAL: "critical", AlertLevel.WARNING: "warning", AlertLevel.HEALTHY: "info"}
_ROUTING_KEY = re.compile(r"routing.?key", re.I)
# The list's first element, or its end. One incident can be longer than what is kept of an answer.
_INCIDENTS = re.compile(rb'"incidents"\s*:\s*\[\s*([{\]])')


def address(options: Mapping[str, object]) -> str:
    """The Events API of the region."""
    return _bases(options)[0]


def check(settings: ConnectorSettings) -> None:
    """The integration's key is required. A REST API key asks at `api_url`, which must be allowed like `url`."""
    require(settings, "routing_key")
    if "?" in settings.url:
        raise ConfigurationProblem("url", "must be the Events API's base, without a query")
    api_url = _api_url(settings)
    if "?" in api_url or route_for(api_url, settings.egress) is None:
        raise ConfigurationProblem("api_url", "must be the REST API's base, and one that this connector may reach")


def build(settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> WireRequest:
    """A trigger event. The event's canonical JSON goes into its details as it is, never parsed again."""
    notice = notice_of(envelope)
    content = {
        "routing_key": settings.secrets["routing_key"],
        "event_action": "trigger",
        "dedup_key": envelope.idempotency_key,
        "client": "CAVRA",
        "payload": {
            "summary": notice.headline,
            "source": settings.options.get("source", "cavra"),
            "severity": "info" if notice.level is None else _SEVERITY[notice.level],
            "timestamp": envelope.occurred_at.isoformat(timespec="milliseconds"),
            "class": envelope.event_type,
            "custom_details": dict(notice.facts),
        },
    }
    around = json.dumps(content, separators=(",", ":")).encode().removesuffix(b"}}}")
    return WireRequest(
        method="POST",
        url=f"{settings.url.rstrip('/').removesuffix(ENQUEUE_PATH)}{ENQUEUE_PATH}",
        headers=(("Content-Type", "application/json"), *settings.headers),
        body=b'%b,"event":%b}}}' % (around, envelope.event),
    )


def judge(status_code: int, body: bytes) -> Verdict:
    """A 2xx counts only with status `success`. A 400 about the routing key is about the credential, not the event."""
    answer = fields_of(body)
    if is_success(status_code) and answer.get("status") != "success":
        return Verdict(failure_kind=FailureKind.ANSWER_REJECTED)
    if status_code == HTTPStatus.BAD_REQUEST and any(
        _ROUTING_KEY.search(str(answer.get(key))) for key in ("status", "message", "errors")
    ):
        return Verdict(failure_kind=FailureKind.CREDENTIAL_REFUSED)
    return verdict_for(status_code)


def question(settings: ConnectorSettings, envelope: Envelope, *, receipt: int | None) -> WireRequest | None:
    """Whether there ever was an incident, or an alert in one, with this key; None without an `api_key`."""
    if "api_key" not in settings.secrets:
        return None
    parameters = urlencode({"incident_key": envelope.idempotency_key, "date_range": "all", "limit": "1"})
    return WireRequest(
        method="GET",
        url=f"{_api_url(settings).rstrip('/')}{INCIDENTS_PATH}?{parameters}",
        headers=(
            ("Authorization", f"Token token={settings.secrets['api_key']}"),
            ("Accept", "application/vnd.pagerduty+json;version=2"),
        ),
        body=b"",
    )


def holding(status_code: int, body: bytes, envelope: Envelope) -> Verdict | None:
    """Held if the list has an element."""
    if not is_success(status_code):
        return verdict_for(status_code)
    first = _INCIDENTS.search(body)
    if first is None:
        return Verdict(failure_kind=FailureKind.ANSWER_MALFORMED)
    return None if first[1] == b"]" else Verdict(failure_kind=None, already_held=True)


def _api_url(settings: ConnectorSettings) -> str:
    return str(settings.options.get("api_url", _bases(settings.options)[1]))


def _bases(options: Mapping[str, object]) -> tuple[str, str]:
    region = options.get("region", "us")
    if region not in _BASES:
        raise ConfigurationProblem("region", f"must be one of {', '.join(sorted(_BASES))}")
    return _BASES[str(region)]
