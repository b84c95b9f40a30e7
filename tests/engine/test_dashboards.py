"""The dashboards' numbers, each against the records it counts."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from rollback_audit.engine import (
    approvals,
    clock,
    dashboards,
    deliveries,
    intake,
    packages,
    plans,
    queries,
    reviews,
    schedules,
    standings,
    worker,
)
from rollback_audit.engine.actors import SYSTEM, Actor
from rollback_audit.engine.drain import drain
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.engine.worker import RunRequest
from rollback_audit.errors import NotAllowed
from rollback_audit.models import Connector, Delivery, DeliveryPlan, EvidencePackage, RetryPlan, WorkerSchedule
from rollback_audit.planning.facts import DEFAULT_POLICY, DeliveryFacts
from rollback_audit.planning.retry import standing
from rollback_audit.records.drills import DrillScheduleRecord
from rollback_audit.states import (
    AcknowledgementState,
    AlertLevel,
    ConnectorStanding,
    DeliveryState,
    FailureKind,
    Role,
    Source,
)
from tests.engine.conftest import People
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db(transaction=True)

NOBODY = Actor(name="nobody", user_id=None, permissions=frozenset())


@pytest.fixture
def manager(people: People) -> Actor:
    return people("manager", Role.RELEASE_MANAGER)


@pytest.fixture
def owner(people: People) -> Actor:
    return people("owner", Role.PLATFORM_OWNER)


@pytest.fixture
def failed(
    receiver: RecordingReceiver, configure: Callable[..., None], manager: Actor, later: Callable[[timedelta], None]
) -> None:
    """One audit delivery over two connectors: both failed, both due."""
    configure(webhook=receiver.port, second=receiver.port)
    receiver.reply = Reply(503)
    deliveries.deliver_audit(actor=manager, filters=AuditFilters())
    later(timedelta(minutes=15))


def test_dashboards_want_a_permission() -> None:
    for read in (dashboards.worker_dashboard, dashboards.drill_dashboard):
        with pytest.raises(NotAllowed):
            read(actor=NOBODY)


@pytest.mark.usefixtures("db")
def test_an_empty_system_is_healthy_and_all_zero() -> None:
    found = dashboards.worker_dashboard(actor=SYSTEM)
    assert (found.run_count, found.retryable_count, found.approval_pending_count) == (0, 0, 0)
    assert (found.latest, found.next_scheduled_at, found.last_dry_run_at) == ([], None, None)
    assert found.alert_level is AlertLevel.HEALTHY
    drills = dashboards.drill_dashboard(actor=SYSTEM)
    assert drills.alert_level is AlertLevel.HEALTHY
    assert drills.acknowledgement_audit_delivery_success_rate == 0
    assert (drills.latest, drills.outstanding_acknowledgements) == ([], [])


@pytest.mark.usefixtures("failed")
def test_the_worker_dashboard_follows_the_loop(manager: Actor, owner: Actor, receiver: RecordingReceiver) -> None:
    before = dashboards.worker_dashboard(actor=manager)
    assert (before.retryable_count, before.approval_pending_count, before.alert_level) == (2, 2, AlertLevel.CRITICAL)

    plan, _ = plans.plan_retry(actor=manager)
    for item in plan.retry_decisions:
        key = reviews.DecisionKey(item.delivery_id, item.audit_id, item.provider)
        reviews.acknowledge_retry(actor=manager, retry_plan_id=plan.retry_plan_id, key=key)
    asked, _ = approvals.request_approval(actor=manager, retry_plan_id=plan.retry_plan_id)
    first = plan.retry_decisions[0]
    approvals.decide(
        actor=owner,
        approval_plan_id=asked.approval_plan_id,
        key=reviews.DecisionKey(first.delivery_id, first.audit_id, first.provider),
    )
    worker.start_run(actor=manager, request=RunRequest())
    approved = dashboards.worker_dashboard(actor=manager)
    assert (approved.retryable_count, approved.approval_pending_count) == (2, 1)
    assert (approved.dry_run_count, approved.executed_count, approved.selected_retry_count) == (1, 0, 2)
    assert approved.last_dry_run_at is not None
    assert approved.alert_level is AlertLevel.CRITICAL

    receiver.reply = Reply(200)
    request = RunRequest(dry_run=False, reason="back", retry_plan_id=plan.retry_plan_id, plan_digest=plan.plan_digest)
    drain(worker.start_run(actor=owner, request=request).run.run_id)
    after = dashboards.worker_dashboard(actor=manager)
    assert after.run_count == after.dry_run_count + after.executed_count == 2
    assert (after.delivered_count, after.failed_count, after.retryable_count) == (1, 0, 1)
    assert after.alert_level is AlertLevel.WARNING
    assert after.last_executed_at is not None
    assert [run.dry_run for run in after.latest] == [False, True]


@pytest.mark.usefixtures("failed")
def test_the_drill_dashboard_counts_what_there_is(manager: Actor) -> None:
    plans.plan_retry(actor=manager)
    worker.start_run(actor=manager, request=RunRequest())
    found = dashboards.drill_dashboard(actor=manager)
    assert found.acknowledgement_audit_package_count == 1
    assert found.acknowledgement_audit_delivery_plan_count == 1
    assert found.acknowledgement_audit_delivery_count == 2
    assert found.failed_acknowledgement_audit_delivery_count == 2
    assert found.acknowledgement_audit_delivery_success_count == 0
    assert found.acknowledgement_audit_delivery_success_rate == 0
    assert found.acknowledgement_audit_delivery_providers == ["second", "webhook"]
    assert found.acknowledgement_audit_delivery_health is AlertLevel.CRITICAL
    assert found.acknowledgement_audit_delivery_retryable_count == 2
    assert found.acknowledgement_audit_delivery_retry_plan_count == 2
    assert found.acknowledgement_audit_delivery_worker_run_count == 1
    assert found.acknowledgement_audit_delivery_worker_dry_run_count == 1
    assert found.acknowledgement_audit_delivery_worker_executed_count == 0
    assert found.acknowledgement_audit_delivery_connector_recovery_playbook_count == 0
    assert (found.delivery_count, found.plan_count) == (0, 0)
    assert found.alert_level is AlertLevel.CRITICAL
    assert [row["metadata_kind"] for row in found.latest][:1] == [
        "go-backend-rollback-drill-acknowledgement-audit-delivery-worker-run"
    ]
    assert not {row["metadata_kind"] for row in found.latest} & set(queries.LEDGER_ONLY)


def test_outstanding_acknowledgements_are_counted_whole_and_shown_in_part(
    receiver: RecordingReceiver, configure: Callable[..., None], manager: Actor, owner: Actor
) -> None:
    configure(webhook=receiver.port)
    for number in range(25):
        intake.save_schedule(actor=owner, schedule=_schedule(f"drill-{number:02}"))
    intake.deliver_notifications(actor=manager)
    intake.acknowledge(
        actor=manager,
        schedule_id="drill-00",
        provider="webhook",
        acknowledgement_state=AcknowledgementState.ACKNOWLEDGED,
    )
    found = dashboards.drill_dashboard(actor=manager)
    assert found.outstanding_acknowledgement_count == 24
    assert len(found.outstanding_acknowledgements) == 20
    assert {item.acknowledgement_state for item in found.outstanding_acknowledgements} == {"outstanding"}
    assert (found.plan_count, found.acknowledgement_count, found.delivery_count) == (1, 1, 1)
    assert found.alert_level is AlertLevel.WARNING


def _schedule(schedule_id: str) -> DrillScheduleRecord:
    return DrillScheduleRecord(
        schedule_id=schedule_id,
        owner="anna",
        escalation_owner="",
        providers=["webhook"],
        interval_days=30,
        next_due_at=clock.now() + timedelta(days=3),
        acknowledgement_minutes=60,
        enabled=True,
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_counts_are_what_a_plan_made_now_would_say(manager: Actor, seed: int) -> None:
    draw = random.Random(seed)
    now = clock.now()
    _open_deliveries(draw, now=now, count=200)
    counted = dashboards.open_standings(now=now)
    plan = _plan(manager)
    assert (counted.retryable_count, counted.waiting_count, counted.suppressed_count) == (
        plan.retryable_count,
        plan.waiting_count,
        plan.suppressed_count,
    )
    for source in Source:
        of_source = dashboards.open_standings(now=now, source=source)
        assert of_source.retryable_count == _plan(manager, source=source).retryable_count


def _plan(actor: Actor, *, source: str = "") -> RetryPlan:
    # Not plan_retry: that one reads the configuration first, which knows none of these connectors.
    with transaction.atomic():
        return plans.build_plan(actor=actor, policy=DEFAULT_POLICY, source=source, provider="", generated_by="")[0]


@pytest.mark.parametrize("seed", range(3))
def test_the_lists_behind_the_counts_are_as_long(seed: int) -> None:
    now = clock.now()
    _open_deliveries(random.Random(seed), now=now, count=200)
    counted = dashboards.open_standings(now=now)
    listed = [
        Delivery.objects.filter(condition).count()
        for condition in (standings.retryable(now), standings.waiting(now), standings.suppressed())
    ]
    assert listed == [counted.retryable_count, counted.waiting_count, counted.suppressed_count]


def _open_deliveries(draw: random.Random, *, now: datetime, count: int) -> None:
    """Open deliveries with facts drawn at random, stored as the engine does, over connectors in every standing."""
    connectors = [
        Connector.objects.create(
            name=f"c{number}",
            provider="webhook",
            category="webhook",
            drops_repeats=number % 2 == 0,
            revision=f"{number:032}",
            config_digest="",
            configuration=configuration.value,
            hold=hold.value if hold else None,
            held_since=now if hold else None,
            updated_at=now,
        )
        for number, (configuration, hold) in enumerate(
            [
                (ConnectorStanding.READY, None),
                (ConnectorStanding.READY, None),
                (ConnectorStanding.READY, ConnectorStanding.CREDENTIAL_REFUSED),
                (ConnectorStanding.UNKNOWN, None),
            ]
        )
    ]
    package = packages.store(
        actor=SYSTEM,
        source=Source.ACKNOWLEDGEMENT_AUDIT,
        audit_id="gordackaudit-0",
        alert_level=AlertLevel.HEALTHY,
        route_count=0,
        generated_by="test",
        at=now,
        content={},
    )
    Delivery.objects.bulk_create(
        _open_delivery(draw, number, package, draw.choice(connectors), now=now) for number in range(count)
    )


def _open_delivery(
    draw: random.Random, number: int, package: EvidencePackage, connector: Connector, *, now: datetime
) -> Delivery:
    sending = draw.random() < 0.2
    failures = draw.randint(1, 4)
    failed_at = now - timedelta(minutes=draw.choice([1, 14, 16, 29, 31, 59, 61]))
    facts = DeliveryFacts(
        delivery_id=f"gordackdelivery-{number:016x}",
        audit_id=f"{package.audit_id}-{number}",
        provider=connector.name,
        source=draw.choice(list(Source)),
        event_digest="0" * 64,
        in_flight=sending,
        attempt_count=failures + sending,
        failure_count=failures,
        failure_kind=draw.choice(list(FailureKind)),
        last_attempt_at=failed_at,
        last_failed_at=failed_at,
        not_before=draw.choice([None, now + timedelta(minutes=30), now - timedelta(minutes=30)]),
        failed_status_codes="503",
    )
    found = standing(facts, DEFAULT_POLICY, drops_repeats=connector.drops_repeats)
    plan = DeliveryPlan.objects.create(
        delivery_id=facts.delivery_id,
        package=package,
        event="{}",
        event_digest=facts.event_digest,
        event_type="test",
        cadence="on_demand",
        generated_by="test",
        actor="test",
        created_at=now,
    )
    stored: dict[str, Any] = facts._asdict()
    stored.pop("in_flight")
    stored.pop("has_receipt")
    return Delivery(
        **stored,
        plan=plan,
        connector=connector,
        event_id=f"event-{number}",
        state=DeliveryState.SENDING if sending else DeliveryState.FAILED,
        lease_until=now if sending else None,
        blocked_by=found.reason_code,
        due_at=found.due_at,
        created_at=now,
    )


def test_the_counts_read_nothing_but_the_index_of_open_deliveries() -> None:
    now = clock.now()
    _open_deliveries(random.Random(1), now=now, count=10)
    with CaptureQueriesContext(connection) as queries_made:
        dashboards.open_standings(now=now)
    assert len(queries_made) == 2
    if connection.vendor == "sqlite":
        # PostgreSQL decides by the size of the table, which is small here.
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {queries_made[1]['sql']}")
            assert "COVERING INDEX delivery_open_standing" in str(cursor.fetchall())


def test_the_next_scheduled_run_is_the_first_window_without_one(later: Callable[[timedelta], None]) -> None:
    schedules.install(interval_minutes=30)
    due = dashboards.worker_dashboard(actor=SYSTEM)
    assert due.next_scheduled_at is not None
    assert due.next_scheduled_at <= due.generated_at
    schedules.run_due()
    after = dashboards.worker_dashboard(actor=SYSTEM)
    assert after.next_scheduled_at == due.next_scheduled_at + timedelta(minutes=30)
    WorkerSchedule.objects.update(enabled=False)
    assert dashboards.worker_dashboard(actor=SYSTEM).next_scheduled_at is None


def test_the_latest_runs_are_ten(manager: Actor) -> None:
    for _ in range(12):
        worker.start_run(actor=manager, request=RunRequest())
    found = dashboards.worker_dashboard(actor=manager)
    assert (found.run_count, len(found.latest)) == (12, 10)
    assert Counter(run.state for run in found.latest).total() == 10
