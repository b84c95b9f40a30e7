"""What an audit package says, and that it is what was stored."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from rollback_audit.engine import clock, intake, packages, present_drills
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.errors import InvalidInput, NotAllowed
from rollback_audit.models import DrillRoute, EvidenceEntry, EvidencePackage
from rollback_audit.records.drills import DrillScheduleRecord
from rollback_audit.states import AcknowledgementState, AlertLevel, MetadataKind, Role, Source
from tests.engine.conftest import People
from tests.receivers import RecordingReceiver

pytestmark = pytest.mark.django_db(transaction=True)

Notify = Callable[[], str]


@pytest.fixture
def notify(receiver: RecordingReceiver, people: People, configure: Callable[..., None]) -> Notify:
    """Two schedules over two connectors, four routes in all; each call notifies of them and gives the plan's id."""
    configure(webhook=receiver.port, second=receiver.port)
    for schedule_id, owner in (("payments", "anna"), ("ledger", "ben")):
        intake.save_schedule(
            actor=people("owner", Role.PLATFORM_OWNER),
            schedule=DrillScheduleRecord(
                schedule_id=schedule_id,
                owner=owner,
                escalation_owner="",
                providers=["webhook", "second"],
                interval_days=30,
                next_due_at=clock.now() + timedelta(days=3),
                acknowledgement_minutes=60,
                enabled=True,
            ),
        )
    return lambda: intake.deliver_notifications(actor=people("manager", Role.RELEASE_MANAGER)).plan.plan_id


@pytest.fixture
def say(people: People) -> Callable[..., None]:
    def acknowledge(schedule_id: str, state: AcknowledgementState, provider: str = "webhook", **more: Any) -> None:
        intake.acknowledge(
            actor=people("manager", Role.RELEASE_MANAGER),
            schedule_id=schedule_id,
            provider=provider,
            acknowledgement_state=state,
            **more,
        )

    return acknowledge


@pytest.fixture
def package(people: People) -> Callable[..., Any]:
    def create(**filters: str) -> Any:
        record, _ = packages.create_audit_package(
            actor=people("manager", Role.RELEASE_MANAGER), filters=AuditFilters(**filters)
        )
        return record

    return create


def test_a_package_without_routes_is_legal_and_healthy(package: Callable[..., Any]) -> None:
    record = package()
    assert (record.route_count, record.routes, record.alert_level) == (0, [], AlertLevel.HEALTHY)
    assert EvidencePackage.objects.get().route_count == 0


def test_every_route_stands_with_its_latest_acknowledgement(
    notify: Notify, say: Callable[..., None], package: Callable[..., Any]
) -> None:
    notify()
    say("payments", AcknowledgementState.ESCALATED)
    say("payments", AcknowledgementState.RESOLVED, external_ref="CHG-7", notes="only for us")
    say("ledger", AcknowledgementState.DISMISSED)
    record = package()
    states = {(item.schedule_id, item.provider): item.acknowledgement_state for item in record.routes}
    assert states == {
        ("payments", "webhook"): "resolved",
        ("payments", "second"): "outstanding",
        ("ledger", "webhook"): "dismissed",
        ("ledger", "second"): "outstanding",
    }
    assert (record.route_count, record.acknowledgement_count, record.outstanding_count) == (4, 2, 2)
    assert (record.resolved_count, record.dismissed_count, record.acknowledged_count, record.escalated_count) == (
        1,
        1,
        0,
        0,
    )
    assert record.alert_level is AlertLevel.WARNING
    resolved = next(item for item in record.routes if item.acknowledgement_state == "resolved")
    assert (resolved.external_ref, resolved.acknowledged_by, resolved.acknowledged) == ("CHG-7", "manager", True)
    assert "only for us" not in EvidencePackage.objects.get(source=Source.ACKNOWLEDGEMENT_AUDIT).record


def test_the_newest_notification_stands_for_its_schedule_and_connector(
    notify: Notify, say: Callable[..., None], package: Callable[..., Any]
) -> None:
    first = notify()
    say("payments", AcknowledgementState.ACKNOWLEDGED)
    second = notify()
    record = package(schedule_id="payments", provider="webhook")
    (route,) = record.routes
    assert (route.plan_id, route.acknowledgement_state) == (second, "outstanding")
    say("payments", AcknowledgementState.RESOLVED, plan_id=first)
    assert package(schedule_id="payments", provider="webhook").outstanding_count == 1


def test_repeating_a_notification_does_not_restart_the_clock(
    notify: Notify, say: Callable[..., None], package: Callable[..., Any], later: Callable[[timedelta], None]
) -> None:
    notify()
    later(timedelta(minutes=59))
    notify()
    assert package().alert_level is AlertLevel.WARNING
    later(timedelta(minutes=1))
    assert package().alert_level is AlertLevel.CRITICAL
    for schedule_id in ("payments", "ledger"):
        for provider in ("webhook", "second"):
            say(schedule_id, AcknowledgementState.ACKNOWLEDGED, provider)
    assert package().alert_level is AlertLevel.HEALTHY
    notify()
    assert package().alert_level is AlertLevel.WARNING


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, 4),
        ({"schedule_id": "payments"}, 2),
        ({"provider": "second"}, 2),
        ({"owner": "anna"}, 2),
        ({"owner": "anna", "provider": "second"}, 1),
        ({"schedule_id": "payments", "owner": "ben"}, 0),
        ({"schedule_id": "nobody"}, 0),
    ],
)
def test_filters_narrow_the_routes(
    notify: Notify, package: Callable[..., Any], filters: dict[str, str], expected: int
) -> None:
    notify()
    record = package(**filters)
    assert record.route_count == len(record.routes) == expected
    assert record.filters == filters


def test_the_digest_is_of_the_stored_canonical_record(notify: Notify, package: Callable[..., Any]) -> None:
    notify()
    record = package()
    row = EvidencePackage.objects.get(audit_id=record.audit_id)
    assert row.digest == record.digest == hashlib.sha256(row.record.encode()).hexdigest()
    assert list(json.loads(row.record)) == sorted(json.loads(row.record))
    assert present_drills.package(row) == record


def test_a_package_leaves_one_line_with_its_counts(notify: Notify, people: People) -> None:
    notify()
    record, line = packages.create_audit_package(
        actor=people("manager", Role.RELEASE_MANAGER),
        filters=AuditFilters(schedule_id="payments"),
        generated_by="nightly",
    )
    stored = json.loads(EvidenceEntry.objects.get(metadata_kind=MetadataKind.AUDIT_PACKAGE).body)
    assert stored["session_id"] == line.session_id == record.audit_id
    assert stored["audit_id"] == record.audit_id
    assert stored["schedule_id"] == "payments"
    assert (stored["decision_count"], stored["blocked_count"]) == (2, 2)
    assert stored["alert_level"] == "warning"
    assert stored["record"]["digest"] == record.digest
    assert (record.generated_by, stored["signer"]) == ("nightly", "manager")


@pytest.mark.parametrize("filters", [{"owner": "a\x00b"}, {"schedule_id": "x" * 65}, {"provider": "a\ud800"}])
def test_odd_filters_are_refused_by_name(package: Callable[..., Any], filters: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        package(**filters)
    assert list(refused.value.fields) == list(filters)
    assert EvidencePackage.objects.count() == 0


def test_packaging_needs_its_permission(people: People) -> None:
    with pytest.raises(NotAllowed):
        packages.create_audit_package(actor=people("analyst", Role.SOC_ANALYST), filters=AuditFilters())


def test_current_routes_are_read_in_a_fixed_number_of_queries(
    notify: Notify, package: Callable[..., Any], django_assert_num_queries: Any
) -> None:
    notify()
    notify()
    assert DrillRoute.objects.count() == 8
    with django_assert_num_queries(1):
        assert len([packages.standing(row) for row in packages.current_routes()]) == 4
