"""Splunk's HTTP Event Collector."""

import json

from rollback_audit.states import Category, FailureKind
from tests.delivery.conformance.case import ENVELOPE, RECEIVER, Case, Golden, answer

OK = '{"text":"Success","code":0}'

CASE = Case(
    provider="splunk",
    category=Category.SIEM,
    drops_repeats=False,
    keys={"url": RECEIVER, "token_env": "TOKEN"},
    environ={"TOKEN": "hush-token"},
    required=("url", "token_env"),
    goldens=(
        Golden(
            name="event",
            url=f"{RECEIVER}/services/collector/event",
            headers=(("Authorization", "Splunk hush-token"), ("Content-Type", "application/json")),
            body=b'{"time":1795428000.123,"source":"cavra","sourcetype":"cavra:evidence","fields":{"event_id":'
            b'"gordackevent-1","event_type":"cavra.go_backend.rollback_drill.acknowledgement_audit_delivery",'
            b'"idempotency_key":"gordackdelivery-0123456789abcdef"},"event":' + ENVELOPE.event + b"}",
        ),
    ),
    answers=(
        answer("ok", 200, OK, None),
        answer("token-disabled", 403, '{"text":"Token disabled","code":1}', FailureKind.CREDENTIAL_REFUSED),
        answer("invalid-data", 400, '{"text":"Invalid data format","code":6}', FailureKind.PAYLOAD_REFUSED),
        answer("error", 500, '{"text":"Internal server error","code":8}', FailureKind.SERVER_ERROR),
        answer(
            "busy",
            503,
            '{"text":"Server is busy","code":9}',
            FailureKind.UNAVAILABLE,
            retry_after="20",
            retry_after_seconds=20,
        ),
    ),
    key_of=lambda arrival: json.loads(arrival.body)["fields"]["idempotency_key"],
)
