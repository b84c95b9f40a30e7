"""A Microsoft Teams channel or chat, by a webhook of the Workflows app.

Source: Microsoft Learn, "Create incoming webhooks with Workflows for Microsoft Teams", "Create and send messages"
(the message around an Adaptive Card, 28 KB), the Adaptive Cards schema 1.4, and the error codes of Azure Logic Apps,
which Workflows runs on. The address carries its own signature, so it is a secret. A 202 says that the workflow took
the message; Teams shows it a moment later, and only the workflow's own history tells if it could not. A workflow
posts whatever it takes: repeats are not dropped, and nobody can be asked.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rollback_audit.delivery.contract import ConnectorSettings, Envelope, Verdict, WireRequest
from rollback_audit.delivery.fields import fields_of
from rollback_audit.delivery.notice import notice_of
from rollback_audit.delivery.statuses import is_success, verdict_for
from rollback_audit.states import AlertLevel, Category, FailureKind

PROVIDER = "teams"
CATEGORY = Category.CHATOPS
DROPS_REPEATS = False
MAX_BODY_BYTES = 28_000

SECRETS: tuple[str, ...] = ("url",)
OPTIONS: Mapping[str, type] = {}

CARD_TYPE = "application/vnd.microsoft.card.adaptive"
CARD_VERSION = "1.4"

_COLOURS = {AlertLevel.CRITICAL: "attention", AlertLevel.WARNING: "warning", AlertLevel.HEALTHY: "good"}

# Codes that say more than the 400 they come with.
_CODES: dict[str, FailureKind] = {
    "WorkflowTriggerIsNotEnabled": FailureKind.ADDRESS_UNKNOWN,  # the workflow is turned off or deleted
}


def check(settings: ConnectorSettings) -> None:
    """The address is all there is."""


def build(settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> WireRequest:
    """A message with one card. Text runs, unlike text blocks and facts, read no Markdown out of a value."""
    notice = notice_of(envelope)
    colour = "default" if notice.level is None else _COLOURS[notice.level]
    card = {
        "type": "AdaptiveCard",
        "version": CARD_VERSION,
        "body": [
            _block(_run(notice.headline, weight="bolder", size="large", color=colour)),
            *(_block(_run(f"{name}: ", weight="bolder"), _run(value)) for name, value in notice.facts),
        ],
    }
    message = {
        "type": "message",
        "attachments": [{"contentType": CARD_TYPE, "contentUrl": None, "content": card}],
    }
    return WireRequest(
        method="POST",
        url=settings.url,
        headers=(("Content-Type", "application/json"), *settings.headers),
        body=json.dumps(message, separators=(",", ":")).encode(),
    )


def judge(status_code: int, body: bytes) -> Verdict:
    """Any 2xx: 202 as the template's workflow answers, 200 where it ends with an answer of its own."""
    code = None if is_success(status_code) else _code_in(body)
    return Verdict(failure_kind=_CODES[code]) if isinstance(code, str) and code in _CODES else verdict_for(status_code)


def _code_in(body: bytes) -> object:
    """The answer's `error.code`; None where there is none."""
    error = fields_of(body).get("error")
    return error.get("code") if isinstance(error, dict) else None


def _block(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **looks: str) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **looks}
