"""Microsoft Sentinel, by the Logs Ingestion API of Azure Monitor.

Source: Azure Monitor documentation, "Logs Ingestion API in Azure Monitor" and "Azure Monitor service limits"; Microsoft
identity platform, "OAuth 2.0 client credentials flow". 204 is the only success. The workspace stores whatever it takes,
so a repeat is a second row: repeats are not dropped. The column `IdempotencyKey` lets a query drop them.

`url` is the logs ingestion endpoint of the data collection rule, or of a data collection endpoint. The rule's stream
declares the columns TimeGenerated (datetime), EventId, EventType, IdempotencyKey (string) and Event (dynamic).
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from urllib.parse import quote, urlencode

from rollback_audit.delivery.contract import ConfigurationProblem, ConnectorSettings, Envelope, Verdict, WireRequest
from rollback_audit.delivery.credentials import require
from rollback_audit.delivery.fields import fields_of
from rollback_audit.delivery.outbound import is_header, route_for
from rollback_audit.delivery.statuses import is_success, verdict_for
from rollback_audit.states import Category, FailureKind

PROVIDER = "sentinel"
CATEGORY = Category.SIEM
DROPS_REPEATS = False
MAX_BODY_BYTES = 64_000  # a call may have 1 MB, but a field over 64 KB is cut off and answered 204 all the same

SECRETS: tuple[str, ...] = ("client_secret",)
OPTIONS: Mapping[str, type] = {
    "tenant_id": str,
    "client_id": str,
    "dcr_id": str,
    "stream": str,
    "authority": str,
    "audience": str,
}

API_VERSION = "2023-01-01"
AUTHORITY = "https://login.microsoftonline.com"
AUDIENCE = "https://monitor.azure.com"

_REQUIRED: Mapping[str, tuple[re.Pattern[str], str]] = {
    "tenant_id": (re.compile(r"[A-Za-z0-9.-]{1,255}"), "the directory's id or domain"),
    "client_id": (re.compile(r"[A-Za-z0-9-]{1,64}"), "the application's id"),
    "dcr_id": (re.compile(r"dcr-[0-9a-f]{32}"), "the rule's immutable id, dcr- and 32 hexadecimal digits"),
    "stream": (re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,127}"), "the stream's name, such as Custom-Cavra_CL"),
}
# The token endpoint's errors that are no fault of the credential (RFC 6749, 4.1.2.1 and 5.2).
_TOKEN_KINDS: Mapping[object, FailureKind] = {
    "server_error": FailureKind.SERVER_ERROR,
    "temporarily_unavailable": FailureKind.UNAVAILABLE,
}


def check(settings: ConnectorSettings) -> None:
    """An application's id and secret, and where its rows go."""
    for key, (form, meaning) in _REQUIRED.items():
        if not form.fullmatch(str(settings.options.get(key, ""))):
            raise ConfigurationProblem(key, f"is required: {meaning}")
    require(settings, "client_secret")
    if route_for(_token_url(settings), settings.egress) is None:
        raise ConfigurationProblem("authority", "must be an address that this connector may go to")


def sign_in(settings: ConnectorSettings) -> WireRequest:
    """The application's own token, for the audience of the ingestion service."""
    form = {
        "grant_type": "client_credentials",
        "client_id": settings.options["client_id"],
        "client_secret": settings.secrets["client_secret"],
        "scope": f"{settings.options.get('audience', AUDIENCE)}/.default",
    }
    return WireRequest(
        method="POST",
        url=_token_url(settings),
        headers=(("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")),
        body=urlencode(form).encode(),
    )


def token(status_code: int, body: bytes) -> tuple[str, int] | Verdict:
    """A refusal without a word of its own is about the credential: a 400 names a wrong tenant, client or secret."""
    answer = fields_of(body)
    if is_success(status_code):
        value, seconds = answer.get("access_token"), answer.get("expires_in")
        if isinstance(value, str) and is_header("Authorization", value) and type(seconds) is int and seconds > 0:
            return value, seconds
        return Verdict(failure_kind=FailureKind.ANSWER_REJECTED)
    error = answer.get("error")
    if isinstance(error, str) and error in _TOKEN_KINDS:
        return Verdict(failure_kind=_TOKEN_KINDS[error])
    if status_code == HTTPStatus.BAD_REQUEST:
        return Verdict(failure_kind=FailureKind.CREDENTIAL_REFUSED)
    return verdict_for(status_code)


def build(settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> WireRequest:
    """An array of one row. The event's canonical JSON goes into it as it is."""
    row = {
        "TimeGenerated": envelope.occurred_at.isoformat(),
        "EventId": envelope.event_id,
        "EventType": envelope.event_type,
        "IdempotencyKey": envelope.idempotency_key,
    }
    path = f"/dataCollectionRules/{settings.options['dcr_id']}/streams/{settings.options['stream']}"
    return WireRequest(
        method="POST",
        url=f"{settings.url.rstrip('/')}{path}?api-version={API_VERSION}",
        headers=(
            ("Authorization", f"Bearer {settings.secrets['access_token']}"),
            ("Content-Type", "application/json"),
            *settings.headers,
        ),
        body=b'[%b,"Event":%b}]' % (json.dumps(row, separators=(",", ":")).encode()[:-1], envelope.event),
    )


def judge(status_code: int, body: bytes) -> Verdict:
    """403: the application lacks the role Monitoring Metrics Publisher on the rule. 404: no such rule or endpoint."""
    if is_success(status_code) and status_code != HTTPStatus.NO_CONTENT:
        return Verdict(failure_kind=FailureKind.ANSWER_REJECTED)
    return verdict_for(status_code)


def _token_url(settings: ConnectorSettings) -> str:
    authority = str(settings.options.get("authority", AUTHORITY)).rstrip("/")
    return f"{authority}/{quote(str(settings.options['tenant_id']), safe='')}/oauth2/v2.0/token"
