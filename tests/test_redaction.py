"""What operators may write, and what looks like a credential."""

import base64
import random
import time
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_audit.errors import InvalidInput
from rollback_audit.redaction import (
    RANDOM_TEXT,
    RULES,
    SERVICE_TOKEN,
    check_text,
    credential_rule,
    refuse_credentials,
)
from tests import credentials, harmless

# Put together from halves, so that no scanner takes this file for a leak.
REFUSED = [
    ("private_key", "-----BEGIN RSA PRIV" + "ATE KEY-----"),
    ("private_key", "-----BEGIN OPENSSH PRIV" + "ATE KEY-----"),
    ("url_userinfo", "https://ops:hunter2@tickets.example.org/browse/CHG-1"),
    ("url_userinfo", "postgresql://cavra@db.example.org/evidence"),
    ("url_secret", "https://tickets.example.org/browse/CHG-1?access_token=abc"),
    ("url_secret", "https://store.example.org/a?sv=1&sig=" + "abcdefghijklmnop1234"),
    ("url_secret", "https://store.example.org/a?X-Amz-Signature=" + "0123abcd"),
    ("webhook_address", "https://hooks.sl" + "ack.com/services/T0/B0/abc"),
    ("webhook_address", "example.webhook.off" + "ice.com/webhookb2/1"),
    ("cloud_key", "AKIA" + "IOSFODNN7EXAMPLE"),
    ("cloud_key", "AIza" + "SyA-0123456789abcdefghijklmnopqrstu"),
    ("service_token", "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"),
    ("service_token", "glpat-" + "0123456789abcdefghij"),
    ("service_token", "xoxb-" + "123456789012-abcdef"),
    ("service_token", "sk_live_" + "0123456789abcdef"),
    ("service_token", "hvs." + "CAESIJ0123456789abcdef"),
    ("service_token", "cavra_" + "A" * 43),
    ("service_token", "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("jwt", "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0.abc"),
    ("authorization", "Authorization: x"),
    ("authorization", "curl with bearer " + "abcdef0123456789abcdef"),
    ("authorization", "Splunk " + "12345678-1234-1234-1234-123456789012"),
    ("cookie", "Cookie: session=abc"),
    ("password_hash", "$argon2id$" + "v=19$m=65536"),
    ("password_hash", "$2b$" + "12$abcdefghijkl"),
    ("secret_assignment", "password: hunter2"),
    ("secret_assignment", "DB_PASSWORD=correct-horse"),
    ("secret_assignment", '{"client_secret": "abcd1234"}'),
    ("secret_assignment", "api-key = 1234abcd"),
    ("secret_assignment", "SharedAccessKey=abcd1234="),
    ("secret_assignment", "the password is " + "hunter2"),
    ("command_line", "curl -u ops:" + "hunter2"),
    ("licence_key", "AB1CD-EF2GH-IJ3KL-MN4OP-QR5ST"),
    (RANDOM_TEXT, "see Zk3Q9xPv7Lm2Rt8WbY5nHc4D for details"),
    ("secret_assignment", "pass\u200bword: hunter2"),
    ("secret_assignment", "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44: hunter2"),
]

ALLOWED = [
    "",
    "CHG0031337",
    "CHG-2026-000123 rolled back, see INC0012345",
    "https://tickets.example.org/browse/CHG-2026-000123",
    "https://tickets.example.org/issues/?jql=key%20%3D%20CHG-1&page=2",
    "https://example.service-now.com/nav_to.do?uri=incident.do?sys_id=9d385017c611228701d22104cc95c371",
    "commit 2dc6cab7e0f2f6b2b8e0f1d3c4b5a69788776655",
    "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "12345678-1234-1234-1234-123456789012",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "gordackdelivery-0123456789abcdef",
    "The token was rotated by the vault team.",
    "password: rotated on Monday",
    "secret=[redacted]",
    "Basic understanding of infrastructure was missing.",
    "The bearer responsibilities moved to payments-oncall.",
    "Rollback2026OfThePaymentServiceFrontend",
    "payments-service/rollback-runbooks/2026/EMEA-Release-Train-17",
    "risk-assessment-of-the-payments-rollback-drill done",
    "Zażółć gęślą jaźń 👩🏽‍🚒",
]


@pytest.mark.parametrize(("rule", "text"), REFUSED)
def test_what_looks_like_a_credential_is_refused_by_the_rule_that_names_it(rule: str, text: str) -> None:
    assert credential_rule(text) == rule


@pytest.mark.parametrize("text", ALLOWED)
def test_what_operators_refer_to_passes(text: str) -> None:
    assert check_text("external_ref", text, 200) == text


def test_every_rule_has_a_case() -> None:
    assert {rule for rule, _ in REFUSED} == {*RULES, SERVICE_TOKEN, RANDOM_TEXT}


def test_a_refusal_names_field_and_rule_and_never_the_text() -> None:
    with pytest.raises(InvalidInput) as refused:
        refuse_credentials("notes", "password: hunter2")
    assert list(refused.value.fields) == ["notes"]
    assert "secret_assignment" in refused.value.fields["notes"][0]
    assert "hunter2" not in str(refused.value.fields) + str(refused.value) + refused.value.detail


@pytest.fixture
def draw() -> random.Random:
    """Seeded by the run, whose seed pytest-randomly prints."""
    return random.Random(random.getrandbits(64))


def test_every_kind_of_credential_is_refused_wherever_it_stands(draw: random.Random) -> None:
    made = credentials.corpus(draw)
    assert len(made) >= 500
    assert Counter(kind for kind, text in made if credential_rule(text) is None) == {}


def test_nothing_that_operators_write_is_refused(draw: random.Random) -> None:
    written = harmless.corpus(draw)
    assert len(written) >= 300
    assert [(kind, text) for kind, text in written if credential_rule(text) is not None] == []


def test_no_text_takes_long_however_it_is_made() -> None:
    parts = [
        "curl ",
        "mysql ",
        "password ",
        "https://",
        "eyJ",
        "a" * 30,
        "?token",
        "--token ",
        "A1B2C-",
        "AAAA.",
        "=-_",
        "0aA",
    ]
    for part in parts:
        text = (part * 2000)[:2000]
        began = time.thread_time()
        credential_rule(text)
        assert time.thread_time() - began < 0.1, part


def test_fresh_random_secrets_are_refused_without_any_word_beside_them() -> None:
    draw = random.Random(20_261_123)
    made = [base64.urlsafe_b64encode(draw.randbytes(32)).decode().rstrip("=") for _ in range(200)]
    made += [base64.b64encode(draw.randbytes(32)).decode() for _ in range(200)]
    assert sum(credential_rule(text) is not None for text in made) >= 0.97 * len(made)


@pytest.mark.parametrize("text", ["a\x00b", "a\x1bb", "a\nb", "a\tb", "a\x7fb", "a\u2028b", "a\u202eb", "a\ud800b"])
def test_control_characters_and_lone_surrogates_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        check_text("owner", text, 100)


def test_line_breaks_are_for_multiline_fields() -> None:
    assert check_text("notes", "one\r\n\ttwo", 100, multiline=True) == "one\r\n\ttwo"


@pytest.mark.parametrize("value", [None, 1, True, b"text", ["text"]])
def test_only_text_is_text(value: object) -> None:
    with pytest.raises(InvalidInput):
        check_text("owner", value, 100)


def test_the_length_counts_characters_and_its_bound_is_allowed() -> None:
    assert check_text("owner", "ü" * 10, 10) == "ü" * 10
    with pytest.raises(InvalidInput):
        check_text("owner", "ü" * 11, 10)


def test_a_required_text_says_something() -> None:
    with pytest.raises(InvalidInput):
        check_text("reason", "  ", 10, required=True)


@given(st.text(max_size=400))
def test_any_text_is_either_returned_as_it_is_or_refused(text: str) -> None:
    with suppress(InvalidInput):
        assert check_text("notes", text, 400, multiline=True) == text
