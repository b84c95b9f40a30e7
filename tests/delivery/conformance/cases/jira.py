"""Jira Cloud, REST v3."""

import json

from rollback_audit.states import Category, FailureKind
from tests.delivery.conformance.case import ENVELOPE, KEY, RECEIVER, Asked, Case, Golden, answer
from tests.receivers import Reply


def _bullet(line: str) -> str:
    text = '{"type":"text","text":"' + line + '"}'
    return '{"type":"listItem","content":[{"type":"paragraph","content":[' + text + "]}]}"


LINES = (
    "Alert level: critical",
    "Counts: outstanding 1, route 1",
    "Cadence: on_demand",
    "Audit: gordackaudit-00112233",
    "Delivery: gordackdelivery-44556677",
    f"Event: {KEY}",
)
ISSUE = (
    '{"fields":{"project":{"key":"SEC"},"issuetype":{"name":"Task"},'
    '"summary":"Rollback drill acknowledgement audit delivery: critical",'
    f'"labels":["cavra","{KEY}"],'
    '"description":{"type":"doc","version":1,"content":[{"type":"bulletList","content":['
    + ",".join(_bullet(line) for line in LINES)
    + ']},{"type":"codeBlock","content":[{"type":"text","text":'
    + json.dumps(ENVELOPE.event.decode())
    + "}]}]}}}"
).encode()
BASIC = ("Authorization", "Basic aHVzaEBleGFtcGxlLm9yZzpodXNoLXRva2Vu")  # hush@example.org:hush-token
ACCEPT = ("Accept", "application/json")
JSON = ("Content-Type", "application/json")
CREATED = '{"id":"10000","key":"SEC-24","self":"receiver-word"}'
FOUND = '{"issues":[{"id":"10000","key":"SEC-24","fields":{"labels":["cavra","' + KEY + '"]}}],"isLast":true}'
ANOTHER = '{"issues":[{"id":"10001","key":"SEC-25","fields":{"labels":["cavra"]}}],"isLast":true}'
NO_SUCH_LABEL = '{"errorMessages":["The value \'' + KEY + "' does not exist for the field 'labels'.\"],\"errors\":{}}"

CASE = Case(
    provider="jira",
    category=Category.ITSM,
    drops_repeats=False,
    bounded=True,
    keys={"url": RECEIVER, "email_env": "EMAIL", "token_env": "TOKEN", "project": "SEC"},
    environ={"COLON": "hush:name", "EMAIL": "hush@example.org", "TOKEN": "hush-token"},
    required=("url", "token_env", "project"),
    goldens=(
        Golden(name="issue", url=f"{RECEIVER}/rest/api/3/issue", headers=(BASIC, ACCEPT, JSON), body=ISSUE),
        Golden(
            name="oauth",
            url=f"{RECEIVER}/ex/jira/0/rest/api/3/issue",
            headers=(("Authorization", "Bearer hush-token"), ACCEPT, JSON),
            body=ISSUE.replace(b'"name":"Task"', b'"name":"Incident"'),
            changes={"email_env": None, "issue_type": "Incident", "url": f"{RECEIVER}/ex/jira/0/"},
        ),
    ),
    answers=(
        answer("created", 201, CREATED, None),
        answer("created-cut-off", 201, CREATED[:20], FailureKind.ANSWER_MALFORMED),
        answer("a-page", 200, "<html>", FailureKind.ANSWER_REJECTED),
        answer("description", 400, '{"errors":{"description":"too long"}}', FailureKind.PAYLOAD_REFUSED),
        answer("no-project", 400, '{"errors":{"project":"is required"}}', FailureKind.ADDRESS_UNKNOWN),
        answer("own-field", 400, '{"errors":{"customfield_1":"is required"}}', FailureKind.ADDRESS_UNKNOWN),
        answer("not-json", 400, '{"errorMessages":["invalid"]}', FailureKind.PAYLOAD_REFUSED),
        answer("unauthorized", 401, "", FailureKind.CREDENTIAL_REFUSED),
        answer("forbidden", 403, "", FailureKind.CREDENTIAL_REFUSED),
        answer("no-site", 404, "", FailureKind.ADDRESS_UNKNOWN),
        answer("slow-down", 429, "", FailureKind.RATE_LIMITED, retry_after="5", retry_after_seconds=5),
        answer("down", 503, "", FailureKind.UNAVAILABLE),
        answer("broken", 500, "", FailureKind.SERVER_ERROR),
    ),
    broken=(
        ({"project": "sec"}, "project"),
        ({"email_env": "COLON"}, "email"),
        ({"url": f"{RECEIVER}/?x=1"}, "url"),
    ),
    key_of=lambda arrival: json.loads(arrival.body)["fields"]["labels"][1],
    is_event=lambda arrival: arrival.path.endswith("/rest/api/3/issue"),
    asked=Asked(
        request=Golden(
            name="search",
            url=f"{RECEIVER}/rest/api/3/search/jql",
            headers=(BASIC, ACCEPT, JSON),
            body=b'{"jql":"labels = \\"' + KEY.encode() + b'\\"","maxResults":1,"fields":["labels"]}',
        ),
        is_question=lambda arrival: arrival.path.endswith("/rest/api/3/search/jql"),
        held=Reply(body=FOUND.encode()),
        absent=Reply(body=b'{"issues":[],"isLast":true}'),
        unclear=(
            (Reply(body=ANOTHER.encode()), FailureKind.ANSWER_REJECTED),
            (Reply(body=b"<html>"), FailureKind.ANSWER_REJECTED),
            (Reply(status=400, body=b'{"errorMessages":["invalid"]}'), FailureKind.ANSWER_REJECTED),
            (Reply(status=401), FailureKind.CREDENTIAL_REFUSED),
            (Reply(status=503), FailureKind.UNAVAILABLE),
        ),
    ),
)
