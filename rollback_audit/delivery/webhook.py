"""Any receiver of Standard Webhooks: the event as it is, signed.

Source: the Standard Webhooks specification (github.com/standard-webhooks/standard-webhooks, spec). `webhook-id` is the
delivery's idempotency key and equal on every try; the specification tells receivers to drop a repeat by it, so repeats
are dropped. While a secret is being rotated the previous one signs too, and the receiver may verify with either.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from rollback_audit.delivery.contract import ConfigurationProblem, ConnectorSettings, Envelope, Verdict, WireRequest
from rollback_audit.delivery.credentials import require
from rollback_audit.delivery.statuses import verdict_for
from rollback_audit.states import Category

PROVIDER = "webhook"
CATEGORY = Category.WEBHOOK
DROPS_REPEATS = True
MAX_BODY_BYTES = 1_048_576

SECRETS: tuple[str, ...] = ("secret", "previous_secret", "token", "api_key")
OPTIONS: Mapping[str, type] = {"authorization_scheme": str, "api_key_header": str}

KEY_PREFIX = "whsec_"
KEY_BYTES = range(24, 65)
SIGNERS = ("secret", "previous_secret")


def check(settings: ConnectorSettings) -> None:
    """A signing secret is required: `whsec_` and the base64 of 24 to 64 bytes."""
    require(settings, "secret")
    for key in SIGNERS:
        if key in settings.secrets and len(_signing_key(settings.secrets[key])) not in KEY_BYTES:
            raise ConfigurationProblem(key, f"must be {KEY_PREFIX} and the base64 of 24 to 64 bytes")


def build(settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> WireRequest:
    """POST the event's own bytes. The timestamp, and so the signature, are those of this try."""
    timestamp = str(int(now.timestamp()))
    signed = b"%b.%b.%b" % (envelope.idempotency_key.encode(), timestamp.encode(), envelope.event)
    signatures = " ".join(_signature(settings.secrets[key], signed) for key in SIGNERS if key in settings.secrets)
    headers = [
        ("Content-Type", "application/json"),
        ("webhook-id", envelope.idempotency_key),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signatures),
        *settings.headers,
    ]
    if "token" in settings.secrets:
        scheme = settings.options.get("authorization_scheme", "Bearer")
        headers.append(("Authorization", f"{scheme} {settings.secrets['token']}"))
    if "api_key" in settings.secrets:
        headers.append((str(settings.options.get("api_key_header", "X-API-Key")), settings.secrets["api_key"]))
    return WireRequest(method="POST", url=settings.url, headers=tuple(headers), body=envelope.event)


def judge(status_code: int, body: bytes) -> Verdict:
    """The specification: any 2xx is success, anything else is failure; 410 means that the address is gone."""
    return verdict_for(status_code)


def _signature(secret: str, signed: bytes) -> str:
    digest = hmac.digest(_signing_key(secret), signed, "sha256")
    return "v1," + base64.b64encode(digest).decode()


@lru_cache(maxsize=64)
def _signing_key(secret: str) -> bytes:
    """The key's bytes; empty for a text that is no such secret."""
    if not secret.startswith(KEY_PREFIX):
        return b""
    try:
        return base64.b64decode(secret.removeprefix(KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""
