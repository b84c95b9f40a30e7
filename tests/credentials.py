"""Credentials of many kinds, made anew in each run from their published formats. None was ever given out.

Prefixes are put together from halves, so that no scanner takes this file for a leak.
"""

# ruff: noqa: E501, RUF001

import base64
import json
import random
import string
import uuid
import zlib
from collections.abc import Callable

LOWER = string.ascii_lowercase + string.digits
LETTERS = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits
HEXADECIMAL = "0123456789abcdef"
URL_SAFE = LETTERS + "-_"
BASE32 = string.ascii_uppercase + "234567"
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase

Maker = Callable[[random.Random], str]


def some(draw: random.Random, alphabet: str, length: int) -> str:
    """Random text with at least a letter and a digit in it, as keys of any length have."""
    made = draw.choices(alphabet, k=length)
    made[length // 2] = draw.choice(string.digits if "9" in alphabet else "234567")
    made[length // 3] = draw.choice([sign for sign in alphabet if sign.isalpha()])
    return "".join(made)


def after(prefix: str, alphabet: str, length: int, suffix: str = "") -> Maker:
    """A fixed prefix, and so many random characters."""
    return lambda draw: prefix + some(draw, alphabet, length) + suffix


def checked(prefix: str, length: int) -> Maker:
    """A prefix, random characters and the checksum in base 62 that GitHub and npm end their tokens with."""

    def make(draw: random.Random) -> str:
        body = some(draw, LETTERS, length)
        rest, digits = zlib.crc32(body.encode()), ""
        while len(digits) < 6:
            rest, digit = divmod(rest, 62)
            digits = _BASE62[digit] + digits
        return prefix + body + digits

    return make


def hexadecimal(draw: random.Random, length: int) -> str:
    return some(draw, HEXADECIMAL, length)


def encoded(draw: random.Random, size: int) -> str:
    return base64.b64encode(draw.randbytes(size)).decode()


def pem(label: str) -> Maker:
    def make(draw: random.Random) -> str:
        body = encoded(draw, 300)
        lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
        return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----"

    return make


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def jwt(draw: random.Random) -> str:
    signature = base64.urlsafe_b64encode(draw.randbytes(32)).decode().rstrip("=")
    claims = {"sub": some(draw, LETTERS, 10), "iat": draw.randrange(10**9)}
    return f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}.{signature}"


def _word(draw: random.Random) -> str:
    """What people take for a password."""
    return draw.choice(["Sommer", "hunter", "Paris", "tiger", "Falcon"]) + str(draw.randrange(10, 9999)) + "!"


def _uuid(draw: random.Random) -> str:
    return str(uuid.UUID(int=draw.getrandbits(128), version=4))


# Tokens that carry their own mark: found wherever they stand.
TOKENS: dict[str, Maker] = {
    "adobe client secret": after("p8" + "e-", URL_SAFE, 32),
    "age key": after("AGE-SECRET" + "-KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    "airtable token": lambda draw: f"{'pa' + 't'}{some(draw, LETTERS, 14)}.{hexadecimal(draw, 64)}",
    "alibaba key id": after("LT" + "AI5t", LETTERS, 20),
    "anthropic key": after("sk-" + "ant-api03-", URL_SAFE, 93, "AA"),
    "artifactory key": after("AKC" + "p8", LETTERS, 68),
    "atlassian token": lambda draw: "AT" + "ATT3xFfGF0" + some(draw, URL_SAFE, 172) + "=" + hexadecimal(draw, 8).upper(),
    "aws key id": after("AK" + "IA", BASE32, 16),
    "aws session key id": after("AS" + "IA", BASE32, 16),
    "azure client secret": lambda draw: f"{some(draw, LETTERS, 3)}8{'Q~'}{some(draw, URL_SAFE, 34)}",
    "azure container registry": lambda draw: some(draw, LETTERS, 42) + "+AC" + "R" + some(draw, BASE32, 6),
    "bitbucket app password": after("AT" + "BB", LETTERS, 32),
    "buildkite token": after("bk" + "ua_", HEXADECIMAL, 40),
    "circleci token": lambda draw: f"{'CCI' + 'PAT'}_{some(draw, LETTERS, 22)}_{hexadecimal(draw, 40)}",
    "clojars token": after("CLO" + "JARS_", LOWER, 60),
    "cloudflare origin key": lambda draw: f"v1.0-{hexadecimal(draw, 24)}-{hexadecimal(draw, 146)}",
    "contentful token": after("CFP" + "AT-", URL_SAFE, 43),
    "cavra token": after("ca" + "vra_", URL_SAFE, 43),
    "crates token": after("ci" + "o", LETTERS, 32),
    "databricks token": after("da" + "pi", HEXADECIMAL, 32),
    "digitalocean token": after("do" + "p_v1_", HEXADECIMAL, 64),
    "discord bot token": lambda draw: f"MT{some(draw, LETTERS, 22)}.{some(draw, LETTERS, 6)}.{some(draw, URL_SAFE, 38)}",
    "docker token": after("dckr" + "_pat_", URL_SAFE, 27),
    "doppler token": after("dp." + "pt.", LETTERS, 43),
    "duffel token": after("duffel" + "_live_", URL_SAFE, 43),
    "dynatrace token": lambda draw: f"{'dt0' + 'c01'}.{some(draw, BASE32, 24)}.{some(draw, BASE32, 64)}",
    "easypost key": after("EZ" + "AK", LETTERS, 54),
    "facebook token": after("EAA" + "CEdEose0cBA", LETTERS, 120),
    "figma token": lambda draw: f"{'fi' + 'gd'}_{some(draw, URL_SAFE, 40)}",
    "flutterwave key": after("FLW" + "SECK-", HEXADECIMAL, 32, "-X"),
    "fly token": after("fo" + "1_", URL_SAFE, 43),
    "frameio token": after("fi" + "o-u-", URL_SAFE, 64),
    "github app token": checked("gh" + "s_", 30),
    "github fine-grained token": lambda draw: f"{'github' + '_pat'}_{some(draw, LETTERS, 22)}_{some(draw, LETTERS, 59)}",
    "github oauth token": checked("gh" + "o_", 30),
    "github token": checked("gh" + "p_", 30),
    "gitlab deploy token": after("gl" + "dt-", LETTERS, 20),
    "gitlab runner token": after("gl" + "rt-", LETTERS, 20),
    "gitlab token": after("gl" + "pat-", LETTERS, 20),
    "google api key": after("AI" + "za", URL_SAFE, 35),
    "google client secret": after("GOC" + "SPX-", URL_SAFE, 28),
    "google oauth token": after("ya" + "29.a0A", URL_SAFE, 140),
    "grafana cloud token": lambda draw: "gl" + "c_" + base64.b64encode(
        json.dumps({"o": "1", "n": "agent", "k": some(draw, LETTERS, 24)}).encode()
    ).decode(),
    "grafana service token": lambda draw: f"{'gl' + 'sa'}_{some(draw, LETTERS, 32)}_{hexadecimal(draw, 8)}",
    "groq key": after("gs" + "k_", LETTERS, 52),
    "heroku key": after("HRKU" + "-AA", URL_SAFE, 58),
    "hubspot token": lambda draw: f"{'pat-' + 'na1'}-{_uuid(draw)}",
    "hugging face token": after("h" + "f_", string.ascii_letters, 34),
    "infracost key": after("ic" + "o-", LETTERS, 32),
    "linear key": after("lin" + "_api_", LETTERS, 40),
    "mailchimp key": lambda draw: f"{hexadecimal(draw, 32)}-us{draw.randrange(1, 20)}",
    "mailgun key": after("key" + "-", HEXADECIMAL, 32),
    "mapbox token": lambda draw: f"{'sk' + '.ey'}{'J1Ijoi'}{some(draw, LETTERS, 60)}.{some(draw, LETTERS, 22)}",
    "netlify token": after("nf" + "p_", LETTERS, 40),
    "new relic key": after("NR" + "AK-", UPPER, 27),
    "notion token": lambda draw: f"{'nt' + 'n_'}{draw.randrange(10**10, 10**11)}{some(draw, LETTERS, 35)}",
    "npm token": checked("np" + "m_", 30),
    "nuget key": after("oy" + "2", string.ascii_lowercase + "234567", 43),
    "openai key": lambda draw: f"{'sk-' + 'proj'}-{some(draw, URL_SAFE, 74)}{'T3Blbk' + 'FJ'}{some(draw, URL_SAFE, 74)}",
    "perplexity key": after("pp" + "lx-", LETTERS, 48),
    "pgp private key": pem("PGP PRIV" + "ATE KEY BLOCK"),
    "planetscale password": after("ps" + "cale_pw_", URL_SAFE, 43),
    "planetscale token": after("ps" + "cale_tkn_", URL_SAFE, 43),
    "postman key": lambda draw: f"{'PM' + 'AK'}-{hexadecimal(draw, 24)}-{hexadecimal(draw, 34)}",
    "prefect key": after("pn" + "u_", LOWER, 36),
    "private key": pem("PRIV" + "ATE KEY"),
    "pulumi token": after("pu" + "l-", HEXADECIMAL, 40),
    "putty key": lambda draw: "PuTTY-User-Key" + f"-File-3: ssh-ed25519 {encoded(draw, 30)}",
    "pypi token": after("py" + "pi-AgEIcHlwaS5vcmc", URL_SAFE, 120),
    "readme key": after("rd" + "me_", LOWER, 70),
    "replicate token": after("r8" + "_", LETTERS, 37),
    "rsa key": pem("RSA PRIV" + "ATE KEY"),
    "rubygems key": after("ruby" + "gems_", HEXADECIMAL, 48),
    "scalingo token": after("tk" + "-us-", URL_SAFE, 48),
    "sendgrid key": lambda draw: f"{'S' + 'G'}.{some(draw, URL_SAFE, 22)}.{some(draw, URL_SAFE, 43)}",
    "sendinblue key": lambda draw: f"{'xkey' + 'sib'}-{hexadecimal(draw, 64)}-{some(draw, LETTERS, 16)}",
    "sentry token": lambda draw: f"{'snt' + 'ryu'}_{hexadecimal(draw, 64)}",
    "shippo token": after("shippo" + "_live_", HEXADECIMAL, 40),
    "shopify token": after("sh" + "pat_", HEXADECIMAL, 32),
    "slack app token": lambda draw: f"{'xa' + 'pp'}-1-A{some(draw, UPPER, 10)}-{draw.randrange(10**12)}-{hexadecimal(draw, 64)}",
    "slack bot token": lambda draw: f"{'xo' + 'xb'}-{draw.randrange(10**11, 10**12)}-{draw.randrange(10**12, 10**13)}-{some(draw, LETTERS, 24)}",
    "slack user token": lambda draw: f"{'xo' + 'xp'}-{draw.randrange(10**11, 10**12)}-{draw.randrange(10**11, 10**12)}-{draw.randrange(10**11, 10**12)}-{hexadecimal(draw, 32)}",
    "sonarqube token": after("sq" + "p_", HEXADECIMAL, 40),
    "square token": after("EAAA" + "E", URL_SAFE, 59),
    "ssh key": pem("OPENSSH PRIV" + "ATE KEY"),
    "stripe key": after("sk_" + "live_", LETTERS, 24),
    "stripe restricted key": after("rk_" + "live_", LETTERS, 24),
    "stripe webhook key": after("wh" + "sec_", LETTERS, 32),
    "supabase token": after("sb" + "p_", HEXADECIMAL, 40),
    "telegram token": lambda draw: f"{draw.randrange(10**9, 10**10)}:AA{some(draw, URL_SAFE, 33)}",
    "terraform token": lambda draw: f"{some(draw, LETTERS, 14)}.{'atlas' + 'v1'}.{some(draw, LETTERS, 67)}",
    "twilio key": after("S" + "K", HEXADECIMAL, 32),
    "vault token": after("hv" + "s.CAESI", URL_SAFE, 88),
    "xai key": after("xa" + "i-", LETTERS, 80),
    "jwt": jwt,
    "1password token": lambda draw: "op" + "s_" + _part({"email": "x", "secretKey": some(draw, LETTERS, 200)}),
}  # fmt: skip

# What gives itself away by what stands beside it.
PHRASES: dict[str, Maker] = {
    "an assigned password": lambda draw: f"password: {_word(draw)}",
    "an assignment in a script": lambda draw: f"export DB_PASSWORD='{_word(draw)}'",
    "an assignment in json": lambda draw: json.dumps({"client_" + "secret": some(draw, LETTERS, 20)}),
    "an assignment in xml": lambda draw: f'<add key="password" value="{_word(draw)}"/>',
    "an assignment in yaml": lambda draw: f"apiKey: {hexadecimal(draw, 32)}",
    "a said password": lambda draw: f"the password is {_word(draw)}",
    "a said password in German": lambda draw: f"das Passwort lautet {_word(draw)}",
    "a password in German": lambda draw: f"Kennwort: {_word(draw)}",
    "a password in French": lambda draw: f"mot de passe : {_word(draw)}",
    "a password in Spanish": lambda draw: f"contraseña: {_word(draw)}",
    "a password in Japanese": lambda draw: f"パスワード：{_word(draw)}",
    "a password for short": lambda draw: f"user: ops pw: {_word(draw)}",
    "a password on a command line": lambda draw: f"cavra-cli login --user ops --password {_word(draw)}",
    "a password for curl": lambda draw: f"curl -u ops:{_word(draw)} the receiver",
    "a password for mysql": lambda draw: f"mysql -h db -u ops -p{_word(draw)}",
    "a password for sshpass": lambda draw: f"sshpass -p {_word(draw)} ssh ops",
    "aws secret key": lambda draw: f"aws_secret_access_key = {some(draw, LETTERS + '/+', 40)}",
    "azure account key": lambda draw: f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={encoded(draw, 64)}",
    "azure bus key": lambda draw: f"SharedAccessKeyName=root;SharedAccessKey={encoded(draw, 32)}",
    "azure sas": lambda draw: f"https://a.blob.core.windows.net/c?sv=2024-11-04&sig={encoded(draw, 32)[:-1]}%3D",
    "basic authorization": lambda draw: f"Authorization: Basic {encoded(draw, 18)}",
    "basic without its header": lambda draw: f"use basic {base64.b64encode(f'ops:{_word(draw)}'.encode()).decode()}",
    "bearer authorization": lambda draw: f"Authorization: Bearer {some(draw, LETTERS, 30)}",
    "bearer without its header": lambda draw: f"bearer {some(draw, LETTERS, 30)}",
    "cookie": lambda draw: f"Cookie: sessionid={some(draw, LOWER, 32)}",
    "set-cookie": lambda draw: f"Set-Cookie: sid={some(draw, LOWER, 32)}; HttpOnly",
    "session cookie": lambda draw: f"JSESSIONID={some(draw, UPPER, 32)}",
    "datadog key": lambda draw: f"DD-API-KEY: {hexadecimal(draw, 32)}",
    "splunk authorization": lambda draw: f"Splunk {_uuid(draw)}",
    "splunk token": lambda draw: f"hec token: {_uuid(draw)}",
    "pagerduty authorization": lambda draw: f"Token token={some(draw, LETTERS, 20)}",
    "okta authorization": lambda draw: f"SSWS 00{some(draw, URL_SAFE, 40)}",
    "github authorization": lambda draw: f"Authorization: token {hexadecimal(draw, 40)}",
    "header of an api": lambda draw: f"X-Api-Key: {some(draw, LETTERS, 24)}",
    "header of a token": lambda draw: f"X-Vault-Token: s.{some(draw, LETTERS, 24)}",
    "postgres address": lambda draw: f"postgresql://cavra:{some(draw, LETTERS, 12)}@db.example.org:5432/evidence",
    "mysql address": lambda draw: f"mysql://root:{_word(draw)}@127.0.0.1/evidence",
    "mongo address": lambda draw: f"mongodb+srv://ops:{some(draw, LETTERS, 12)}@cluster0.example.net/",
    "redis address": lambda draw: f"redis://:{some(draw, LETTERS, 12)}@cache.example.org:6379/0",
    "amqp address": lambda draw: f"amqps://guest:{some(draw, LETTERS, 12)}@mq.example.org",
    "jdbc address": lambda draw: f"jdbc:sqlserver://db.example.org;user=ops;password={_word(draw)}",
    "odbc words": lambda draw: f"Server=db;Uid=ops;Pwd={_word(draw)};",
    "sentry address": lambda draw: f"https://{hexadecimal(draw, 32)}@o1.ingest.example.org/42",
    "ticket address with a user": lambda draw: f"https://ops:{_word(draw)}@tickets.example.org/browse/CHG-1",
    "address with a token": lambda draw: f"https://api.example.org/v1/tickets?access_token={some(draw, LETTERS, 24)}",
    "address with a short key": lambda draw: f"https://api.example.org/v1?key={some(draw, LETTERS, 24)}",
    "address signed for amazon": lambda draw: f"https://b.s3.amazonaws.com/o?X-Amz-Signature={hexadecimal(draw, 64)}",
    "address signed for google": lambda draw: f"https://storage.googleapis.com/b/o?X-Goog-Signature={hexadecimal(draw, 64)}",
    "address of one use": lambda draw: f"https://id.example.org/reset-password?token={hexadecimal(draw, 40)}",
    "otp seed": lambda draw: f"otpauth://totp/cavra:ops?secret={some(draw, BASE32, 32)}&issuer=cavra",
    "slack webhook": lambda draw: f"https://hooks.sl{'ack'}.com/services/T{some(draw, UPPER, 10)}/B{some(draw, UPPER, 10)}/{some(draw, LETTERS, 24)}",
    "slack workflow": lambda draw: f"https://hooks.sl{'ack'}.com/triggers/T{some(draw, UPPER, 10)}/{draw.randrange(10**12)}/{hexadecimal(draw, 32)}",
    "teams webhook": lambda draw: f"https://x.webhook.off{'ice'}.com/webhookb2/{_uuid(draw)}@{_uuid(draw)}/IncomingWebhook/{hexadecimal(draw, 32)}/{_uuid(draw)}",
    "teams workflow": lambda draw: f"https://prod-1.westeurope.logic.azu{'re'}.com:443/workflows/{hexadecimal(draw, 32)}/triggers/manual/paths/invoke",
    "discord webhook": lambda draw: f"https://disc{'ord'}.com/api/webhooks/{draw.randrange(10**17, 10**18)}/{some(draw, URL_SAFE, 68)}",
    "google chat webhook": lambda draw: f"https://chat.googleapis.com/v1/spaces/AAA/messages?key={after('AI' + 'za', URL_SAFE, 35)(draw)}&token={some(draw, URL_SAFE, 43)}",
    "bcrypt": lambda draw: f"$2b$12${some(draw, LETTERS + './', 53)}",
    "argon2": lambda draw: f"$argon2id$v=19$m=65536,t=3,p=4${some(draw, LETTERS, 22)}${some(draw, LETTERS, 43)}",
    "sha512crypt": lambda draw: f"$6${some(draw, LETTERS, 16)}${some(draw, LETTERS + './', 86)}",
    "django password": lambda draw: f"pbkdf2_sha256$1000000${some(draw, LETTERS, 22)}${encoded(draw, 32)}",
    "ldap password": lambda draw: f"{{SSHA}}{encoded(draw, 28)}",
    "licence key": lambda draw: "-".join(some(draw, UPPER, 5) for _ in range(5)),
    "wireguard key": lambda draw: f"PrivateKey = {encoded(draw, 32)}",
    "kubeconfig key": lambda draw: f"client-key-data: {encoded(draw, 120)}",
    "signing key": lambda draw: f"signing_key={hexadecimal(draw, 64)}",
    "a full-width password": lambda draw: f"\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44: {_word(draw)}",
    "a password with a hidden space": lambda draw: f"pass\u200bword: {_word(draw)}",
}  # fmt: skip

# How a token comes into a text: alone, in a sentence, quoted, in an address.
_AROUND = ("{}", "Receiver wants {} since Monday.", '("{}")', "https://tickets.example.org/browse/CHG-1?note={}")


def corpus(draw: random.Random) -> list[tuple[str, str]]:
    """Kind and text: each phrase twice, each token in every surrounding."""
    made = [(kind, make(draw)) for kind, make in PHRASES.items() for _ in range(2)]
    made += [(kind, around.format(make(draw))) for kind, make in TOKENS.items() for around in _AROUND]
    return made
