"""What operators may write: bounded, printable, and nothing that looks like a credential.

A refusal names the rule that struck, never what it saw. Change numbers, ticket ids, digests, UUIDs and links to tickets
pass; bare hexadecimal passes too, since nobody can tell a key from a commit by its looks.
"""

import re
import unicodedata
from itertools import pairwise

from rollback_audit.errors import InvalidInput

_SENSITIVE = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret|token|credential|signature|api[_-]?key|access[_-]?key|account[_-]?key"
    r"|private[_-]?key|signing[_-]?key|encryption[_-]?key|session[_-]?key|session[_-]?id)"
)
# What people write where a secret was: "password: rotated" is a report, not a password.
_HARMLESS = (
    r"(?:\*{3,}|<|\[|x{3,}\b|(?:rotated|redacted|removed|revoked|renewed|expired|masked|none|null|see|was|is|has)\b)"
)

# Each rule's name goes into the refusal; the first that strikes wins.
RULES: dict[str, re.Pattern[str]] = {
    "private_key": re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|PuTTY-User-Key-File|AGE-SECRET-KEY-1", re.I),
    "url_userinfo": re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/?#@]{1,200}@", re.I),
    "url_secret": re.compile(
        rf"[?&#;](?:[\w.-]{{0,40}}{_SENSITIVE}[\w.-]{{0,20}}=[^&\s]|(?:sig|jwt|sas|auth|key|code|sid)=[^&\s]{{16}})",
        re.I,
    ),
    "webhook_address": re.compile(
        r"hooks\.slack(?:-gov)?\.com/|webhook\.office(?:365)?\.com/|discord(?:app)?\.com/api/webhooks/|\blogic\.azure\.com[:/]",
        re.I,
    ),
    "cloud_key": re.compile(
        r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b|\bAIza[\w-]{30,}|\bya29\.[\w-]{10,}|\bGOCSPX-[\w-]{20,}"
        r"|\b[\w~.-]{3}[78]Q~[\w~.-]{30,}|\bdo[opr]_v1_[0-9a-f]{40,}|\bdapi[0-9a-f]{32}"
    ),
    "service_token": re.compile(
        r"\bgh[opsru]_\w{20,}|\bgithub_pat_\w{20,}|\bgl(?:pat|ptt|dt|rt|cbt|soat|ft|imt|agent|oas)-[\w-]{16,}"
        r"|\bglsa_\w{20,}|\bglc_[\w+/=-]{20,}|\bxox[a-z]-[\w-]{10,}|\bxapp-[\w-]{10,}|\b[rs]k_(?:live|test)_\w{10,}"
        r"|\bwhsec_[\w+/=-]{16,}|\bsk-[\w-]{20,}|\bnpm_\w{30,}|\bpypi-[\w-]{40,}|\bdckr_pat_[\w-]{20,}|\bhv[bsr]\.[\w-]{20,}"
        r"|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bAT[AC]TT3[\w=-]{20,}|\blin_api_\w{20,}|\bshp(?:at|ca|pa|ss)_\w{20,}|\bhf_\w{30,}"
        r"|\b\d{8,10}:[\w-]{35}\b|\bcavra_[\w-]{43}"
    ),
    "jwt": re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}"),
    "authorization": re.compile(
        r"\b(?:proxy-)?authorization[\"']?\s*[:=]\s*\S|\b(?:bearer|basic|splunk|digest|negotiate|token|apikey)\s+(?=\S{0,200}\d)"
        r"[\w.~+/=-]{16,}",
        re.I,
    ),
    "cookie": re.compile(r"\b(?:set-)?cookie[\"']?\s*:\s*[^\s=]{1,60}=\S", re.I),
    "password_hash": re.compile(r"\$(?:2[abxy]|5|6|y|7|apr1|argon2(?:id|i|d)|pbkdf2[\w-]*|scrypt)\$", re.I),
    "secret_assignment": re.compile(
        rf"{_SENSITIVE}[\w-]{{0,20}}[\"']?\s{{0,3}}(?:=>|:=|[:=])\s{{0,3}}[\"']?(?!{_HARMLESS})[^\s\"']{{4}}", re.I
    ),
}
RANDOM_TEXT = "random_text"

_RUN = re.compile(r"[A-Za-z0-9+/_-]{20,}")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f-]+")
_LINE_BREAKS = frozenset("\t\n\r")
_HIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Bidirectional overrides make a line read as something it is not.
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def credential_rule(value: str) -> str | None:
    """The rule by which the text looks like a credential; None where none strikes."""
    # Full-width letters and invisible characters would hide one from the patterns and not from its reader.
    plain = "".join(c for c in unicodedata.normalize("NFKC", value) if unicodedata.category(c) != "Cf")
    for name, pattern in RULES.items():
        if pattern.search(plain):
            return name
    return RANDOM_TEXT if any(_is_random(run) for run in _RUN.findall(plain)) else None


def refuse_credentials(field: str, value: str) -> str:
    """The value, unless it looks like a credential: then InvalidInput, with the rule's name."""
    rule = credential_rule(value)
    if rule is not None:
        raise InvalidInput({field: [f"This looks like a credential (rule {rule}). Name where it is kept instead."]})
    return value


def check_text(field: str, value: object, max_length: int, *, required: bool = False, multiline: bool = False) -> str:
    """The text, if operators may write it there; InvalidInput otherwise.

    `max_length` counts characters. A `required` text says something. Tabs and line breaks are for `multiline` fields.
    """
    if not isinstance(value, str):
        raise InvalidInput({field: ["Expected text."]})
    if required and not value.strip():
        raise InvalidInput({field: ["This may not be empty."]})
    if len(value) > max_length:
        raise InvalidInput({field: [f"At most {max_length} characters."]})
    for character in value:
        if multiline and character in _LINE_BREAKS:
            continue
        if unicodedata.category(character) in _HIDDEN or character in _REORDERING:
            raise InvalidInput({field: ["Control characters are not allowed."]})
    return refuse_credentials(field, value)


def _is_random(run: str) -> bool:
    """Whether upper case, lower case and digits change places as often as in random text; names and paths do not."""
    if _HEXADECIMAL.fullmatch(run):
        return False
    classes = [_class(character) for character in run]
    if not {"upper", "lower", "digit"} <= set(classes):
        return False
    changes = sum(a != b and "other" not in {a, b} for a, b in pairwise(classes))
    return changes >= 0.4 * len(run)


def _class(character: str) -> str:
    if character.isdigit():
        return "digit"
    if character.isupper():
        return "upper"
    return "lower" if character.islower() else "other"
