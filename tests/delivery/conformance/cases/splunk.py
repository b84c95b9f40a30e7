"""Splunk's HTTP Event Collector."""

import json

from rollback_audit.states import Category, FailureKind
from tests.delivery.conformance.case import (
    ENVELOPE,
    RECEIVER,
    Answer,
    Arrival,
    Asked,
    Case,
    Confirmed,
    Golden,
    answer,
)
from tests.receivers import Reply

HEADERS = (("Authorization", "Splunk hush-token"), ("Content-Type", "application/json"))
CHANNEL = ("X-Splunk-Request-Channel", "53974bcb-bbf2-5c2f-98f0-6ce77327e9fe")
FIELDS = (
    b'"fields":{"event_id":"gordackevent-1","event_type":'
    b'"cavra.go_backend.rollback_drill.acknowledgement_audit_delivery",'
    b'"idempotency_key":"gordackdelivery-0123456789abcdef"}'
)
BODY = (
    b'{"time":1795428000.123,"source":"cavra","sourcetype":"cavra:evidence",' + FIELDS + b',"event":'
) + ENVELOPE.event + b"}"  # fmt: skip
EVENT_PATH = "/services/collector/event"

# The collector's own table of codes, with the status each comes with.
CODES: list[tuple[int, int, FailureKind]] = [
    (403, 1, FailureKind.CREDENTIAL_REFUSED),
    (401, 2, FailureKind.CREDENTIAL_REFUSED),
    (401, 3, FailureKind.CREDENTIAL_REFUSED),
    (403, 4, FailureKind.CREDENTIAL_REFUSED),
    (400, 5, FailureKind.PAYLOAD_REFUSED),
    (400, 6, FailureKind.PAYLOAD_REFUSED),
    (400, 7, FailureKind.ADDRESS_UNKNOWN),
    (500, 8, FailureKind.SERVER_ERROR),
    (503, 9, FailureKind.UNAVAILABLE),
    (400, 10, FailureKind.CREDENTIAL_REFUSED),
    (400, 11, FailureKind.CREDENTIAL_REFUSED),
    (400, 12, FailureKind.PAYLOAD_REFUSED),
    (400, 13, FailureKind.PAYLOAD_REFUSED),
    (400, 14, FailureKind.CREDENTIAL_REFUSED),
    (400, 15, FailureKind.PAYLOAD_REFUSED),
    (400, 16, FailureKind.CREDENTIAL_REFUSED),
    (200, 17, FailureKind.ANSWER_REJECTED),
    (503, 18, FailureKind.UNAVAILABLE),
    (503, 19, FailureKind.UNAVAILABLE),
    (503, 20, FailureKind.UNAVAILABLE),
    (400, 21, FailureKind.CREDENTIAL_REFUSED),
    (400, 22, FailureKind.CREDENTIAL_REFUSED),
    (503, 23, FailureKind.UNAVAILABLE),
    (200, 24, FailureKind.ANSWER_MALFORMED),
    (200, 25, FailureKind.ANSWER_MALFORMED),
    (429, 26, FailureKind.RATE_LIMITED),
    (429, 27, FailureKind.RATE_LIMITED),
    (400, 28, FailureKind.CREDENTIAL_REFUSED),
    (200, 9, FailureKind.UNAVAILABLE),
]


def coded(status: int, code: int, kind: FailureKind) -> Answer:
    return answer(f"code-{code}-with-{status}", status, json.dumps({"text": "words", "code": code}), kind)


def acks(number: int, word: bool) -> Reply:
    return Reply(body=json.dumps({"acks": {str(number): word}}).encode())


def is_ack(arrival: Arrival) -> bool:
    return arrival.path == "/services/collector/ack" and json.loads(arrival.body) == {"acks": [7]}


def golden(name: str, url: str, path: str) -> Golden:
    return Golden(name=name, url=f"{RECEIVER}{path}", headers=HEADERS, body=BODY, changes={"url": f"{RECEIVER}{url}"})


CASE = Case(
    provider="splunk",
    category=Category.SIEM,
    drops_repeats=False,
    keys={"url": f"{RECEIVER}", "token_env": "TOKEN"},
    environ={"TOKEN": "hush-token"},
    required=("url", "token_env"),
    goldens=(
        Golden(name="event", url=f"{RECEIVER}{EVENT_PATH}", headers=HEADERS, body=BODY),
        golden("a-base-with-a-slash", "/", EVENT_PATH),
        golden("a-path-is-kept", "/services/collector", "/services/collector"),
        golden("a-query-is-kept", "/behind/a/proxy?x=1", "/behind/a/proxy?x=1"),
        Golden(
            name="every-option",
            url=f"{RECEIVER}{EVENT_PATH}",
            headers=(("Authorization", "Bearer hush-token"), HEADERS[1], CHANNEL, ("X-Team", "audit")),
            body=b'{"time":1795428000.123,"source":"drills","sourcetype":"_json",' + FIELDS + b',"host":"drill-1",'
            b'"index":"audit","event":' + ENVELOPE.event + b"}",
            changes={
                "authorization_scheme": "Bearer",
                "host": "drill-1",
                "index": "audit",
                "source": "drills",
                "sourcetype": "_json",
                "use_ack": True,
                "headers": {"X-Team": "audit"},
            },
        ),
    ),
    answers=(
        answer("ok", 200, '{"text":"Success","code":0}', None),
        answer("ok-with-a-number", 200, '{"text":"Success","code":0,"ackId":1}', None),
        answer("no-code", 200, '{"text":"Success"}', FailureKind.ANSWER_REJECTED),
        answer("false-is-no-code", 200, '{"code":false}', FailureKind.ANSWER_REJECTED),
        answer("text-is-no-code", 200, '{"code":"0"}', FailureKind.ANSWER_REJECTED),
        answer("a-page", 200, "<html>sign in</html>", FailureKind.ANSWER_REJECTED),
        answer("code-0-with-an-error", 400, '{"code":0}', FailureKind.PAYLOAD_REFUSED),
        answer("not-found", 404, "not found", FailureKind.ADDRESS_UNKNOWN),
        answer("busy", 503, '{"code":9}', FailureKind.UNAVAILABLE, retry_after="20", retry_after_seconds=20),
        *(coded(*line) for line in CODES),
    ),
    broken=(
        ({"use_ack": True, "url": f"{RECEIVER}/behind/a/proxy"}, "url"),
        ({"use_ack": True, "url": f"{RECEIVER}/services/collector?x=1"}, "url"),
        ({"use_ack": "true"}, "use_ack"),
        ({"authorization_scheme": "a\u00e9"}, "authorization_scheme"),
    ),
    key_of=lambda arrival: json.loads(arrival.body)["fields"]["idempotency_key"],
    is_event=lambda arrival: not arrival.path.endswith("/ack"),
    asked=Asked(
        request=Golden(
            name="ack",
            url=f"{RECEIVER}/services/collector/ack",
            headers=(*HEADERS, CHANNEL),
            body=b'{"acks":[7]}',
            changes={"use_ack": True},
        ),
        is_question=is_ack,
        held=acks(7, True),
        absent=acks(7, False),
        unclear=(
            (Reply(body=b"{}"), FailureKind.ANSWER_REJECTED),
            (Reply(status=400, body=b'{"text":"ACK is disabled","code":14}'), FailureKind.CREDENTIAL_REFUSED),
            (Reply(status=503, body=b'{"text":"Server is busy","code":9}'), FailureKind.UNAVAILABLE),
        ),
        receipt=7,
    ),
    confirmed=Confirmed(
        changes={"use_ack": True},
        accepted=Reply(body=b'{"text":"Success","code":0,"ackId":7}'),
        receipt=7,
        is_confirmation=is_ack,
        not_yet=acks(7, False),
        done=acks(7, True),
    ),
)
