"""Standard Webhooks. Its own libraries check the signature in tests/delivery/test_webhook.py."""

from rollback_audit.states import Category, FailureKind
from tests.delivery.conformance.case import ENVELOPE, KEY, RECEIVER, Case, Golden, answer

CASE = Case(
    provider="webhook",
    category=Category.WEBHOOK,
    drops_repeats=True,
    keys={"url": f"{RECEIVER}/cavra", "secret_env": "SIGNING"},
    environ={"SHORT": "whsec_hush", "SIGNING": "whsec_hushhushhushhushhushhushhushhush"},
    required=("url", "secret_env"),
    goldens=(
        Golden(
            name="signed",
            url=f"{RECEIVER}/cavra",
            headers=(
                ("Content-Type", "application/json"),
                ("webhook-id", KEY),
                ("webhook-timestamp", "1795428300"),
                ("webhook-signature", "v1,57qp5h/H/02rGhjKjhYcWre48CzUepTrSic6EuFSI24="),
            ),
            body=ENVELOPE.event,
        ),
    ),
    answers=(
        answer("ok", 200, "anything", None),
        answer("no-content", 204, "", None),
        answer("gone", 410, "", FailureKind.ADDRESS_UNKNOWN),
        answer("unauthorized", 401, "", FailureKind.CREDENTIAL_REFUSED),
        answer("refused", 400, "", FailureKind.PAYLOAD_REFUSED),
        answer("slow-down", 429, "", FailureKind.RATE_LIMITED, retry_after="30", retry_after_seconds=30),
        answer("down", 503, "", FailureKind.UNAVAILABLE),
        answer("broken", 500, "", FailureKind.SERVER_ERROR),
        answer("gateway", 502, "", FailureKind.GATEWAY_FAILED),
    ),
    broken=(
        ({"secret_env": "SHORT"}, "secret"),
        ({"previous_secret_env": "SHORT"}, "previous_secret"),
        ({"api_key_header": "X Key"}, "api_key_header"),
    ),
    key_of=lambda arrival: arrival.headers["webhook-id"],
)
