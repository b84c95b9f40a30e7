"""An OpenTelemetry collector, over OTLP/HTTP."""

import json

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from rollback_audit.states import Category, FailureKind
from tests.delivery.conformance.case import ENVELOPE, KEY, RECEIVER, Arrival, Case, Golden, answer


def field(number: int, *payload: bytes) -> bytes:
    """A length-delimited field of the protobuf wire format, written by hand."""
    content, length = b"".join(payload), b""
    left = len(content)
    while left > 127:
        length += bytes([left % 128 + 128])
        left //= 128
    return bytes([number << 3 | 2]) + length + bytes([left]) + content


def fixed(number: int, value: int) -> bytes:
    return bytes([number << 3 | 1]) + value.to_bytes(8, "little")


def attribute(key: str, value: str) -> bytes:
    return field(1, key.encode()) + field(2, field(1, value.encode()))


OCCURRED, OBSERVED = 1_795_428_000_123_456_000, 1_795_428_300_000_000_000
RECORD = (
    fixed(1, OCCURRED)
    + b"\x10\x09"  # severity_number: INFO
    + field(3, b"INFO")
    + field(5, field(1, ENVELOPE.event))
    + field(6, attribute("cavra.event_id", "gordackevent-1"))
    + field(6, attribute("cavra.idempotency_key", KEY))
    + fixed(11, OBSERVED)
    + field(12, ENVELOPE.event_type.encode())
)
SCOPE = field(1, field(1, b"cavra.rollback_audit"))
PROTOBUF = field(1, field(1, field(1, attribute("service.name", "cavra"))), field(2, SCOPE, field(2, RECORD)))

# lowerCamelCase, 64-bit numbers as text, enumerations as numbers.
JSON = {
    "resourceLogs": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "drills"}}]},
            "scopeLogs": [
                {
                    "scope": {"name": "cavra.rollback_audit"},
                    "logRecords": [
                        {
                            "timeUnixNano": str(OCCURRED),
                            "severityNumber": 9,
                            "severityText": "INFO",
                            "body": {"stringValue": ENVELOPE.event.decode()},
                            "attributes": [
                                {"key": "cavra.event_id", "value": {"stringValue": "gordackevent-1"}},
                                {"key": "cavra.idempotency_key", "value": {"stringValue": KEY}},
                            ],
                            "observedTimeUnixNano": str(OBSERVED),
                            "eventName": ENVELOPE.event_type,
                        }
                    ],
                }
            ],
        }
    ]
}


def key_of(arrival: Arrival) -> str:
    message = ExportLogsServiceRequest.FromString(arrival.body)
    attributes = message.resource_logs[0].scope_logs[0].log_records[0].attributes
    return {pair.key: pair.value.string_value for pair in attributes}["cavra.idempotency_key"]


CASE = Case(
    provider="otlp",
    category=Category.SIEM,
    drops_repeats=False,
    keys={"url": RECEIVER, "token_env": "TOKEN"},
    environ={"TOKEN": "hush-token"},
    required=("url",),
    goldens=(
        Golden(
            name="protobuf",
            url=f"{RECEIVER}/v1/logs",
            headers=(("Content-Type", "application/x-protobuf"), ("Authorization", "Bearer hush-token")),
            body=PROTOBUF,
        ),
        Golden(
            name="json-with-an-api-key",
            url=f"{RECEIVER}:4318/otlp/v1/logs",
            headers=(("Content-Type", "application/json"), ("x-honeycomb-team", "hush-token"), ("X-Team", "audit")),
            body=json.dumps(JSON).encode(),
            changes={
                "url": f"{RECEIVER}:4318/otlp/v1/logs",
                "allow_ports": [4318],
                "encoding": "json",
                "service_name": "drills",
                "token_env": None,
                "api_key_env": "TOKEN",
                "api_key_header": "x-honeycomb-team",
                "headers": {"X-Team": "audit"},
            },
        ),
    ),
    answers=(
        answer("success", 200, "", None),
        answer("success-in-json", 200, "{}", None),
        answer("success-with-a-warning", 200, '{"partialSuccess":{"errorMessage":"old field"}}', None),
        answer("success-with-a-warning-in-protobuf", 200, b"\x0a\x05\x12\x03old", None),
        answer("no-content", 204, "", None),
        answer("rejected", 200, '{"partialSuccess":{"rejectedLogRecords":"1"}}', FailureKind.PAYLOAD_REFUSED),
        answer("rejected-in-protobuf", 200, b"\x0a\x07\x08\x01\x12\x03bad", FailureKind.PAYLOAD_REFUSED),
        answer("a-page", 200, "<html>sign in</html>", FailureKind.ANSWER_MALFORMED),
        answer("bad-data", 400, b"\x08\x03", FailureKind.PAYLOAD_REFUSED),
        answer("unauthorized", 401, "", FailureKind.CREDENTIAL_REFUSED),
        answer("forbidden", 403, "", FailureKind.CREDENTIAL_REFUSED),
        answer("not-found", 404, "", FailureKind.ADDRESS_UNKNOWN),
        answer("timeout", 408, "", FailureKind.PAYLOAD_REFUSED),
        answer("too-large", 413, "", FailureKind.PAYLOAD_REFUSED),
        answer("unsupported", 415, "", FailureKind.PAYLOAD_REFUSED),
        answer("too-many", 429, "", FailureKind.RATE_LIMITED, retry_after="9", retry_after_seconds=9),
        answer("error", 500, "", FailureKind.PAYLOAD_REFUSED),
        answer("gateway", 502, "", FailureKind.GATEWAY_FAILED),
        answer("unavailable", 503, "", FailureKind.UNAVAILABLE, retry_after="3", retry_after_seconds=3),
        answer("gateway-timeout", 504, "", FailureKind.GATEWAY_FAILED),
    ),
    broken=(
        ({"encoding": "xml"}, "encoding"),
        ({"api_key_env": "TOKEN", "api_key_header": "Authorization"}, "api_key_header"),
        ({"api_key_header": "X Key"}, "api_key_header"),
        ({"url": f"{RECEIVER}:4318"}, "allow_ports"),
    ),
    key_of=key_of,
)
