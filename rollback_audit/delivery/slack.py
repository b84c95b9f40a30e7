"""A Slack channel, by an incoming webhook.

Source: Slack's developer documentation, "Sending messages using incoming webhooks" with its table of errors, "Block
Kit" (header, section, text object and their limits) and "Formatting message text" (escaping). The address is the
credential, so it is a secret. A webhook posts whatever it takes and knows no key: repeats are not dropped, and nobody
can be asked. Each message shows the event's id, by which a reader knows a repeat.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rollback_audit.delivery.contract import ConnectorSettings, Envelope, Verdict, WireRequest
from rollback_audit.delivery.notice import notice_of
from rollback_audit.delivery.statuses import is_success, verdict_for
from rollback_audit.states import Category, FailureKind

PROVIDER = "slack"
CATEGORY = Category.CHATOPS
DROPS_REPEATS = False
# A notice is far below Slack's limits (header 150 characters, 10 fields of 2,000, 50 blocks); this bounds the whole.
MAX_BODY_BYTES = 40_000

SECRETS: tuple[str, ...] = ("url",)
OPTIONS: Mapping[str, type] = {}

_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})

SUCCESS = b"ok"
# Slack answers in one word of plain text.
_KINDS: dict[bytes, FailureKind] = {
    b"invalid_payload": FailureKind.PAYLOAD_REFUSED,
    b"invalid_blocks": FailureKind.PAYLOAD_REFUSED,
    b"no_text": FailureKind.PAYLOAD_REFUSED,
    b"too_many_attachments": FailureKind.PAYLOAD_REFUSED,
    b"action_prohibited": FailureKind.CREDENTIAL_REFUSED,
    b"invalid_token": FailureKind.CREDENTIAL_REFUSED,
    b"posting_to_general_channel_denied": FailureKind.CREDENTIAL_REFUSED,
    b"team_disabled": FailureKind.CREDENTIAL_REFUSED,
    b"channel_is_archived": FailureKind.ADDRESS_UNKNOWN,
    b"channel_not_found": FailureKind.ADDRESS_UNKNOWN,
    b"no_active_hooks": FailureKind.ADDRESS_UNKNOWN,
    b"no_service": FailureKind.ADDRESS_UNKNOWN,
    b"no_service_id": FailureKind.ADDRESS_UNKNOWN,
    b"no_team": FailureKind.ADDRESS_UNKNOWN,
    b"user_not_found": FailureKind.ADDRESS_UNKNOWN,
    b"org_login_required": FailureKind.TRY_LATER,  # the workspace is being migrated
    b"rate_limited": FailureKind.RATE_LIMITED,
    b"rollup_error": FailureKind.SERVER_ERROR,
}


def check(settings: ConnectorSettings) -> None:
    """The address is all there is."""


def build(settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> WireRequest:
    """A headline, and the notice's facts as fields. All of it is plain text, in which no mention or link is read."""
    notice = notice_of(envelope)
    message = {
        "text": _escaped(notice.headline),
        "blocks": [
            {"type": "header", "text": _plain(notice.headline)},
            {"type": "section", "fields": [_plain(f"{name}\n{value}") for name, value in notice.facts]},
        ],
    }
    return WireRequest(
        method="POST",
        url=settings.url,
        headers=(("Content-Type", "application/json"), *settings.headers),
        body=json.dumps(message, separators=(",", ":")).encode(),
    )


def judge(status_code: int, body: bytes) -> Verdict:
    """A 2xx counts only with the word `ok`; a word that is known says more than its status."""
    word = body.strip()
    if word in _KINDS:
        return Verdict(failure_kind=_KINDS[word])
    if is_success(status_code) and word != SUCCESS:
        return Verdict(failure_kind=FailureKind.ANSWER_REJECTED)
    return verdict_for(status_code)


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": _escaped(text), "emoji": False}


def _escaped(text: str) -> str:
    return text.translate(_ESCAPED)
