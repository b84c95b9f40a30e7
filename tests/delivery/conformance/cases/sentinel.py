"""The Logs Ingestion API of Azure Monitor, with a token of the Microsoft identity platform."""

import json

from rollback_audit.states import Category, FailureKind
from tests.delivery.conformance.case import ENVELOPE, RECEIVER, Arrival, Case, Golden, answer
from tests.receivers import Reply

RULE = "dcr-00112233445566778899aabbccddeeff"
TOKEN = {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "hush-access"}


def is_sign_in(arrival: Arrival) -> bool:
    return arrival.path.endswith("/oauth2/v2.0/token")


CASE = Case(
    provider="sentinel",
    category=Category.SIEM,
    drops_repeats=False,
    keys={
        "url": RECEIVER,
        "authority": RECEIVER,
        "tenant_id": "11111111-2222-3333-4444-555555555555",
        "client_id": "66666666-7777-8888-9999-000000000000",
        "client_secret_env": "SECRET",
        "dcr_id": RULE,
        "stream": "Custom-Cavra_CL",
    },
    environ={"SECRET": "hush~secret/+"},
    required=("url", "tenant_id", "client_id", "client_secret_env", "dcr_id", "stream"),
    goldens=(
        Golden(
            name="row",
            url=f"{RECEIVER}/dataCollectionRules/{RULE}/streams/Custom-Cavra_CL?api-version=2023-01-01",
            headers=(("Authorization", "Bearer hush-access"), ("Content-Type", "application/json")),
            body=b'[{"TimeGenerated":"2026-11-23T10:00:00.123456+00:00","EventId":"gordackevent-1","EventType":'
            b'"cavra.go_backend.rollback_drill.acknowledgement_audit_delivery",'
            b'"IdempotencyKey":"gordackdelivery-0123456789abcdef","Event":' + ENVELOPE.event + b"}]",
        ),
    ),
    sign_in=Golden(
        name="client-credentials",
        url=f"{RECEIVER}/11111111-2222-3333-4444-555555555555/oauth2/v2.0/token",
        headers=(("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")),
        body=b"grant_type=client_credentials&client_id=66666666-7777-8888-9999-000000000000"
        b"&client_secret=hush~secret%2F%2B&scope=https%3A%2F%2Fmonitor.azure.com%2F.default",
    ),
    answers=(
        answer("no-content", 204, "", None),
        answer("another-success", 200, "<html>", FailureKind.ANSWER_REJECTED),
        answer("bad-stream", 400, '{"error":{"code":"InvalidStream"}}', FailureKind.PAYLOAD_REFUSED),
        answer("unauthorized", 401, '{"error":{"code":"Unauthorized"}}', FailureKind.CREDENTIAL_REFUSED),
        answer("no-role", 403, '{"error":{"code":"OperationFailed"}}', FailureKind.CREDENTIAL_REFUSED),
        answer("no-rule", 404, '{"error":{"code":"NotFound"}}', FailureKind.ADDRESS_UNKNOWN),
        answer("too-large", 413, '{"error":{"code":"ContentLengthLimitExceeded"}}', FailureKind.PAYLOAD_REFUSED),
        answer("throttled", 429, "", FailureKind.RATE_LIMITED, retry_after="60", retry_after_seconds=60),
        answer("error", 500, "", FailureKind.SERVER_ERROR),
        answer("unavailable", 503, "", FailureKind.UNAVAILABLE),
    ),
    broken=(
        ({"tenant_id": "a/b"}, "tenant_id"),
        ({"client_id": "a b"}, "client_id"),
        ({"dcr_id": "my-rule"}, "dcr_id"),
        ({"stream": "Custom/Cavra"}, "stream"),
        ({"authority": "http://login.example.com"}, "authority"),
        ({"authority": "https://login.example.com:22"}, "authority"),
        ({"authority": "https://me:pass@login.example.com"}, "authority"),
    ),
    key_of=lambda arrival: json.loads(arrival.body)[0]["IdempotencyKey"],
    is_event=lambda arrival: not is_sign_in(arrival),
    otherwise=lambda arrival: Reply(body=json.dumps(TOKEN).encode()),
)
