"""Datadog, by its HTTP log intake.

Source: Datadog's API reference, "Send logs" (v2), "Log collection: custom log forwarding" for the limits, and "Datadog
sites". 202 is the only success. The intake stores whatever it takes, so a repeat is a second log: repeats are not
dropped. The attribute `idempotency_key` lets a query tell them apart.

The event's canonical JSON is the log's `message`, as text. The log carries no timestamp attribute: the intake refuses
what is older than 18 hours, and a retry may well be. When the event happened stands in `occurred_at`.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime

from rollback_audit.delivery.contract import (
    ConfigurationProblem,
    ConnectorSettings,
    Envelope,
    Verdict,
    WireRequest,
)
from rollback_audit.delivery.credentials import require
from rollback_audit.delivery.statuses import is_success, verdict_for
from rollback_audit.states import Category, FailureKind

PROVIDER = "datadog"
CATEGORY = Category.SIEM
DROPS_REPEATS = False
MAX_BODY_BYTES = 1_000_000  # of one log: the intake truncates a longer one and answers 202 all the same

SECRETS: tuple[str, ...] = ("api_key",)
OPTIONS: Mapping[str, type] = {"site": str, "service": str, "hostname": str, "source": str, "tags": str}

SITE = "datadoghq.com"
INTAKE = "https://http-intake.logs.{site}/api/v2/logs"
SERVICE = "cavra"
SOURCE = "cavra"

ACCEPTED = 202
_SITE = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)+")


def address(options: Mapping[str, object]) -> str:
    """The intake of the site; `datadoghq.com` where none is named."""
    site = str(options.get("site", SITE))
    if not _SITE.fullmatch(site):
        raise ConfigurationProblem("site", "must be a Datadog site such as datadoghq.eu")
    return INTAKE.format(site=site)


def check(settings: ConnectorSettings) -> None:
    require(settings, "api_key")


def build(settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> WireRequest:
    """An array of one log."""
    options = settings.options
    log = {
        "message": envelope.event.decode(),
        "ddsource": options.get("source", SOURCE),
        "service": options.get("service", SERVICE),
        **({"hostname": options["hostname"]} if "hostname" in options else {}),
        **({"ddtags": options["tags"]} if "tags" in options else {}),
        "event_id": envelope.event_id,
        "event_type": envelope.event_type,
        "idempotency_key": envelope.idempotency_key,
        "occurred_at": envelope.occurred_at.isoformat(),
    }
    return WireRequest(
        method="POST",
        url=settings.url,
        headers=(
            ("DD-API-KEY", settings.secrets["api_key"]),
            ("Content-Type", "application/json"),
            *settings.headers,
        ),
        body=json.dumps([log], ensure_ascii=False, separators=(",", ":")).encode(),
    )


def judge(status_code: int, body: bytes) -> Verdict:
    """The reference names 202, 400, 401, 403, 408, 413, 429, 500 and 503; they mean what they mean everywhere."""
    if is_success(status_code) and status_code != ACCEPTED:
        return Verdict(failure_kind=FailureKind.ANSWER_REJECTED)
    return verdict_for(status_code)
