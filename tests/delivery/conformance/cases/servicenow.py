"""ServiceNow's Table API."""

import json

from rollback_audit.states import Category, FailureKind
from tests.delivery.conformance.case import ENVELOPE, KEY, RECEIVER, Asked, Case, Golden, answer
from tests.receivers import Reply

DESCRIPTION = (
    "Alert level: critical\n"
    "Counts: outstanding 1, route 1\n"
    "Cadence: on_demand\n"
    "Audit: gordackaudit-00112233\n"
    "Delivery: gordackdelivery-44556677\n"
    f"Event: {KEY}\n"
    "\n"
    f"{ENVELOPE.event.decode()}"
)
RECORD = (
    '{"short_description":"Rollback drill acknowledgement audit delivery: critical",'
    f'"description":{json.dumps(DESCRIPTION)},'
    f'"correlation_id":"{KEY}","correlation_display":"CAVRA","urgency":"1"}}'
).encode()
BASIC = ("Authorization", "Basic aHVzaC11c2VyOmh1c2gtd29yZA==")  # hush-user:hush-word
ACCEPT = ("Accept", "application/json")
JSON = ("Content-Type", "application/json")
STORED = '{"result":{"sys_id":"9d385017c611228701d22104cc95c371"}}'
FOUND = '{"result":[{"sys_id":"9d385017c611228701d22104cc95c371","correlation_id":"' + KEY + '"}]}'
ANOTHER = b'{"result":[{"sys_id":"9d385017c611228701d22104cc95c371","correlation_id":""}]}'

CASE = Case(
    provider="servicenow",
    category=Category.ITSM,
    drops_repeats=False,
    bounded=True,
    keys={"url": RECEIVER, "user_env": "NAME", "password_env": "WORD"},
    environ={"COLON": "hush:name", "NAME": "hush-user", "WORD": "hush-word", "TOKEN": "hush-token", "KEY": "hush-key"},
    required=("url", "user_env", "password_env"),
    goldens=(
        Golden(
            name="record",
            url=f"{RECEIVER}/api/now/table/incident?sysparm_fields=sys_id",
            headers=(BASIC, ACCEPT, JSON),
            body=RECORD,
        ),
        Golden(
            name="bearer",
            url=f"{RECEIVER}/api/now/table/sn_si_incident?sysparm_fields=sys_id",
            headers=(("Authorization", "Bearer hush-token"), ACCEPT, JSON),
            body=RECORD,
            changes={"user_env": None, "password_env": None, "token_env": "TOKEN", "table": "sn_si_incident"},
        ),
        Golden(
            name="api-key",
            url=f"{RECEIVER}/api/now/table/incident?sysparm_fields=sys_id",
            headers=(("x-sn-apikey", "hush-key"), ACCEPT, JSON),
            body=RECORD,
            changes={"user_env": None, "password_env": None, "api_key_env": "KEY"},
        ),
    ),
    answers=(
        answer("created", 201, STORED, None),
        answer("created-cut-off", 201, STORED[:20], FailureKind.ANSWER_MALFORMED),
        answer("asleep", 200, "<html>Hibernating</html>", FailureKind.ANSWER_REJECTED),
        answer("refused", 400, '{"error":{"message":"Bad data"}}', FailureKind.PAYLOAD_REFUSED),
        answer("no-table", 400, '{"error":{"message":"Invalid table x"}}', FailureKind.ADDRESS_UNKNOWN),
        answer("unauthorized", 401, '{"error":{"message":"User Not Authenticated"}}', FailureKind.CREDENTIAL_REFUSED),
        answer("no-right", 403, '{"error":{"message":"ACL"}}', FailureKind.CREDENTIAL_REFUSED),
        answer("gone", 404, "", FailureKind.ADDRESS_UNKNOWN),
        answer("slow-down", 429, "", FailureKind.RATE_LIMITED, retry_after="60", retry_after_seconds=60),
        answer("busy", 503, "", FailureKind.UNAVAILABLE),
        answer("broken", 500, "", FailureKind.SERVER_ERROR),
    ),
    broken=(
        ({"table": "Incident/x"}, "table"),
        ({"token_env": "TOKEN"}, "password"),
        ({"user_env": "COLON"}, "user"),
        ({"url": f"{RECEIVER}/?x=1"}, "url"),
    ),
    key_of=lambda arrival: json.loads(arrival.body)["correlation_id"],
    is_event=lambda arrival: arrival.method == "POST",
    asked=Asked(
        request=Golden(
            name="query",
            method="GET",
            url=f"{RECEIVER}/api/now/table/incident?sysparm_query=correlation_id%3D{KEY}"
            "&sysparm_fields=sys_id%2Ccorrelation_id&sysparm_limit=1",
            headers=(BASIC, ACCEPT),
            body=b"",
        ),
        is_question=lambda arrival: arrival.method == "GET",
        held=Reply(body=FOUND.encode()),
        absent=Reply(body=b'{"result":[]}'),
        unclear=(
            (Reply(body=ANOTHER), FailureKind.ANSWER_REJECTED),
            (Reply(body=b"<html>Hibernating</html>"), FailureKind.ANSWER_REJECTED),
            (Reply(status=401), FailureKind.CREDENTIAL_REFUSED),
            (Reply(status=503), FailureKind.UNAVAILABLE),
        ),
    ),
)
