"""Rows for tests that need a state of affairs rather than the way to it. Each obeys every constraint of its table."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import LazySettings
from django.contrib.auth.models import User

from rollback_audit.engine import roles, signing_keys
from rollback_audit.ids import new_id
from rollback_audit.models import (
    Connector,
    Delivery,
    DeliveryAttempt,
    DeliveryPlan,
    DrillRoute,
    DrillSchedule,
    EvidencePackage,
    HealthAlert,
    NotificationPlan,
    Recovery,
)
from rollback_audit.states import (
    AlertLevel,
    AttemptState,
    Category,
    ConnectorStanding,
    DeliveryState,
    FailureKind,
    HealthAlertState,
    HealthCode,
    Outcome,
    ReasonCode,
    RecoveryState,
    Role,
    Source,
)

PASSWORD = "correct horse battery staple"
WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def now() -> datetime:
    return datetime.now(UTC)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def opaque(prefix: str) -> str:
    return new_id(prefix)


def person(name: str, role: Role | None) -> User:
    """Somebody who can sign in with PASSWORD; without a role where `role` is None."""
    roles.install()
    user = roles.user_with_role(name, role) if role else User(username=name)
    user.set_password(PASSWORD)
    user.save()
    return user


def connector(name: str = "siem", **changes: object) -> Connector:
    """A connector that is ready, unless changed."""
    values: dict[str, object] = {
        "provider": "splunk",
        "category": Category.SIEM,
        "drops_repeats": True,
        "revision": secrets.token_hex(16),
        "config_digest": digest(name),
        "configuration": ConnectorStanding.READY,
        "updated_at": now(),
    }
    return Connector.objects.create(name=name, **(values | changes))


def write_connectors(path: Path, ports: Mapping[str, int]) -> None:
    """A connector file: Splunk for a name that begins so, else a webhook, on its port of 127.0.0.1.

    Wants TEST_WEBHOOK_SECRET, which serves as Splunk's token too.
    """
    path.write_text(json.dumps({"connectors": {name: _entry(name, port) for name, port in ports.items()}}))


def _entry(name: str, port: int) -> dict[str, object]:
    provider, secret = ("splunk", "token_env") if name.startswith("splunk") else ("webhook", "secret_env")
    return {
        "provider": provider,
        "url": f"http://127.0.0.1:{port}/hook",
        secret: "TEST_WEBHOOK_SECRET",
        "allow_networks": ["127.0.0.0/8"],
        "allow_ports": [port],
        "allow_plain_http": True,
    }


def ledger_files(settings: LazySettings, folder: Path) -> None:
    """A key of the test's own to sign the ledger with, and a checkpoint file of its own."""
    settings.CAVRA_LEDGER_KEY_FILE = folder / "ledger_key"
    settings.CAVRA_CHECKPOINT_FILE = folder / "checkpoints.txt"
    signing_keys.ensure(settings.CAVRA_LEDGER_KEY_FILE)


def package(source: Source = Source.ACKNOWLEDGEMENT_AUDIT, at: datetime | None = None) -> EvidencePackage:
    record = '{"routes":[]}'
    return EvidencePackage.objects.create(
        audit_id=opaque("gordackaudit"),
        source=source,
        alert_level=AlertLevel.WARNING,
        route_count=3,
        record=record,
        digest=digest(record),
        generated_by="factory",
        actor="factory",
        created_at=at or now(),
    )


def delivery(to: Connector, *, state: DeliveryState = DeliveryState.DELIVERED, **changes: object) -> Delivery:
    """A delivery with one settled attempt an hour ago; `failed` means an answer of 503 and due since 45 minutes.

    `at` moves the attempt, `kind` and `status_code` say how it failed, `blocked_by` takes the due moment away.
    """
    at = changes.pop("at", now() - timedelta(hours=1))
    kind = changes.pop("kind", FailureKind.UNAVAILABLE)
    status_code = changes.pop("status_code", 503)
    assert isinstance(at, datetime)
    source = changes.pop("source", Source.ACKNOWLEDGEMENT_AUDIT)
    assert isinstance(source, Source)
    evidence = package(source, at)
    plan = _delivery_plan(evidence, to, at)
    failed = state is DeliveryState.FAILED
    values: dict[str, object] = {
        "event_id": opaque("gordackevent"),
        "event_digest": plan.event_digest,
        "attempt_count": 1,
        "failure_count": int(failed),
        "failure_kind": kind if failed else None,
        "failed_status_codes": str(status_code or "") if failed else "",
        "last_attempt_at": at,
        "last_failed_at": at if failed else None,
        "due_at": at + timedelta(minutes=15) if failed and not changes.get("blocked_by") else None,
        "delivered_at": None if failed else at,
        "created_at": at,
    }
    row = Delivery.objects.create(
        plan=plan,
        connector=to,
        delivery_id=plan.delivery_id,
        audit_id=evidence.audit_id,
        provider=to.name,
        source=source,
        state=state,
        **(values | changes),
    )
    outcome = Outcome.CONFIRMED if not failed else Outcome.ANSWERED_5XX if status_code else Outcome.NOT_SENT
    attempt(row, outcome=outcome, kind=kind if failed else None, status_code=status_code if failed else 200)
    return row


def failed(to: Connector, **changes: object) -> Delivery:
    return delivery(to, state=DeliveryState.FAILED, **changes)


def suppressed(to: Connector, **changes: object) -> Delivery:
    refused: dict[str, object] = {
        "kind": FailureKind.PAYLOAD_REFUSED,
        "status_code": 422,
        "blocked_by": ReasonCode.RECEIVER_REJECTED,
    }
    return failed(to, **(refused | changes))


def attempt(of: Delivery, *, outcome: Outcome, kind: Any, status_code: Any) -> DeliveryAttempt:
    return DeliveryAttempt.objects.create(
        delivery=of,
        number=1,
        fence=1,
        state=AttemptState.SETTLED,
        started_at=of.last_attempt_at,
        settled_at=of.last_attempt_at + timedelta(milliseconds=84),
        outcome=outcome,
        failure_kind=kind,
        status_code=status_code,
        duration_ms=84,
    )


def open_recovery(of: Connector, *, first_failure_at: datetime, **changes: object) -> Recovery:
    """An outage that began then and goes on: three failures, the latest with 503."""
    values: dict[str, object] = {
        "recovery_id": opaque("gordackrecovery"),
        "playbook_id": opaque("gordackplaybook"),
        "provider": of.name,
        "category": of.category,
        "state": RecoveryState.OPEN,
        "failure_count": 3,
        "latest_failure_at": first_failure_at + timedelta(minutes=1),
        "status_codes": [503],
        "failure_kinds": [FailureKind.UNAVAILABLE.value],
        "opened_by": "factory",
        "opened_at": first_failure_at,
        "updated_at": first_failure_at,
    }
    return Recovery.objects.create(connector=of, first_failure_at=first_failure_at, **(values | changes))


def health_alert(**changes: object) -> HealthAlert:
    """An open alert: the worker has not run for twice the interval, told an hour ago."""
    at = now() - timedelta(hours=1)
    values: dict[str, object] = {
        "alert_id": opaque("gordackalert"),
        "key": "missed_worker_run:retry-worker",
        "code": HealthCode.MISSED_WORKER_RUN,
        "subject": "retry-worker",
        "severity": AlertLevel.CRITICAL,
        "message": "The retry worker has never run.",
        "state": HealthAlertState.OPEN,
        "health_id": opaque("gordackhealth"),
        "opened_at": at,
        "last_told_at": at,
    }
    return HealthAlert.objects.create(**(values | changes))


def schedule(schedule_id: str = "payments-rollback", **changes: object) -> DrillSchedule:
    values: dict[str, object] = {
        "owner": "payments",
        "escalation_owner": "platform",
        "providers": ["siem"],
        "interval_days": 30,
        "next_due_at": now() + timedelta(days=3),
        "acknowledgement_minutes": 60,
        "created_at": now(),
        "updated_at": now(),
    }
    return DrillSchedule.objects.create(schedule_id=schedule_id, **(values | changes))


def route(of: DrillSchedule, *, provider: str = "siem") -> DrillRoute:
    plan = NotificationPlan.objects.create(
        plan_id=opaque("gordplan"),
        generated_by="factory",
        actor="factory",
        route_count=1,
        alert_level=AlertLevel.WARNING,
        created_at=now(),
    )
    return DrillRoute.objects.create(
        route_id=opaque("gordroute"),
        plan=plan,
        schedule=of,
        provider=provider,
        owner=of.owner,
        escalation_owner=of.escalation_owner,
        action="notify",
        category="due_soon",
        reason="The drill is due within 14 days.",
        acknowledgement_minutes=of.acknowledgement_minutes,
        next_due_at=of.next_due_at,
        created_at=now(),
    )


def _delivery_plan(evidence: EvidencePackage, to: Connector, at: datetime) -> DeliveryPlan:
    event = '{"event_type":"factory"}'
    return DeliveryPlan.objects.create(
        delivery_id=opaque("gordackdelivery"),
        package=evidence,
        event=event,
        event_digest=digest(event),
        event_type="factory",
        selected_providers=[to.name],
        cadence="on_demand",
        generated_by="factory",
        actor="factory",
        created_at=at,
    )
