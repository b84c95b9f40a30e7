"""A Workflows webhook of Microsoft Teams."""

import json

from rollback_audit.states import Category, FailureKind
from tests.delivery.conformance.case import RECEIVER, Case, Golden, answer

CARD = (
    b'{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,'
    b'"content":{"type":"AdaptiveCard","version":"1.4","body":['
    b'{"type":"RichTextBlock","inlines":[{"type":"TextRun",'
    b'"text":"Rollback drill acknowledgement audit delivery: critical",'
    b'"weight":"bolder","size":"large","color":"attention"}]},'
    b'{"type":"RichTextBlock","inlines":[{"type":"TextRun","text":"Alert level: ","weight":"bolder"},'
    b'{"type":"TextRun","text":"critical"}]},'
    b'{"type":"RichTextBlock","inlines":[{"type":"TextRun","text":"Counts: ","weight":"bolder"},'
    b'{"type":"TextRun","text":"outstanding 1, route 1"}]},'
    b'{"type":"RichTextBlock","inlines":[{"type":"TextRun","text":"Cadence: ","weight":"bolder"},'
    b'{"type":"TextRun","text":"on_demand"}]},'
    b'{"type":"RichTextBlock","inlines":[{"type":"TextRun","text":"Audit: ","weight":"bolder"},'
    b'{"type":"TextRun","text":"gordackaudit-00112233"}]},'
    b'{"type":"RichTextBlock","inlines":[{"type":"TextRun","text":"Delivery: ","weight":"bolder"},'
    b'{"type":"TextRun","text":"gordackdelivery-44556677"}]},'
    b'{"type":"RichTextBlock","inlines":[{"type":"TextRun","text":"Event: ","weight":"bolder"},'
    b'{"type":"TextRun","text":"gordackdelivery-0123456789abcdef"}]}]}}]}'
)
PATH = "/workflows/0/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sig=hush"
TURNED_OFF = '{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"turned off"}}'

CASE = Case(
    provider="teams",
    category=Category.CHATOPS,
    drops_repeats=False,
    bounded=True,
    keys={"url_env": "HOOK"},
    environ={"HOOK": f"{RECEIVER}{PATH}"},
    required=("url_env",),
    goldens=(
        Golden(
            name="card",
            url=f"{RECEIVER}{PATH}",
            headers=(("Content-Type", "application/json"),),
            body=CARD,
        ),
    ),
    answers=(
        answer("accepted", 202, "", None),
        answer("answered-by-the-workflow", 200, "posted", None),
        answer("turned-off", 400, TURNED_OFF, FailureKind.ADDRESS_UNKNOWN),
        answer("not-the-schema", 400, '{"error":{"code":"TriggerInputSchemaMismatch"}}', FailureKind.PAYLOAD_REFUSED),
        answer("signature", 401, '{"error":{"code":"Unauthorized"}}', FailureKind.CREDENTIAL_REFUSED),
        answer("gone", 404, '{"error":{"code":"WorkflowNotFound"}}', FailureKind.ADDRESS_UNKNOWN),
        answer("too-long", 413, "", FailureKind.PAYLOAD_REFUSED),
        answer("slow-down", 429, "", FailureKind.RATE_LIMITED, retry_after="30", retry_after_seconds=30),
        answer("gateway", 502, '{"error":{"code":"NoResponse"}}', FailureKind.GATEWAY_FAILED),
    ),
    broken=(({"url_env": None, "url": f"{RECEIVER}{PATH}"}, "url"),),
    key_of=lambda arrival: json.loads(arrival.body)["attachments"][0]["content"]["body"][-1]["inlines"][1]["text"],
)
