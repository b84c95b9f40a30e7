"""What operators really write: references, digests, addresses of tickets, sentences. None of it may be refused."""

# ruff: noqa: E501, RUF001

import base64
import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.credentials import HEXADECIMAL, LOWER, UPPER

Maker = Callable[[random.Random], str]


def _digits(draw: random.Random, length: int) -> str:
    return "".join(draw.choices("0123456789", k=length))


def _hexadecimal(draw: random.Random, length: int) -> str:
    return "".join(draw.choices(HEXADECIMAL, k=length))


def _uuid(draw: random.Random) -> str:
    return str(uuid.UUID(int=draw.getrandbits(128), version=4))


def _moment(draw: random.Random) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=draw.randrange(10**8))


def _from(alphabet: str, length: int) -> Maker:
    return lambda draw: "".join(draw.choices(alphabet, k=length))


def _one_of(*texts: str) -> Maker:
    return lambda draw: draw.choice(texts)


_JIRA = _one_of("OPS", "SEC", "PAY", "CHG", "INFRA", "SRE2", "PLATFORM")
_TEAM = _one_of("payments-oncall", "platform-owner", "risk.emea", "soc_analyst", "Zahlungsverkehr")
_SYS_ID = _from(HEXADECIMAL, 32)

# References by their form; each run draws new ones.
REFERENCES: dict[str, Maker] = {
    "change": lambda draw: f"CHG{_digits(draw, 7)}",
    "change with a year": lambda draw: f"CHG-2026-{_digits(draw, 6)}",
    "incident": lambda draw: f"INC{_digits(draw, 7)}",
    "problem, task and request": lambda draw: f"PRB{_digits(draw, 7)} CTASK{_digits(draw, 7)} RITM{_digits(draw, 7)}",
    "jira key": lambda draw: f"{_JIRA(draw)}-{draw.randrange(1, 99999)}",
    "several jira keys": lambda draw: f"{_JIRA(draw)}-{draw.randrange(1, 99999)}, {_JIRA(draw)}-{draw.randrange(1, 9)}",
    "jira address": lambda draw: f"https://acme.atlassian.net/browse/{_JIRA(draw)}-{draw.randrange(1, 99999)}",
    "jira comment address": lambda draw: (
        f"https://acme.atlassian.net/browse/OPS-12?focusedCommentId={_digits(draw, 6)}&page=com.atlassian.jira"
    ),
    "jira search": lambda draw: f"https://acme.atlassian.net/issues/?jql=key%20%3D%20OPS-{_digits(draw, 4)}&page=2",
    "confluence address": lambda draw: f"https://acme.atlassian.net/wiki/spaces/OPS/pages/{_digits(draw, 10)}/Rollback+Runbook",
    "confluence short address": lambda draw: f"https://acme.atlassian.net/wiki/x/{_from(LOWER, 6)(draw)}",
    "servicenow address": lambda draw: (
        f"https://acme.service-now.com/nav_to.do?uri=incident.do?sys_id={_SYS_ID(draw)}"
    ),
    "servicenow encoded address": lambda draw: (
        f"https://acme.service-now.com/nav_to.do?uri=%2Fchange_request.do%3Fsys_id%3D{_SYS_ID(draw)}"
    ),
    "servicenow workspace": lambda draw: (
        f"https://acme.service-now.com/now/sow/record/incident/{_SYS_ID(draw)}/params/selected-tab-index/1"
    ),
    "github issue": lambda draw: f"https://github.com/acme/payments-rollback/issues/{draw.randrange(1, 9999)}#issuecomment-{_digits(draw, 10)}",
    "github commit": lambda draw: f"https://github.com/acme/payments/commit/{_hexadecimal(draw, 40)}",
    "github run": lambda draw: f"https://github.com/acme/payments/actions/runs/{_digits(draw, 11)}/job/{_digits(draw, 11)}",
    "github file": lambda draw: f"https://github.com/acme/payments/blob/{_hexadecimal(draw, 40)}/deploy/rollback.py#L12-L40",
    "github comparison": lambda draw: f"https://github.com/acme/payments/compare/{_hexadecimal(draw, 12)}...{_hexadecimal(draw, 12)}",
    "gitlab pipeline": lambda draw: f"https://gitlab.example.org/acme/payments/-/pipelines/{_digits(draw, 9)}",
    "gitlab merge request": lambda draw: f"https://gitlab.example.org/acme/payments/-/merge_requests/{_digits(draw, 4)}#note_{_digits(draw, 9)}",
    "zendesk address": lambda draw: f"https://acme.zendesk.com/agent/tickets/{_digits(draw, 6)}",
    "pagerduty address": lambda draw: f"https://acme.pagerduty.com/incidents/Q{_from(UPPER, 13)(draw)}",
    "pagerduty service": lambda draw: f"https://acme.pagerduty.com/service-directory/P{_from(UPPER, 6)(draw)}",
    "opsgenie address": lambda draw: f"https://acme.app.opsgenie.com/alert/detail/{_uuid(draw)}-{_digits(draw, 13)}/details",
    "azure work item": lambda draw: f"https://dev.azure.com/acme/payments/_workitems/edit/{_digits(draw, 5)}",
    "azure build": lambda draw: f"https://dev.azure.com/acme/payments/_build/results?buildId={_digits(draw, 6)}&view=results",
    "slack message": lambda draw: f"https://acme.slack.com/archives/C0{_from(UPPER, 9)(draw)}/p{_digits(draw, 16)}",
    "grafana address": lambda draw: f"https://grafana.example.org/d/{_from(LOWER, 14)(draw)}/receivers?from={_digits(draw, 13)}&to=now",
    "splunk search": lambda draw: f"https://splunk.example.org/app/search?sid=1{_digits(draw, 9)}.{_digits(draw, 5)}",
    "sentry issue": lambda draw: f"https://acme.sentry.io/issues/{_digits(draw, 10)}/?project={_digits(draw, 7)}",
    "statuspage address": lambda draw: f"https://status.example.org/incidents/{_from(LOWER, 12)(draw)}",
    "linear issue": lambda draw: f"https://linear.app/acme/issue/OPS-{_digits(draw, 3)}/receiver-answers-503-after-rollback",
    "teams message": lambda draw: f"https://teams.microsoft.com/l/message/19:{_hexadecimal(draw, 32)}@thread.tacv2/{_digits(draw, 13)}",
    "freshservice address": lambda draw: f"https://acme.freshservice.com/a/changes/{_digits(draw, 4)}?tab=details",
    "ticket with a key": lambda draw: f"https://tickets.example.org/view?key=OPS-{_digits(draw, 4)}&code=503",
    "commit": lambda draw: f"rolled back to commit {_hexadecimal(draw, 40)}",
    "short commit": lambda draw: f"main@{_hexadecimal(draw, 8)}",
    "sha256 digest": lambda draw: f"sha256:{_hexadecimal(draw, 64)}",
    "image with digest": lambda draw: f"registry.example.org/acme/payments@sha256:{_hexadecimal(draw, 64)}",
    "image with tag": lambda draw: f"registry.example.org/acme/payments:2026.11.{draw.randrange(30)}-{_hexadecimal(draw, 7)}",
    "md5 digest": lambda draw: f"md5 {_hexadecimal(draw, 32).upper()}",
    "several digests": lambda draw: f"plan {_hexadecimal(draw, 64)} decision {_hexadecimal(draw, 64)}",
    "uuid": _uuid,
    "uuid in a sentence": lambda draw: f"Trace {_uuid(draw)} shows the refusal.",
    "uuid in capitals": lambda draw: f"correlation id {_uuid(draw).upper()}",
    "trace parent": lambda draw: f"00-{_hexadecimal(draw, 32)}-{_hexadecimal(draw, 16)}-01",
    "ulid": lambda draw: "01" + _from("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24)(draw),
    "delivery id": lambda draw: f"gordackdelivery-{_hexadecimal(draw, 16)}",
    "audit id": lambda draw: f"gordackaudit-{_hexadecimal(draw, 16)}",
    "run id": lambda draw: f"gordackworker-{_hexadecimal(draw, 16)} and gordackretry-{_hexadecimal(draw, 16)}",
    "execution id": lambda draw: f"gordackretryexec-{_hexadecimal(draw, 16)}",
    "moment": lambda draw: f"since {_moment(draw).isoformat()}",
    "moment in a sentence": lambda draw: f"Down from {_moment(draw):%d.%m.%Y %H:%M} to {_moment(draw):%H:%M} UTC",
    "basic moment": lambda draw: f"{_moment(draw):%Y%m%dT%H%M%SZ}",
    "phone": lambda draw: f"+49 30 {_digits(draw, 8)}",
    "address and port": lambda draw: f"10.20.{draw.randrange(255)}.{draw.randrange(255)}:8088 answers 503",
    "mac address": lambda draw: ":".join(_hexadecimal(draw, 2) for _ in range(6)),
    "version": lambda draw: f"payments 2.{draw.randrange(99)}.{draw.randrange(99)}-rc.{draw.randrange(9)}+build.{_hexadecimal(draw, 7)}",
    "build number": lambda draw: f"build-2026{_digits(draw, 4)}.{draw.randrange(99)}-{_hexadecimal(draw, 12)}",
    "jenkins build": lambda draw: f"jenkins-payments-rollback-master-{_digits(draw, 4)}",
    "base64 build id": lambda draw: f"build {base64.urlsafe_b64encode(draw.randbytes(9)).decode()}",
    "base64 digest of four bytes": lambda draw: f"etag {base64.b64encode(draw.randbytes(8)).decode()}",
    "subresource digest": lambda draw: f"bundle sha1 {_hexadecimal(draw, 40).upper()}",
    "kubernetes pod": lambda draw: f"payments-api-{_from('bcdfghjklmnpqrstvwxz2456789', 10)(draw)}-{_from('bcdfghjklmnpqrstvwxz2456789', 5)(draw)}",
    "instance": lambda draw: f"i-0{_hexadecimal(draw, 16)} in eu-central-1a",
    "arn": lambda draw: f"arn:aws:sqs:eu-central-1:{_digits(draw, 12)}:audit-dead-letters",
    "arn of a secret": lambda draw: f"kept in arn:aws:secretsmanager:eu-central-1:{_digits(draw, 12)}:secret:splunk-hec-{_from(LOWER, 6)(draw)}",
    "request id": lambda draw: f"x-request-id {_hexadecimal(draw, 32)}",
    "cloud request id": lambda draw: f"RequestId: {_from(UPPER, 16)(draw)}",
    "serial number": lambda draw: f"certificate serial {':'.join(_hexadecimal(draw, 2) for _ in range(16))}",
    "iban-like number": lambda draw: f"cost centre DE{_digits(draw, 8)}",
    "team": lambda draw: f"{_TEAM(draw)} and {_TEAM(draw)}",
}  # fmt: skip

SENTENCES = (
    "",
    "-",
    "n/a",
    "ok",
    "Done.",
    "Recovered.",
    "Receiver recovered after INC0012345; the change was rolled back by payments-oncall.",
    "The token was rotated by the vault team.",
    "The HEC token had expired; a new one is in the vault.",
    "Token expired, renewed by platform.",
    "token: expired",
    "token: rotated on Monday",
    "password: rotated on Monday",
    "Password: changed",
    "password was reset yesterday",
    "The password is stored in the vault.",
    "The password is managed by the platform team.",
    "The secret is missing in production.",
    "The token is valid until Friday.",
    "The token is read from CAVRA_SPLUNK_TOKEN_FILE.",
    "secret=[redacted]",
    "secret: ****",
    "api key: see vault",
    "API key: expired 2026-11-01",
    "access key: revoked, new one ordered",
    "credential: missing",
    "Credentials: unknown to us",
    "signature: invalid",
    "signature: does not match",
    "Signature mismatch after key rotation",
    "Authorization fails with 401 since the rotation.",
    "Authorization failed: 403 from the receiver",
    "Authorization by the change board: CAB-2026-11-18",
    "Basic understanding of infrastructure was missing.",
    "Basic authentication was switched off.",
    "The bearer responsibilities moved to payments-oncall.",
    "Digest authentication is not supported by the receiver.",
    "Cookie consent banner broke the console, not ours.",
    "session id of the call: bridge 4",
    "passwordless sign-in was rolled out",
    "secretary informed",
    "tokenization service was rolled back",
    "private key rotated; certificate renewed until 2027-11-23",
    "The public key is in the repository.",
    "signing key id kid-2026-11 is the new one",
    "encryption key: rotated",
    "-----BEGIN CERTIFICATE----- was missing in the bundle",
    "See runbook section 4.2, step 7.",
    "Step 3 of 7: webhook disabled, Slack informed",
    "webhook answers 410, its owner was told",
    "Receiver answered 503, 429, 401 and then 200.",
    "HTTP 429 with Retry-After: 120",
    "TLS handshake failed: certificate expired on 2026-11-20T23:59:59Z",
    "Rollback2026OfThePaymentServiceFrontend",
    "PaymentServiceRollbackDrillNotificationHandlerV2",
    "com.acme.payments.rollback.DrillNotificationServiceImpl2",
    "payments-service/rollback-runbooks/2026/EMEA-Release-Train-17",
    "EMEA-Release-Train-2026-Q4-Week-47-Payments-Core",
    "release/2026.11/payments-core/hotfix-17",
    "refs/heads/feature/OPS-4711-rollback-drill-for-payments",
    "/srv/cavra/state/evidence/2026/11/23/checkpoint-000123.json",
    "/var/log/pods/payments_api-7d9c5b6f8d-x2x5q/audit/0.log",
    "C:\\ProgramData\\Cavra\\Logs\\audit-2026-11-23.log",
    "s3://acme-audit-evidence-prod-eu-central-1/drills/2026/11/",
    "file:///srv/runbooks/rollback.md",
    "k8s/overlays/prod-eu1/kustomization.yaml",
    "payments_api.rollback_drill_notifications_v2",
    "ROLLBACK_DRILL_NOTIFICATIONS_ENABLED=true",
    "feature flag rollback_v2=on, region=eu1",
    "max_retries=5, retry_delay_minutes=15",
    "window 2026-W47, calendar week 47",
    "v1.2.3, v1.2.3-rc.1, 2026.11.23",
    "python 3.11.7, openssl 3.0.15, libcurl/8.11.0",
    "Debian 12 (bookworm), kernel 6.1.0-28-amd64",
    "payments-7.4.1+20261123.sha.5114f85",
    "nginx/1.27.2 answered instead of the collector",
    "ISO27001-A.12.1.2, SOX-ITGC-CM-04, PCI DSS 10.5.1",
    "control AC-2(3), evidence EV-2026-00017",
    "DORA Art. 11(6), BAIT 5.3",
    "Ticket 4711; sub-ticket 4711-3; follow-up 0815",
    "call bridge 555-0100, pin is with the duty officer",
    "keyboard; key: OPS-4711; keys: none",
    "sig: SRE guild",
    "pass: 12, fail: 0",
    "Drill passed: 12 of 12 checks",
    "passes: 3/3",
    "codeword of the drill: bluebird",
    "auth: LDAP, mode: read-only",
    "owner=payments escalation=platform-owner",
    "mean 12.5 ms, p99 340 ms, n=1024",
    "50% of 10,000 deliveries; €1,200.00; 3 × 5 = 15",
    "Q3/Q4 — “quoted”, ‘quoted’, naïve café №5 ½",
    "Wait until 18:00 CET (17:00 UTC), then retry.",
    "approved by CAB on 2026-11-18, minutes p. 4",
    "Second line said: nothing to see; closing.",
    "risk-assessment-of-the-payments-rollback-drill done",
    "sk-learn was updated, sk-SK locale is fine",
    "task-force-payments-rollback-2026 met twice",
    "disk-encryption-migration-of-the-archive finished",
    "pat-down procedures do not apply",
    "The patient was informed.",
    "hf_hub was unreachable",
    "npm_config_registry was unset",
    "pypi-mirror-of-the-platform-team was down",
    "rk and sk tests passed",
    "mysql -p asks for it; nobody types it",
    "curl -u asks for it as well",
    "curl -s -o /dev/null the receiver, 503",
    "login with --password-file /run/secrets/db",
    "started with --token-file, not --token",
    "--reason is required with --execute",
    "Empfänger antwortet wieder, Freigabe durch das Betriebsteam.",
    "Die Änderung CHG0031337 wurde zurückgerollt; Prüfung durch Innenrevision.",
    "Das Passwort wurde am Montag gewechselt.",
    "Das Passwort ist abgelaufen.",
    "Passwort: geändert",
    "Kennwort abgelaufen, siehe INC0012345",
    "Der Schlüssel liegt im Tresor.",
    "Zugangsdaten erneuert: ja",
    "Sicherheitsschlüsselverwaltungsverfahren aktualisiert",
    "Le récepteur répond de nouveau ; le changement a été annulé.",
    "Le mot de passe a été changé lundi.",
    "mot de passe : changé",
    "Le jeton a expiré, voir INC0012345.",
    "Vérification par l’équipe d’audit, procès-verbal nº 12",
    "受信側が復旧しました。変更は取り消されました。",
    "パスワードは月曜日に変更されました。",
    "トークンの有効期限切れ、INC0012345 を参照",
    "接收方已恢复，变更已回滚。",
    "수신자가 복구되었습니다.",
    "Получатель снова отвечает, изменение отменено.",
    "Η αλλαγή αναιρέθηκε.",
    "La contraseña se cambió el lunes.",
    "O token expirou ontem.",
    "Zażółć gęślą jaźń 👩🏽‍🚒",
    "تمت استعادة الخدمة",
)


def corpus(draw: random.Random) -> list[tuple[str, str]]:
    """Kind and text: every sentence, and each reference alone and in two sentences."""
    made = [("a sentence", text) for text in SENTENCES]
    for around in ("{}", "Rolled back, see {} for details.", "Retry after {} (approved by CAB)"):
        made += [(kind, around.format(make(draw))) for kind, make in REFERENCES.items()]
    return made
