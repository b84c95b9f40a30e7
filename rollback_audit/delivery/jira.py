"""Jira Cloud: one issue for each event.

Source: Atlassian's "Jira Cloud platform REST API v3", "Create issue" and "Search for issues using JQL enhanced search
(POST)", "Basic auth for REST APIs", and "Atlassian Document Format". Jira creates whatever it is sent, so a repeat is a
second issue: repeats are not dropped. The issue carries the idempotency key as a label, and an attempt of unknown
outcome is asked about by it before it is sent again. Jira's search sees a new issue some seconds after it was made.

`url` is the site (`https://example.atlassian.net`), or the base that Atlassian gives for scoped tokens.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from rollback_audit.delivery.contract import ConfigurationProblem, ConnectorSettings, Envelope, Verdict, WireRequest
from rollback_audit.delivery.credentials import basic, refuse_colon, require
from rollback_audit.delivery.fields import fields_of
from rollback_audit.delivery.notice import event_or_size, notice_of
from rollback_audit.delivery.statuses import is_success, verdict_for
from rollback_audit.states import Category, FailureKind, RepeatCheck

PROVIDER = "jira"
CATEGORY = Category.ITSM
DROPS_REPEATS = False
ASKS_BY = RepeatCheck.BY_KEY
MAX_BODY_BYTES = 200_000
# Jira takes 32,767 characters of description, what it stores around the text included.
MAX_EVENT_CHARACTERS = 20_000

SECRETS: tuple[str, ...] = ("email", "token")
OPTIONS: Mapping[str, type] = {"project": str, "issue_type": str}

CREATE_PATH = "/rest/api/3/issue"
SEARCH_PATH = "/rest/api/3/search/jql"
LABEL = "cavra"

_PROJECT = re.compile(r"[A-Z][A-Z0-9_]{1,79}")
# A 400 about these is about what this event says. One about any other field (project, issuetype, labels, a required
# field of the project's own) is about the settings: every event would meet it.
_OF_THE_EVENT = frozenset({"summary", "description"})


def check(settings: ConnectorSettings) -> None:
    """With an email the token is an API token (Basic), without one an OAuth access token (Bearer)."""
    require(settings, "token")
    refuse_colon(settings, "email")
    if not _PROJECT.fullmatch(str(settings.options.get("project", ""))):
        raise ConfigurationProblem("project", "is required: the project's key, such as SEC")
    if "?" in settings.url:
        raise ConfigurationProblem("url", "must be the site's base, without a query")


def build(settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> WireRequest:
    """An issue whose description holds the notice, and the event's JSON where it fits."""
    notice = notice_of(envelope)
    fields = {
        "project": {"key": settings.options["project"]},
        "issuetype": {"name": settings.options.get("issue_type", "Task")},
        "summary": notice.headline,
        "labels": [LABEL, envelope.idempotency_key],
        "description": {
            "type": "doc",
            "version": 1,
            "content": [
                {"type": "bulletList", "content": [_item(line) for line in notice.lines]},
                {"type": "codeBlock", "content": [_text(event_or_size(envelope, limit=MAX_EVENT_CHARACTERS))]},
            ],
        },
    }
    return _post(settings, CREATE_PATH, {"fields": fields})


def judge(status_code: int, body: bytes) -> Verdict:
    """A 201 counts with the new issue's id; without it nobody can tell. Another 2xx comes from somebody else."""
    answer = fields_of(body)
    if is_success(status_code) and not answer.get("id"):
        created = status_code == HTTPStatus.CREATED
        return Verdict(failure_kind=FailureKind.ANSWER_MALFORMED if created else FailureKind.ANSWER_REJECTED)
    errors = answer.get("errors")
    if status_code == HTTPStatus.BAD_REQUEST and isinstance(errors, dict) and errors.keys() - _OF_THE_EVENT:
        return Verdict(failure_kind=FailureKind.ADDRESS_UNKNOWN)
    return verdict_for(status_code)


def question(settings: ConnectorSettings, envelope: Envelope, *, receipt: int | None) -> WireRequest | None:
    """Whether any issue that the account may see has the label."""
    jql = f'labels = "{envelope.idempotency_key}"'
    return _post(settings, SEARCH_PATH, {"jql": jql, "maxResults": 1, "fields": ["labels"]})


def holding(status_code: int, body: bytes, envelope: Envelope) -> Verdict | None:
    """Held if an issue with the label came back. A label that no issue ever had is refused as an unknown value."""
    answer = fields_of(body)
    if status_code == HTTPStatus.BAD_REQUEST and any(
        f"'{envelope.idempotency_key}'" in str(text) for text in _messages(answer)
    ):
        return None
    if not is_success(status_code):
        return verdict_for(status_code)
    issues = answer.get("issues")
    if issues == []:
        return None
    if isinstance(issues, list) and envelope.idempotency_key in _labels(issues[0]):
        return Verdict(failure_kind=None, already_held=True)
    return Verdict(failure_kind=FailureKind.ANSWER_MALFORMED)


def _post(settings: ConnectorSettings, path: str, content: Mapping[str, Any]) -> WireRequest:
    return WireRequest(
        method="POST",
        url=f"{settings.url.rstrip('/')}{path}",
        headers=(
            ("Authorization", _authorization(settings.secrets)),
            ("Accept", "application/json"),
            ("Content-Type", "application/json"),
            *settings.headers,
        ),
        body=json.dumps(content, separators=(",", ":")).encode(),
    )


def _authorization(secrets: Mapping[str, str]) -> str:
    if "email" not in secrets:
        return f"Bearer {secrets['token']}"
    return basic(secrets["email"], secrets["token"])


def _messages(answer: Mapping[str, Any]) -> list[object]:
    messages = answer.get("errorMessages")
    return messages if isinstance(messages, list) else []


def _labels(issue: object) -> list[object]:
    fields = issue.get("fields") if isinstance(issue, dict) else None
    labels = fields.get("labels") if isinstance(fields, dict) else None
    return labels if isinstance(labels, list) else []


def _item(line: str) -> dict[str, Any]:
    return {"type": "listItem", "content": [{"type": "paragraph", "content": [_text(line)]}]}


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}
