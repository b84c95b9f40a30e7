"""A Slack incoming webhook."""

import json

from rollback_audit.states import Category, FailureKind
from tests.delivery.conformance.case import KEY, RECEIVER, Case, Golden, answer

MESSAGE = (
    b'{"text":"Rollback drill acknowledgement audit delivery: critical","blocks":['
    b'{"type":"header","text":{"type":"plain_text",'
    b'"text":"Rollback drill acknowledgement audit delivery: critical","emoji":false}},'
    b'{"type":"section","fields":['
    b'{"type":"plain_text","text":"Alert level\\ncritical","emoji":false},'
    b'{"type":"plain_text","text":"Counts\\noutstanding 1, route 1","emoji":false},'
    b'{"type":"plain_text","text":"Cadence\\non_demand","emoji":false},'
    b'{"type":"plain_text","text":"Audit\\ngordackaudit-00112233","emoji":false},'
    b'{"type":"plain_text","text":"Delivery\\ngordackdelivery-44556677","emoji":false},'
    b'{"type":"plain_text","text":"Event\\ngordackdelivery-0123456789abcdef","emoji":false}]}]}'
)

CASE = Case(
    provider="slack",
    category=Category.CHATOPS,
    drops_repeats=False,
    bounded=True,
    keys={"url_env": "HOOK"},
    environ={"HOOK": f"{RECEIVER}/services/T000/B000/hush"},
    required=("url_env",),
    goldens=(
        Golden(
            name="message",
            url=f"{RECEIVER}/services/T000/B000/hush",
            headers=(("Content-Type", "application/json"),),
            body=MESSAGE,
        ),
    ),
    answers=(
        answer("ok", 200, "ok", None),
        answer("a-page", 200, "<html>", FailureKind.ANSWER_REJECTED),
        answer("invalid-payload", 400, "invalid_payload", FailureKind.PAYLOAD_REFUSED),
        answer("invalid-blocks", 400, "invalid_blocks", FailureKind.PAYLOAD_REFUSED),
        answer("no-user", 400, "user_not_found", FailureKind.ADDRESS_UNKNOWN),
        answer("prohibited", 403, "action_prohibited", FailureKind.CREDENTIAL_REFUSED),
        answer("general", 403, "posting_to_general_channel_denied", FailureKind.CREDENTIAL_REFUSED),
        answer("token", 403, "invalid_token", FailureKind.CREDENTIAL_REFUSED),
        answer("migration", 403, "org_login_required", FailureKind.TRY_LATER),
        answer("no-service", 404, "no_service", FailureKind.ADDRESS_UNKNOWN),
        answer("no-channel", 404, "channel_not_found", FailureKind.ADDRESS_UNKNOWN),
        answer("archived", 410, "channel_is_archived", FailureKind.ADDRESS_UNKNOWN),
        answer("rollup", 500, "rollup_error", FailureKind.SERVER_ERROR),
        answer("slow-down", 429, "rate_limited", FailureKind.RATE_LIMITED, retry_after="30", retry_after_seconds=30),
    ),
    broken=(({"url_env": None, "url": f"{RECEIVER}/services/T000/B000/hush"}, "url"),),
    key_of=lambda arrival: KEY if f"Event\n{KEY}" in str(json.loads(arrival.body)).replace("\\n", "\n") else "",
)
