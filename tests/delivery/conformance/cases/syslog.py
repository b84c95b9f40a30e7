"""Syslog over TLS. How its exchanges end is in tests/delivery/test_stream.py: nothing of it is HTTP."""

from rollback_audit.states import Category
from tests.delivery.conformance.case import ENVELOPE, KEY, Case, Golden

URL = "tls://receiver.example.com:6514"
BOM = b"\xef\xbb\xbf"


def frame(header: bytes) -> bytes:
    message = header + BOM + ENVELOPE.event
    return b"%d %b" % (len(message), message)


def data(enterprise_number: int) -> bytes:
    return (
        f'[cavra@{enterprise_number} event_id="gordackevent-1" idempotency_key="{KEY}"'
        f' event_type="{ENVELOPE.event_type}"] '
    ).encode()


CASE = Case(
    provider="syslog",
    category=Category.SIEM,
    drops_repeats=False,
    keys={"url": URL},
    environ={},
    required=("url",),
    goldens=(
        Golden(
            name="event",
            method="STREAM",
            url=URL,
            headers=(),
            body=frame(b"<109>1 2026-11-23T10:00:00.123456Z - cavra - evidence " + data(32473)),
        ),
        Golden(
            name="every-option",
            method="STREAM",
            url=URL,
            headers=(),
            body=frame(b"<34>1 2026-11-23T10:00:00.123456Z drill-1 release - AUDIT " + data(9)),
            changes={
                "app_name": "release",
                "enterprise_number": 9,
                "facility": 4,
                "hostname": "drill-1",
                "max_message_bytes": 65_536,
                "message_id": "AUDIT",
                "severity": 2,
            },
        ),
    ),
    answers=(),
    broken=(
        ({"headers": {"X-Team": "audit"}}, "headers"),
        ({"facility": 24}, "facility"),
        ({"severity": 8}, "severity"),
        ({"max_message_bytes": 10}, "max_message_bytes"),
        ({"app_name": "two words"}, "app_name"),
        ({"url": "https://receiver.example.com/"}, "url"),
    ),
    key_of=lambda arrival: KEY,
    over_http=False,
)
