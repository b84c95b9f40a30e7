"""What the demo is made of: four identities, two connectors to a receiver of our own, and evidence that failed."""

import base64
import json
import secrets
from datetime import timedelta
from pathlib import Path

from cavra_site.receiver import WEBHOOK_PATH
from rollback_audit.engine import accounts, clock, deliveries, intake, notifications, queries
from rollback_audit.engine.actors import Actor, actor_named
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.records.drills import DrillScheduleRecord
from rollback_audit.states import AcknowledgementState, Role

RECEIVER_FOLDER = "demo-receiver"
SECRETS_FOLDER = "demo-secrets"
_HOST = "127.0.0.1"
_WEBHOOK = "demo-webhook"
_SPLUNK = "demo-splunk"


def username(role: Role) -> str:
    return f"demo-{role.value.replace('_', '-')}"


def make_identities() -> dict[str, str]:
    """One user for each role; the passwords of those that were made now, by user name."""
    made: dict[str, str] = {}
    for role in Role:
        if not accounts.exists(username(role)):
            password = secrets.token_urlsafe(12)
            accounts.create(username=username(role), role=role, password=password)
            made[username(role)] = password
    return made


def write_connectors(path: Path, *, home: Path, receiver_port: int) -> None:
    """The demo's connector file. Its secrets are files beside it, made once."""
    folder = home / SECRETS_FOLDER
    folder.mkdir(exist_ok=True, mode=0o700)
    egress = {"allow_networks": ["127.0.0.0/8"], "allow_ports": [receiver_port], "allow_plain_http": True}
    receiver = f"http://{_HOST}:{receiver_port}"
    signing_secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    connectors = {
        _WEBHOOK: {
            "provider": "webhook",
            "url": f"{receiver}{WEBHOOK_PATH}",
            "secret_file": str(_secret(folder / "webhook", signing_secret)),
            **egress,
        },
        _SPLUNK: {
            "provider": "splunk",
            "url": receiver,
            "token_file": str(_secret(folder / "splunk", secrets.token_hex(16))),
            **egress,
        },
    }
    path.write_text(json.dumps({"connectors": connectors}, indent=2) + "\n", encoding="utf-8")


def seed() -> bool:
    """Schedules, their notifications, some acknowledgements and an audit package, delivered into the outage.

    Does nothing where there are schedules already; returns whether it did something.
    """
    if queries.schedules().exists():
        return False
    owner, manager = (actor_named(username(role)) for role in (Role.PLATFORM_OWNER, Role.RELEASE_MANAGER))
    for schedule in _schedules():
        intake.save_schedule(actor=owner, schedule=schedule)
    notifications.deliver_notifications(actor=manager)
    _acknowledge(manager)
    deliveries.deliver_audit(actor=manager, filters=AuditFilters())
    return True


def _schedules() -> list[DrillScheduleRecord]:
    """One drill is overdue, one due soon, one far off."""
    now = clock.now()
    teams = (("payments", -3), ("identity", 5), ("ledger", 60))
    return [
        DrillScheduleRecord(
            schedule_id=f"rollback-{team}",
            owner=f"{team}-team",
            escalation_owner="release-desk",
            providers=[_WEBHOOK, _SPLUNK],
            interval_days=90,
            next_due_at=now + timedelta(days=days),
            acknowledgement_minutes=240,
            enabled=True,
        )
        for team, days in teams
    ]


def _acknowledge(manager: Actor) -> None:
    words = (
        ("rollback-payments", _WEBHOOK, AcknowledgementState.ACKNOWLEDGED),
        ("rollback-payments", _SPLUNK, AcknowledgementState.ESCALATED),
        ("rollback-identity", _WEBHOOK, AcknowledgementState.RESOLVED),
    )
    routes = [
        intake.RouteWord(schedule_id=schedule_id, provider=provider, acknowledgement_state=state)
        for schedule_id, provider, state in words
    ]
    intake.acknowledge_bulk(actor=manager, routes=routes)


def _secret(path: Path, text: str) -> Path:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(text, encoding="ascii")
    return path
