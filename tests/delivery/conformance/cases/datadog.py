"""Datadog's HTTP log intake, v2."""

import json

from rollback_audit.states import Category, FailureKind
from tests.delivery.conformance.case import ENVELOPE, RECEIVER, Case, Golden, answer

HEADERS = (("DD-API-KEY", "hush-key"), ("Content-Type", "application/json"))
ATTRIBUTES = (
    b',"event_id":"gordackevent-1","event_type":"cavra.go_backend.rollback_drill.acknowledgement_audit_delivery",'
    b'"idempotency_key":"gordackdelivery-0123456789abcdef","occurred_at":"2026-11-23T10:00:00.123456+00:00"}]'
)
MESSAGE = json.dumps(ENVELOPE.event.decode(), ensure_ascii=False).encode()

CASE = Case(
    provider="datadog",
    category=Category.SIEM,
    drops_repeats=False,
    keys={"api_key_env": "KEY"},
    environ={"KEY": "hush-key"},
    required=("api_key_env",),
    goldens=(
        Golden(
            name="log",
            url="https://http-intake.logs.datadoghq.com/api/v2/logs",
            headers=HEADERS,
            body=b'[{"message":' + MESSAGE + b',"ddsource":"cavra","service":"cavra"' + ATTRIBUTES,
        ),
        Golden(
            name="every-option",
            url="https://http-intake.logs.us5.datadoghq.com/api/v2/logs",
            headers=(*HEADERS, ("X-Team", "audit")),
            body=b'[{"message":' + MESSAGE + b',"ddsource":"drills","service":"payments","hostname":"drill-1",'
            b'"ddtags":"env:prod,team:audit"' + ATTRIBUTES,
            changes={
                "site": "us5.datadoghq.com",
                "source": "drills",
                "service": "payments",
                "hostname": "drill-1",
                "tags": "env:prod,team:audit",
                "headers": {"X-Team": "audit"},
            },
        ),
        Golden(
            name="own-url",
            url=f"{RECEIVER}/api/v2/logs",
            headers=HEADERS,
            body=None,  # as above
            changes={"url": f"{RECEIVER}/api/v2/logs"},
        ),
    ),
    answers=(
        answer("accepted", 202, "{}", None),
        answer("another-success", 200, "<html>", FailureKind.ANSWER_REJECTED),
        answer("bad-request", 400, '{"errors":[{"status":"400","title":"Bad Request"}]}', FailureKind.PAYLOAD_REFUSED),
        answer("no-key", 401, "", FailureKind.CREDENTIAL_REFUSED),
        answer("wrong-key", 403, '{"errors":[{"status":"403"}]}', FailureKind.CREDENTIAL_REFUSED),
        answer("timeout", 408, "", FailureKind.TRY_LATER),
        answer("too-large", 413, "", FailureKind.PAYLOAD_REFUSED),
        answer("too-many", 429, "", FailureKind.RATE_LIMITED, retry_after="11", retry_after_seconds=11),
        answer("error", 500, "", FailureKind.SERVER_ERROR),
        answer("unavailable", 503, "", FailureKind.UNAVAILABLE),
    ),
    broken=(
        ({"site": "evil.example.com/x?y="}, "site"),
        ({"site": "localhost"}, "site"),
        ({"url": f"{RECEIVER}:22/"}, "allow_ports"),
    ),
    key_of=lambda arrival: json.loads(arrival.body)[0]["idempotency_key"],
)
