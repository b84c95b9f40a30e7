"""The kinds of canary. Each looks like what it stands for and is drawn anew in every run, so nothing can know it.

A canary's `parts` are what must not turn up: the random pieces of it, whole or encoded.
"""

import base64
import json
import string
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from random import Random

_LOWER = string.ascii_lowercase + string.digits
_MIXED = string.ascii_letters + string.digits


class Draw:
    """Random pieces of text, each unlike everything else in the system."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def of(self, alphabet: str, length: int) -> str:
        return "".join(self.random.choices(alphabet, k=length))

    def with_digit(self, alphabet: str, length: int) -> str:
        """Letters with at least one digit among them, as in no word."""
        signs = self.random.choices(alphabet, k=length)
        signs[self.random.randrange(1, length)] = self.random.choice(string.digits)
        return "".join(signs)

    def mixed(self, length: int = 32) -> str:
        return self.with_digit(_MIXED, length)

    def word(self, length: int = 16) -> str:
        """Lower case, as hosts and names are."""
        return self.random.choice(string.ascii_lowercase) + self.with_digit(_LOWER, length - 1)

    def hexadecimal(self, length: int = 32) -> str:
        return self.of("0123456789abcdef", length)

    def upper(self, length: int = 16) -> str:
        return self.with_digit(string.ascii_uppercase + string.digits, length)

    def base64(self, size: int = 48) -> str:
        return base64.b64encode(self.random.randbytes(size)).decode()

    def uuid(self) -> str:
        return "-".join(self.hexadecimal(length) for length in (8, 4, 4, 4, 12))


@dataclass(frozen=True, slots=True)
class Canary:
    """One canary: as somebody would write it, and the pieces by which it is known."""

    kind: str
    text: str
    parts: tuple[str, ...]


Made = tuple[str, ...]
Make = Callable[[Draw], Made]

# A credential: whoever writes one where people read is refused.
SHAPED: dict[str, Make] = {}
# Secret all the same, but no text tells so by its looks. Such texts are kept in `notes`, and only there.
PLAIN: dict[str, Make] = {}


def _jwt(draw: Draw) -> Made:
    head = base64.urlsafe_b64encode(b'{"alg":"RS256","typ":"JWT"}').decode().rstrip("=")
    claims = {"sub": draw.word(), "role": "payments-admin"}
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    signature = draw.mixed(43)
    return f"{head}.{middle}.{signature}", middle, signature


def _pem(draw: Draw, name: str) -> Made:
    line = draw.base64()
    return f"-----BEGIN {name}PRIV" + f"ATE KEY-----\n{line}\n-----END {name}PRIV" + "ATE KEY-----", line


def _service_account(draw: Draw) -> Made:
    line, key_id = draw.base64(), draw.hexadecimal(40)
    key = "-----BEGIN PRIV" + f"ATE KEY-----\n{line}\n-----END PRIV" + "ATE KEY-----\n"
    return json.dumps({"type": "service_account", "private_key_id": key_id, "private_key": key}), line, key_id


def _basic(draw: Draw) -> Made:
    encoded = base64.b64encode(f"ops:{(password := draw.mixed(20))}".encode()).decode()
    return f"Authorization: Basic {encoded}", encoded, password


def _with(form: str, piece: Callable[[Draw], str]) -> Make:
    """`form` holds {} where the piece goes, which is the only part."""

    def make(draw: Draw) -> Made:
        part = piece(draw)
        return form.format(part), part

    return make


def _two(form: str, first: Callable[[Draw], str], second: Callable[[Draw], str]) -> Make:
    def make(draw: Draw) -> Made:
        parts = first(draw), second(draw)
        return form.format(*parts), *parts

    return make


_TOKENS: dict[str, tuple[str, Callable[[Draw], str]]] = {
    "url_query_token": ("https://api.example.com/v1/events?access_token={}", Draw.mixed),
    "bearer": ("Authorization: Bearer {}", Draw.mixed),
    "splunk_hec_token": ("Authorization: Splunk {}", Draw.uuid),
    "slack_webhook": ("https://hooks.sl" + "ack.com/services/T0AB1CD2E/B0FG3HI4J/{}", lambda d: d.mixed(24)),
    "slack_bot_token": ("xo" + "xb-210987654321-123456789012-{}", lambda d: d.mixed(24)),
    "teams_webhook": ("https://example.webhook.off" + "ice.com/webhookb2/{}", Draw.uuid),
    "teams_workflow": ("https://prod-07.westeurope.lo" + "gic.azure.com:443/workflows/x?sig={}", lambda d: d.mixed(43)),
    "pagerduty_api_token": ("Authorization: Token token={}", lambda d: d.mixed(20)),
    "datadog_api_key": ("DD-API-KEY: {}", Draw.hexadecimal),
    "azure_client_secret": ("client_secret={}", lambda d: f"{d.mixed(3)}8Q~{d.mixed(31)}"),
    "azure_storage_key": ("DefaultEndpointsProtocol=https;AccountKey={}", lambda d: d.base64(64)),
    "azure_sas": ("https://store.example.net/c/b?sv=2024-11-04&sig={}", lambda d: d.mixed(44)),
    "aws_access_key": ("{}", lambda d: "AK" + f"IA{d.upper()}"),
    "aws_secret_key": ("aws_secret_access_key = {}", lambda d: d.base64(30)),
    "google_api_key": ("{}", lambda d: "AI" + f"za{d.mixed(35)}"),
    "github_token": ("{}", lambda d: "gh" + f"p_{d.mixed(36)}"),
    "gitlab_token": ("{}", lambda d: "gl" + f"pat-{d.mixed(20)}"),
    "stripe_key": ("{}", lambda d: "sk" + f"_live_{d.mixed(24)}"),
    "openai_key": ("{}", lambda d: "sk-" + f"proj-{d.mixed(40)}"),
    "vault_token": ("{}", lambda d: "hv" + f"s.{d.mixed(24)}"),
    "pypi_token": ("{}", lambda d: "py" + f"pi-{d.mixed(60)}"),
    "our_api_token": ("{}", lambda d: f"cavra_{d.mixed(43)}"),
    "webhook_signing_secret": ("{}", lambda d: f"whsec_{d.mixed(32)}"),
    "jdbc_password": ("jdbc:sqlserver://10.0.0.5;user=app;password={}", lambda d: d.mixed(18)),
    "cookie": ("Cookie: cavra_session={}", Draw.word),
    "set_cookie": ("Set-Cookie: sid={}; HttpOnly", lambda d: d.mixed(26)),
    "session_id": ("session_id={}", Draw.hexadecimal),
    "password": ("password: {}", lambda d: d.mixed(14)),
    "password_hash": ("$argon2id$v=19$m=65536,t=3,p=4${}", lambda d: d.mixed(43)),
}  # fmt: skip
SHAPED |= {name: _with(form, piece) for name, (form, piece) in _TOKENS.items()}
SHAPED |= {
    "url_userinfo": _two("https://ops:{}@{}.example.com/", lambda d: d.mixed(16), Draw.word),
    "postgres_dsn": _two("postgresql://app:{}@{}.internal:5432/ledger", lambda d: d.mixed(16), Draw.word),
    "redis_dsn": _two("rediss://:{}@{}.internal:6380/0", lambda d: d.mixed(16), Draw.word),
    "basic": _basic,
    "jwt": _jwt,
    "rsa_private_key": lambda draw: _pem(draw, "RSA "),
    "ssh_private_key": lambda draw: _pem(draw, "OPENSSH "),
    "google_service_account": _service_account,
}

_PLAIN_TEXTS: dict[str, tuple[str, Callable[[Draw], str]]] = {
    "url_path_secret": ("https://receiver.example.com/in/{}", Draw.word),
    "private_ipv4": ("{}", lambda d: ".".join(("10", *(str(d.random.randint(100, 254)) for _ in range(3))))),
    "private_ipv6": ("{}", lambda d: str(IPv6Address((0xFD << 120) | d.random.getrandbits(119)))),
    "private_host": ("{}.corp.internal", Draw.word),
    "dns_name": ("_splunk._tcp.{}.example.org", Draw.word),
    "email": ("{}@customers.example.com", Draw.word),
    "licence_key": ("{}", lambda d: "-".join(d.upper(5) for _ in range(5))),
    "pagerduty_integration_key": ("{}", Draw.hexadecimal),
    "customer_payload": ("Invoice 88-{} of the customer Zoë Example, EUR 1.234,56", Draw.word),
    "policy_text": ("Refunds over 500 need two signatures (clause {})", Draw.word),
    "receiver_words": ("The indexer {} is out of disk", Draw.word),
    "certificate_name": ("CN={},O=Receiver of a customer", Draw.word),
    "file_path": ("/srv/customers/{}/ledger.db", Draw.word),
    "sql": ("INSERT INTO customers VALUES ('{}')", Draw.word),
    "iban": ("GB33{}", lambda d: d.of(string.digits, 18)),
    "trace": ("ValueError: bad row {}", Draw.word),
}
PLAIN |= {name: _with(form, piece) for name, (form, piece) in _PLAIN_TEXTS.items()}

KINDS = SHAPED | PLAIN


def draw(kind: str, random: Random) -> Canary:
    """A fresh canary of the kind."""
    text, *parts = KINDS[kind](Draw(random))
    return Canary(kind, text, tuple(parts))
