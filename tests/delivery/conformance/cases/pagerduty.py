"""PagerDuty's Events API v2, and its REST API for the question."""

import json

from rollback_audit.states import Category, FailureKind
from tests.delivery.conformance.case import ENVELOPE, KEY, RECEIVER, Asked, Case, Golden, answer
from tests.receivers import Reply

ALERT = (
    b'{"routing_key":"hush-routing","event_action":"trigger","dedup_key":"gordackdelivery-0123456789abcdef",'
    b'"client":"CAVRA","payload":{"summary":"Rollback drill acknowledgement audit delivery: critical",'
    b'"source":"cavra","severity":"critical","timestamp":"2026-11-23T10:00:00.123+00:00",'
    b'"class":"cavra.go_backend.rollback_drill.acknowledgement_audit_delivery",'
    b'"custom_details":{"Alert level":"critical","Counts":"outstanding 1, route 1","Cadence":"on_demand",'
    b'"Audit":"gordackaudit-00112233","Delivery":"gordackdelivery-44556677",'
    b'"Event":"gordackdelivery-0123456789abcdef","event":' + ENVELOPE.event + b"}}}"
)
JSON = ("Content-Type", "application/json")
DONE = '{"status":"success","message":"Event processed","dedup_key":"' + KEY + '"}'
WRONG_KEY = '{"status":"invalid event","message":"Event object is invalid","errors":["Invalid routing key"]}'
WRONG_EVENT = '{"status":"invalid event","message":"Event object is invalid","errors":["\'severity\' is missing"]}'
FOUND = b'{"incidents":[{"incident_number":1234,"description":"' + b"x" * 8192 + b'"}],"limit":1}'

CASE = Case(
    provider="pagerduty",
    category=Category.ITSM,
    drops_repeats=True,
    keys={"routing_key_env": "ROUTING"},
    environ={"ROUTING": "hush-routing", "REST": "hush-rest"},
    required=("routing_key_env",),
    goldens=(
        Golden(name="alert", url="https://events.pagerduty.com/v2/enqueue", headers=(JSON,), body=ALERT),
        Golden(
            name="in-europe",
            url="https://events.eu.pagerduty.com/v2/enqueue",
            headers=(JSON,),
            body=ALERT.replace(b'"source":"cavra"', b'"source":"drill-1"'),
            changes={"region": "eu", "source": "drill-1"},
        ),
        Golden(
            name="whole-address",
            url=f"{RECEIVER}/v2/enqueue",
            headers=(JSON,),
            body=ALERT,
            changes={"url": f"{RECEIVER}/v2/enqueue"},
        ),
    ),
    answers=(
        answer("accepted", 202, DONE, None),
        answer("a-page", 200, "<html>", FailureKind.ANSWER_REJECTED),
        answer("wrong-key", 400, WRONG_KEY, FailureKind.CREDENTIAL_REFUSED),
        answer("wrong-event", 400, WRONG_EVENT, FailureKind.PAYLOAD_REFUSED),
        answer("slow-down", 429, "", FailureKind.RATE_LIMITED, retry_after="60", retry_after_seconds=60),
        answer("broken", 500, "", FailureKind.SERVER_ERROR),
        answer("down", 503, "", FailureKind.UNAVAILABLE),
    ),
    broken=(
        ({"region": "moon"}, "region"),
        ({"url": f"{RECEIVER}/?x=1"}, "url"),
        ({"api_url": "http://api.example.com"}, "api_url"),
    ),
    key_of=lambda arrival: json.loads(arrival.body)["dedup_key"],
    is_event=lambda arrival: arrival.method == "POST",
    asked=Asked(
        request=Golden(
            name="incidents",
            method="GET",
            url=f"{RECEIVER}/rest/incidents?incident_key={KEY}&date_range=all&limit=1",
            headers=(
                ("Authorization", "Token token=hush-rest"),
                ("Accept", "application/vnd.pagerduty+json;version=2"),
            ),
            body=b"",
            changes={"api_key_env": "REST", "api_url": f"{RECEIVER}/rest/"},
        ),
        is_question=lambda arrival: arrival.method == "GET",
        held=Reply(body=FOUND),
        absent=Reply(body=b'{"limit":1,"incidents": [ ],"more":false}'),
        unclear=(
            (Reply(body=b"<html>"), FailureKind.ANSWER_REJECTED),
            (Reply(status=401), FailureKind.CREDENTIAL_REFUSED),
            (Reply(status=429), FailureKind.RATE_LIMITED),
        ),
    ),
)
