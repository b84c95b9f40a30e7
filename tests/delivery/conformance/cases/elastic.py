"""Elasticsearch's bulk API; OpenSearch answers alike."""

import json

from rollback_audit.states import Category, FailureKind
from tests.delivery.conformance.case import ENVELOPE, RECEIVER, Arrival, Asked, Case, Golden, answer
from tests.receivers import Reply

BODY = (
    b'{"create":{"_id":"gordackdelivery-0123456789abcdef"}}\n'
    b'{"@timestamp":"2026-11-23T10:00:00.123456+00:00","event":{"id":"gordackevent-1","action":'
    b'"cavra.go_backend.rollback_drill.acknowledgement_audit_delivery","kind":"event","module":"cavra",'
    b'"dataset":"cavra.evidence"},"labels":{"idempotency_key":"gordackdelivery-0123456789abcdef"},"cavra":'
    + ENVELOPE.event
    + b"}\n"
)
URL = f"{RECEIVER}/logs-cavra-audit/_bulk?filter_path=errors,items.*.status,items.*.error.type"
NDJSON = ("Content-Type", "application/x-ndjson")


def item(status: int, error: str | None = None) -> str:
    """The bulk API's answer about one document."""
    about: dict[str, object] = {"status": status}
    if error:
        about["error"] = {"type": error}
    return json.dumps({"errors": error is not None, "items": [{"create": about}]})


def hits(count: int, *, timed_out: bool = False) -> Reply:
    return Reply(body=json.dumps({"timed_out": timed_out, "hits": {"total": {"value": count}}}).encode())


def is_question(arrival: Arrival) -> bool:
    return "/_search" in arrival.path


CASE = Case(
    provider="elastic",
    category=Category.SIEM,
    drops_repeats=True,
    keys={"url": f"{RECEIVER}", "index": "logs-cavra-audit", "api_key_env": "KEY"},
    environ={"COLON": "hush:name", "KEY": "hush-key", "USER_NAME": "hush-user", "PASSWORD": "hush-password"},
    required=("url", "index", "api_key_env"),
    goldens=(
        Golden(name="api-key", url=URL, headers=(("Authorization", "ApiKey hush-key"), NDJSON), body=BODY),
        Golden(
            name="bearer",
            url=URL,
            headers=(("Authorization", "Bearer hush-key"), NDJSON),
            body=BODY,
            changes={"api_key_env": None, "token_env": "KEY"},
        ),
        Golden(
            name="basic-and-a-path",
            url=URL.replace(f"{RECEIVER}/", f"{RECEIVER}/search/"),
            headers=(("Authorization", "Basic aHVzaC11c2VyOmh1c2gtcGFzc3dvcmQ="), NDJSON),
            body=BODY,
            changes={
                "url": f"{RECEIVER}/search/",
                "api_key_env": None,
                "user_env": "USER_NAME",
                "password_env": "PASSWORD",
            },
        ),
    ),
    answers=(
        answer("created", 200, item(201), None),
        answer("there-already", 200, item(409, "version_conflict_engine_exception"), None, already_held=True),
        answer("mapping", 200, item(400, "document_parsing_exception"), FailureKind.PAYLOAD_REFUSED),
        answer("queue-full", 200, item(429, "es_rejected_execution_exception"), FailureKind.RATE_LIMITED),
        answer("queue-full-opensearch", 200, item(429, "rejected_execution_exception"), FailureKind.RATE_LIMITED),
        answer("disk-full", 200, item(429, "cluster_block_exception"), FailureKind.UNAVAILABLE),
        answer("read-only", 200, item(403, "cluster_block_exception"), FailureKind.UNAVAILABLE),
        answer("shards", 200, item(503, "unavailable_shards_exception"), FailureKind.UNAVAILABLE),
        answer("no-index", 200, item(404, "index_not_found_exception"), FailureKind.ADDRESS_UNKNOWN),
        answer("index-not-allowed", 200, item(403, "security_exception"), FailureKind.CREDENTIAL_REFUSED),
        answer("an-error-we-do-not-know", 200, item(500, "odd_exception"), FailureKind.SERVER_ERROR),
        answer("error-with-a-success", 200, item(201, "odd_exception"), FailureKind.ANSWER_REJECTED),
        answer("no-items", 200, '{"errors":false}', FailureKind.ANSWER_REJECTED),
        answer("another-conflict", 200, item(409, "odd_exception"), FailureKind.PAYLOAD_REFUSED),
        answer("unauthorized", 401, "", FailureKind.CREDENTIAL_REFUSED),
        answer("forbidden", 403, "", FailureKind.CREDENTIAL_REFUSED),
        answer("too-large", 413, "", FailureKind.PAYLOAD_REFUSED),
        answer("too-many", 429, "", FailureKind.RATE_LIMITED, retry_after="5", retry_after_seconds=5),
        answer("error", 500, "", FailureKind.SERVER_ERROR),
        answer("proxy", 502, "", FailureKind.GATEWAY_FAILED),
    ),
    broken=(
        ({"index": "Upper"}, "index"),
        ({"index": "_all"}, "index"),
        ({"index": "logs/../other"}, "index"),
        ({"index": "*"}, "index"),
        ({"url": f"{RECEIVER}/?x=1"}, "url"),
        ({"token_env": "KEY"}, "token"),
        ({"user_env": "USER_NAME"}, "password"),
        ({"api_key_env": None, "password_env": "PASSWORD"}, "user"),
        ({"api_key_env": None, "user_env": "COLON", "password_env": "PASSWORD"}, "user"),
    ),
    key_of=lambda arrival: json.loads(arrival.body.partition(b"\n")[0])["create"]["_id"],
    is_event=lambda arrival: not is_question(arrival),
    asked=Asked(
        request=Golden(
            name="ids",
            url=f"{RECEIVER}/logs-cavra-audit/_search?filter_path=timed_out,hits.total.value"
            "&allow_partial_search_results=false",
            headers=(("Authorization", "ApiKey hush-key"), ("Content-Type", "application/json")),
            body=b'{"query":{"ids":{"values":["gordackdelivery-0123456789abcdef"]}},"size":0,"track_total_hits":true}',
        ),
        is_question=is_question,
        held=hits(1),
        absent=hits(0),
        unclear=(
            (hits(0, timed_out=True), FailureKind.ANSWER_REJECTED),
            (Reply(body=b"{}"), FailureKind.ANSWER_REJECTED),
            (Reply(status=400), FailureKind.ANSWER_REJECTED),
            (Reply(status=403), FailureKind.CREDENTIAL_REFUSED),
            (Reply(status=503), FailureKind.UNAVAILABLE),
        ),
    ),
)
