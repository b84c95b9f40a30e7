"""ServiceNow, by its Table API: one record for each event.

Source: ServiceNow's REST API reference, "Table API" (POST and GET /now/table/{tableName}), and "Inbound REST API keys".
The table stores whatever it takes, so a repeat is a second record: repeats are not dropped. The record carries the
idempotency key as `correlation_id`, and an attempt of unknown outcome is asked about by it before it is sent again.

`url` is the instance (`https://example.service-now.com`).
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from rollback_audit.delivery.contract import ConfigurationProblem, ConnectorSettings, Envelope, Verdict, WireRequest
from rollback_audit.delivery.credentials import basic, require_one_way
from rollback_audit.delivery.fields import fields_of
from rollback_audit.delivery.notice import event_or_size, notice_of
from rollback_audit.delivery.statuses import is_success, verdict_for
from rollback_audit.states import AlertLevel, Category, FailureKind, RepeatCheck

PROVIDER = "servicenow"
CATEGORY = Category.ITSM
DROPS_REPEATS = False
ASKS_BY = RepeatCheck.BY_KEY
MAX_BODY_BYTES = 50_000
# Of the table `task` and those that extend it; longer texts are cut off without a word.
MAX_SHORT_DESCRIPTION = 160
MAX_DESCRIPTION = 4_000

SECRETS: tuple[str, ...] = ("user", "password", "token", "api_key")
OPTIONS: Mapping[str, type] = {"table": str, "authorization_scheme": str, "api_key_header": str}

_TABLE = re.compile(r"[a-z][a-z0-9_]{0,79}")
_URGENCY = {AlertLevel.CRITICAL: "1", AlertLevel.WARNING: "2", AlertLevel.HEALTHY: "3"}
_NO_TABLE = "Invalid table"


def check(settings: ConnectorSettings) -> None:
    """One way to sign in: user and password (Basic), a token (Bearer), or an API key."""
    require_one_way(settings, "token", "api_key", "password")
    if not _TABLE.fullmatch(_table(settings)):
        raise ConfigurationProblem("table", "must be a table's name, such as incident")
    if "?" in settings.url:
        raise ConfigurationProblem("url", "must be the instance's base, without a query")


def build(settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> WireRequest:
    """A record whose description holds the notice, and the event's JSON where it fits."""
    notice = notice_of(envelope)
    lines = "\n".join(notice.lines)
    record = {
        "short_description": notice.headline[:MAX_SHORT_DESCRIPTION],
        "description": f"{lines}\n\n{event_or_size(envelope, limit=MAX_DESCRIPTION - len(lines) - 2)}",
        "correlation_id": envelope.idempotency_key,
        "correlation_display": "CAVRA",
    }
    if notice.level is not None:
        record["urgency"] = _URGENCY[notice.level]
    return WireRequest(
        method="POST",
        url=_records_url(settings, sysparm_fields="sys_id"),
        headers=(*_headers(settings), ("Content-Type", "application/json"), *settings.headers),
        body=json.dumps(record, separators=(",", ":")).encode(),
    )


def judge(status_code: int, body: bytes) -> Verdict:
    """A 201 counts with the new record's sys_id; without it nobody can tell.

    Another 2xx stored nothing: an instance that sleeps answers 200 with a page.
    """
    answer = fields_of(body)
    if is_success(status_code):
        result = answer.get("result")
        if isinstance(result, dict) and result.get("sys_id"):
            return verdict_for(status_code)
        created = status_code == HTTPStatus.CREATED
        return Verdict(failure_kind=FailureKind.ANSWER_MALFORMED if created else FailureKind.ANSWER_REJECTED)
    error = answer.get("error")
    if (
        status_code == HTTPStatus.BAD_REQUEST
        and isinstance(error, dict)
        and str(error.get("message")).startswith(_NO_TABLE)
    ):
        return Verdict(failure_kind=FailureKind.ADDRESS_UNKNOWN)
    return verdict_for(status_code)


def question(settings: ConnectorSettings, envelope: Envelope, *, receipt: int | None) -> WireRequest | None:
    """Whether any record that the account may read has the correlation id."""
    return WireRequest(
        method="GET",
        url=_records_url(
            settings,
            sysparm_query=f"correlation_id={envelope.idempotency_key}",
            sysparm_fields="sys_id,correlation_id",
            sysparm_limit="1",
        ),
        headers=(*_headers(settings), *settings.headers),
        body=b"",
    )


def holding(status_code: int, body: bytes, envelope: Envelope) -> Verdict | None:
    """Held if the record that came back has the id.

    An instance leaves out a condition on a field that it does not know or show, and then answers with any record.
    """
    if not is_success(status_code):
        return verdict_for(status_code)
    result = fields_of(body).get("result")
    if result == []:
        return None
    found = result[0] if isinstance(result, list) else None
    if isinstance(found, dict) and found.get("correlation_id") == envelope.idempotency_key:
        return Verdict(failure_kind=None, already_held=True)
    return Verdict(failure_kind=FailureKind.ANSWER_MALFORMED)


def _table(settings: ConnectorSettings) -> str:
    return str(settings.options.get("table", "incident"))


def _records_url(settings: ConnectorSettings, **parameters: str) -> str:
    return f"{settings.url.rstrip('/')}/api/now/table/{_table(settings)}?{urlencode(parameters)}"


def _headers(settings: ConnectorSettings) -> tuple[tuple[str, str], ...]:
    return (_credential(settings.secrets, settings.options), ("Accept", "application/json"))


def _credential(secrets: Mapping[str, str], options: Mapping[str, Any]) -> tuple[str, str]:
    if "api_key" in secrets:
        return str(options.get("api_key_header", "x-sn-apikey")), secrets["api_key"]
    if "token" in secrets:
        return "Authorization", f"{options.get('authorization_scheme', 'Bearer')} {secrets['token']}"
    return "Authorization", basic(secrets["user"], secrets["password"])
