"""What operators may write: bounded, printable, and nothing that looks like a credential.

A refusal names the rule that struck, never what it saw. Change numbers, ticket ids, digests, UUIDs and links to tickets
pass; bare hexadecimal passes too, since nobody can tell a key from a commit by its looks.
"""

import re
import unicodedata
from base64 import urlsafe_b64decode
from itertools import pairwise
from typing import NamedTuple

from rollback_audit.errors import InvalidInput

_SENSITIVE = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|\bpw\b|secret(?!smanager)|token|credential|signature|api[_-]?key|access[_-]?key"
    r"|account[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|session[_-]?key|session[_-]?id"
    r"|(?:client|tls)-key-data|passwort|kennwort|contraseña|senha|wachtwoord|mot de passe|пароль|パスワード|密码|密碼"
    r"|비밀번호)"
)
# What people write where a secret was: "password: rotated" is a report, not a password.
_HARMLESS = (
    r"(?:\*{3,}|<|\[|x{3,}\b|(?:rotated|redacted|removed|revoked|renewed|replaced|expired|changed|reset|masked|missing"
    r"|unknown|invalid|valid|wrong|required|none|null|see|was|is|has|does|not|geändert|abgelaufen|erneuert|ersetzt"
    r"|gesperrt|fehlt|siehe|changée?|expirée?|renouvelée?|voir|cambiada|caducada)(?!\w))"
)
# After a verb a secret has letters and digits, and is no ticket: "the password is hunter2", "the token is in OPS-4711".
_TICKET = r"(?!(?-i:[A-Z]){2,10}[0-9]?-?[0-9]{1,12}\b)"
_WITH_A_DIGIT = r"(?=\S{0,80}\d)(?=\S{0,80}[A-Za-z])"


class Rule(NamedTuple):
    """A pattern, and the words of which a text has at least one (in lower case) wherever the pattern strikes.

    Looking for words first keeps a text of 2,000 characters well under a millisecond.
    """

    pattern: re.Pattern[str]
    hints: tuple[str, ...]


_KEY_WORDS = (
    "pass", "pwd", "pw", "secret", "token", "credential", "signature", "key", "session", "kennwort", "contraseña",
    "senha", "wachtwoord", "пароль", "パスワード", "密码", "密碼", "비밀번호",
)  # fmt: skip

# Each rule's name goes into the refusal; the first that strikes wins.
RULES: dict[str, Rule] = {
    "private_key": Rule(
        re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|PuTTY-User-Key-File|AGE-SECRET-KEY-1", re.I), ("key",)
    ),
    "url_userinfo": Rule(re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/?#@]{1,200}@", re.I), ("://",)),
    "url_secret": Rule(
        re.compile(
            rf"[?&#;](?:[\w.-]{{0,40}}{_SENSITIVE}[\w.-]{{0,20}}=[^&\s]"
            r"|(?:sig|jwt|sas|auth|key|code|sid)=(?=[^&\s]{0,200}[A-Za-z])[^&\s]{16})",
            re.I,
        ),
        ("=",),
    ),
    "webhook_address": Rule(
        re.compile(
            r"hooks\.slack(?:-gov)?\.com/|webhook\.office(?:365)?\.com/|discord(?:app)?\.com/api/webhooks/"
            r"|\blogic\.azure\.com[:/]",
            re.I,
        ),
        ("hook", "logic.azure"),
    ),
    "cloud_key": Rule(
        re.compile(
            r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b|\bAIza[\w-]{30,}|\bya29\.[\w-]{10,}|\bGOCSPX-[\w-]{20,}"
            r"|\b[\w~.-]{3}[78]Q~[\w~.-]{30,}|\bdo[opr]_v1_[0-9a-f]{40,}|\bdapi[0-9a-f]{32}|\bLTAI[A-Za-z0-9]{16,}"
            r"|\bv1\.0-[0-9a-f]{24}-[0-9a-f]{100,}|\b\w{42}\+ACR\w{6}|\bHRKU-[\w-]{30,}"
        ),
        (
            "akia",
            "asia",
            "abia",
            "acca",
            "aiza",
            "ya29.",
            "gocspx-",
            "q~",
            "_v1_",
            "dapi",
            "ltai",
            "v1.0-",
            "+acr",
            "hrku-",
        ),
    ),
    "jwt": Rule(re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}"), ("eyj",)),
    "authorization": Rule(
        re.compile(
            r"\b(?:proxy-)?authorization[\"']?\s*[:=]\s*\S|\b(?:bearer|basic|splunk|digest|negotiate|token|apikey|ssws)"
            r"\s+(?=\S{0,200}\d)[\w.~+/=-]{16,}",
            re.I,
        ),
        ("authorization", "bearer", "basic", "splunk", "digest", "negotiate", "token", "apikey", "ssws"),
    ),
    "cookie": Rule(
        re.compile(r"\b(?:set-)?cookie[\"']?\s*:\s*[^\s=]{1,60}=\S|\b\w{0,20}sess(?:ion)?id=\w{8}", re.I),
        ("cookie", "sessid", "sessionid"),
    ),
    "password_hash": Rule(
        re.compile(
            r"\$(?:2[abxy]|5|6|y|7|apr1|argon2(?:id|i|d)|pbkdf2[\w-]*|scrypt)\$|\bpbkdf2_\w+\$|\{S?SHA\d*\}", re.I
        ),
        ("$", "sha"),
    ),
    "secret_assignment": Rule(
        re.compile(
            # "arn:aws:secretsmanager:...:123456789012:secret:name" says where one is kept.
            rf"(?<!\d:){_SENSITIVE}[\w-]{{0,20}}[\"']?"
            rf"(?:\s{{0,3}}(?:=>|:=|[:=]|value\s?=)\s{{0,3}}[\"']?(?!{_HARMLESS})[^\s\"']{{4}}"
            rf"|\s+(?:is|was|now|ist|war|lautet|est|es)\s*:?\s*[\"']?{_TICKET}{_WITH_A_DIGIT}[\w!@#$%^&*+~-]{{6}})",
            re.I,
        ),
        _KEY_WORDS,
    ),
    "command_line": Rule(
        re.compile(
            r"--(?:[a-z]+-){0,3}(?:password|passwd|token|secret|api-?key)[ =][\"']?(?=\S{0,80}\d)[^\s-]\S{5}"
            r"|\bcurl\b.{0,200}\s(?:-u|--user)[ =]?[\"']?[^\s:]{1,60}:\S{3}|\bsshpass\s+-p\s?\S{4}"
            r"|\bmysql\w{0,10}\b.{0,200}\s-p(?=\S{0,80}\d)\S{4}"
        ),
        ("--", "curl", "sshpass", "mysql"),
    ),
    "licence_key": Rule(
        re.compile(r"\b(?=[A-Z-]{0,28}[0-9])(?=[0-9-]{0,28}[A-Z])[A-Z0-9]{5}(?:-[A-Z0-9]{5}){4}\b"), ("-",)
    ),
}

# By the mark that its maker gives it, from the makers' documentation.
SERVICE_TOKEN = "service_token"  # noqa: S105 - the rule's name
_SERVICE_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"gh[oprsu]_\w{20,}|github_pat_\w{20,}|gl(?:pat|ptt|dt|rt|cbt|soat|ft|imt|agent|oas)-[\w-]{16,}"
    r"|glsa_\w{20,}|glc_[\w+/=-]{20,}|xox[a-z]-[\w-]{10,}|xapp-[\w-]{10,}|[rs]k_(?:live|test)_\w{10,}"
    r"|whsec_[\w+/=-]{16,}|sk-[\w-]{0,12}(?=[\w-]{0,200}\d)[\w-]{20,}|npm_\w{30,}|pypi-(?=[\w-]{0,200}\d)[\w-]{40,}"
    r"|dckr_[op]at_[\w-]{20,}|hv[bsr]\.[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|AT[AC]TT3[\w=-]{20,}|ATBB\w{20,}"
    r"|lin_(?:api|oauth)_\w{20,}|shp(?:at|ca|pa|ss)_\w{20,}|hf_\w{30,}|\d{8,10}:[\w-]{35}(?![\w-])|cavra_[\w-]{43}"
    r"|s\.(?=\w{0,24}\d)\w{24}\b|\w{14}\.atlasv1\.\w{20,}|p8e-[\w-]{20,}|pat\w{14}\.[0-9a-f]{64}|pat-[a-z]{2}\d-[0-9a-f-]{36}"
    r"|AKCp\w{20,}|bk[a-z]{2}_[0-9a-f]{40}|CCI(?:PAT|PRJ)_\w{20,}|CLOJARS_\w{40,}|CFPAT-[\w-]{30,}|cio\w{32}\b"
    r"|[MNO][A-Za-z0-9]{20,}\.[\w-]{6}\.[\w-]{27,}|dp\.[a-z]{2,5}\.\w{30,}|duffel_(?:live|test)_[\w-]{20,}"
    r"|dt0[a-z]\d\d\.\w{24}\.\w{40,}|EZ[AT]K\w{40,}|EAA(?=[\w-]{0,60}[g-z])[\w-]{50,}|sq0[a-z]{3}-[\w-]{20,}|figd_[\w-]{20,}"
    r"|FLWSECK(?:_TEST)?-\w{12,}|fo1_[\w-]{30,}|fm[12]_[\w+/=-]{30,}|fio-u-[\w-]{40,}|gsk_\w{40,}|ico-\w{32}\b"
    r"|[0-9a-f]{32}-us\d{1,2}\b|key-[0-9a-f]{32}\b|[ps]k\.eyJ[\w-]{20,}|nfp_\w{30,}|NR(?:AK|JS|II|SP|BR)-\w{16,}"
    r"|ntn_\w{40,}|oy2[a-z2-7]{43}\b|pplx-\w{40,}|pscale_[a-z]{2,5}_[\w.-]{20,}|PMAK-[0-9a-f]{24}-[0-9a-f]{20,}"
    r"|pnu_\w{30,}|pul-[0-9a-f]{40}\b|rdme_\w{40,}|r8_\w{30,}|rubygems_[0-9a-f]{40,}|tk-us-[\w-]{40,}"
    r"|x(?:key|smtp)sib-[0-9a-f]{40,}|sntry[a-z]_[\w+/=-]{40,}|shippo_(?:live|test)_[0-9a-f]{30,}"
    r"|sq[apu]_[0-9a-f]{40}|sbp_[0-9a-f]{40}|SK[0-9a-f]{32}\b|xai-\w{60,}|ops_eyJ[\w-]{40,})"
)
# No token is shorter than this, so ordinary words need not be tried.
_LONG_WORD = re.compile(r"[\w.:+/=~-]{16,}")
RANDOM_TEXT = "random_text"
REFUSAL = "This looks like a credential (rule {rule}). Name where it is kept instead."
# No field takes more, so nobody has to look further. Console and API look before they count.
MOST_CHECKED = 4000

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
    lowered = plain.lower()
    for name, (pattern, hints) in RULES.items():
        if any(hint in lowered for hint in hints) and pattern.search(plain):
            return name
    if any(_SERVICE_TOKEN.search(word) for word in _LONG_WORD.findall(plain)):
        return SERVICE_TOKEN
    runs = _RUN.findall(plain)
    if any(_is_random(run) for run in runs):
        return RANDOM_TEXT
    return next((rule for run in runs if (rule := credential_rule(_out_of_base64(run)))), None)


def refuse_credentials(field: str, value: str) -> str:
    """The value, unless it looks like a credential: then InvalidInput, with the rule's name."""
    rule = credential_rule(value)
    if rule is not None:
        raise InvalidInput({field: [REFUSAL.format(rule=rule)]})
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


def _out_of_base64(run: str) -> str:
    """The printable text that the run encodes; empty where it encodes none."""
    padded = run + "=" * (-len(run) % 4)
    try:
        text = urlsafe_b64decode(padded.replace("+", "-").replace("/", "_")).decode("ascii")
    except ValueError:
        return ""
    return text if text.isprintable() else ""


def _class(character: str) -> str:
    if character.isdigit():
        return "digit"
    if character.isupper():
        return "upper"
    return "lower" if character.islower() else "other"
