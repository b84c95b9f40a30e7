"""Syslog: one message per event, over TLS or plain TCP.

Source: RFC 5424 (the message), RFC 5425 (TLS), RFC 6587, 3.4.1 (octet counting, which both framings share). A receiver
stores whatever it takes, so a repeat is a second message: repeats are not dropped. The structured data's
`idempotency_key` lets a search drop them. Syslog has no acknowledgement; `stream.py` says what its confirmation proves.

`url` is `tls://host` (port 6514) or, with `allow_plain_tcp`, `tcp://host:port`. RFC 5425, 4.3.1 wants receivers to take
8192 bytes, and many cut off what is longer without a word, so that is the limit unless `max_message_bytes` says what
this one takes. The structured data is named by `enterprise_number`; 32473 is the one for documentation (RFC 5612).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from rollback_audit.delivery.contract import (
    STREAM,
    ConfigurationProblem,
    ConnectorSettings,
    Envelope,
    PayloadTooLarge,
    Verdict,
    WireRequest,
)
from rollback_audit.states import Category, FailureKind

PROVIDER = "syslog"
CATEGORY = Category.SIEM
DROPS_REPEATS = False
MAX_BODY_BYTES = 1_048_576

SECRETS: tuple[str, ...] = ()
OPTIONS: Mapping[str, type] = {
    "app_name": str,
    "enterprise_number": int,
    "facility": int,
    "hostname": str,
    "max_message_bytes": int,
    "message_id": str,
    "severity": int,
}

AUDIT, NOTICE = 13, 5
MESSAGE_BYTES = 8192
NIL = "-"
BOM = b"\xef\xbb\xbf"

_BOUNDS: Mapping[str, range] = {
    "enterprise_number": range(1, 2**32),
    "facility": range(24),
    "max_message_bytes": range(2048, MAX_BODY_BYTES - 8),  # beside the message its length has to fit
    "severity": range(8),
}
_LENGTHS: Mapping[str, int] = {"app_name": 48, "hostname": 255, "message_id": 32}
_WORD = re.compile(r"[!-~]+")
_ESCAPED = str.maketrans({'"': r"\"", "\\": r"\\", "]": r"\]"})


def check(settings: ConnectorSettings) -> None:
    """Numbers within the RFC's bounds, words that cannot end before they should."""
    if settings.headers:
        raise ConfigurationProblem("headers", "have no place in syslog")
    for key, bounds in _BOUNDS.items():
        if settings.options.get(key, bounds.start) not in bounds:
            raise ConfigurationProblem(key, f"must be from {bounds.start} to {bounds.stop - 1}")
    for key, length in _LENGTHS.items():
        word = str(settings.options.get(key, NIL))
        if len(word) > length or not _WORD.fullmatch(word):
            raise ConfigurationProblem(key, f"must be 1 to {length} ASCII characters without spaces")


def build(settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> WireRequest:
    """One frame: the message's length, the header, who it is in structured data, and the event as it is."""
    options = settings.options
    head = (
        f"<{_number(options, 'facility', AUDIT) * 8 + _number(options, 'severity', NOTICE)}>1 "
        f"{envelope.occurred_at.astimezone(UTC).isoformat(timespec='microseconds').replace('+00:00', 'Z')} "
        f"{options.get('hostname', NIL)} {options.get('app_name', 'cavra')} {NIL} "
        f"{options.get('message_id', 'evidence')} "
        f"[cavra@{options.get('enterprise_number', 32473)}"
        f' event_id="{envelope.event_id.translate(_ESCAPED)}"'
        f' idempotency_key="{envelope.idempotency_key.translate(_ESCAPED)}"'
        f' event_type="{envelope.event_type.translate(_ESCAPED)}"] '
    )
    message = head.encode() + BOM + envelope.event
    if len(message) > _number(options, "max_message_bytes", MESSAGE_BYTES):
        raise PayloadTooLarge
    return WireRequest(method=STREAM, url=settings.url, headers=(), body=b"%d %b" % (len(message), message))


def judge(status_code: int, body: bytes) -> Verdict:
    """Never asked: a stream has no answer, and one that came would not be syslog."""
    return Verdict(failure_kind=FailureKind.ANSWER_MALFORMED)


def _number(options: Mapping[str, object], key: str, default: int) -> int:
    number = options.get(key, default)
    return number if isinstance(number, int) else default
