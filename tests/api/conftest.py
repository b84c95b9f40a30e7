"""Clients of each role, and a world in which every route has something to answer about."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from rest_framework.test import APIClient

from rollback_audit.api import totals
from rollback_audit.engine import (
    approvals,
    checkpoints,
    clock,
    deliveries,
    escalations,
    executive_reports,
    holds,
    intake,
    plans,
    recoveries,
    reviews,
    tokens,
    worker,
)
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.engine.reviews import DecisionKey
from rollback_audit.engine.worker import RunRequest
from rollback_audit.planning.escalation import EscalationPolicy
from rollback_audit.records.drills import DrillScheduleRecord
from rollback_audit.states import HoldScope, Role
from tests import factories
from tests.api.doors import World
from tests.engine.conftest import People, configure, later, people, receiver  # noqa: F401
from tests.receivers import RecordingReceiver, Reply

ClientFor = Callable[[Role | None], APIClient]


@pytest.fixture(autouse=True)
def _nothing_counted_before() -> Iterator[None]:
    cache.clear()
    totals._kept.clear()
    yield
    cache.clear()


@pytest.fixture
def client_for(people: People) -> ClientFor:  # noqa: F811
    """A client with the token of a person in the role; without a role, of a person who may do nothing."""

    def make(role: Role | None) -> APIClient:
        name = role.value if role else "nobody"
        token = tokens.create(username=name, role=(role or Role.AUDITOR).value)
        if role is None:
            get_user_model().objects.get(username=name).groups.clear()
        client = APIClient(raise_request_exception=False)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return client

    return make


@pytest.fixture
def owner(client_for: ClientFor) -> APIClient:
    """Whoever may everything."""
    return client_for(Role.PLATFORM_OWNER)


@pytest.fixture
def world(  # noqa: PLR0917 - fixtures
    receiver: RecordingReceiver,  # noqa: F811
    people: People,  # noqa: F811
    configure: Callable[..., None],  # noqa: F811
    later: Callable[[timedelta], None],  # noqa: F811
    settings: LazySettings,
    tmp_path: Path,
) -> World:
    """A failed delivery that is due, with a plan and an approval plan, a dry run, and a route to acknowledge, all of it
    signed.

    The release manager made all of it, so that the platform owner may approve. The receiver answers 200 from here on.
    """
    configure(webhook=receiver.port)
    manager, owner = people("release_manager", Role.RELEASE_MANAGER), people("platform_owner", Role.PLATFORM_OWNER)
    intake.save_schedule(
        actor=owner,
        schedule=DrillScheduleRecord(
            schedule_id="payments-rollback",
            owner="payments",
            escalation_owner="platform",
            providers=["webhook"],
            interval_days=30,
            next_due_at=clock.now() + timedelta(days=1),
            acknowledgement_minutes=60,
            enabled=True,
        ),
    )
    intake.deliver_notifications(actor=manager)
    receiver.reply = Reply(503)
    failed = deliveries.deliver_audit(actor=manager, filters=AuditFilters())
    later(timedelta(minutes=15))
    plan, _ = plans.plan_retry(actor=manager)
    (decision,) = plan.retry_decisions
    key = DecisionKey(decision.delivery_id, decision.audit_id, decision.provider)
    reviews.acknowledge_retry(actor=manager, retry_plan_id=plan.retry_plan_id, key=key)
    asked, _ = approvals.request_approval(actor=manager, retry_plan_id=plan.retry_plan_id)
    run = worker.start_run(actor=manager, request=RunRequest())
    playbook, _ = recoveries.make_playbook(actor=manager, min_failure_count=1)
    escalation, _ = escalations.plan_escalation(actor=manager, policy=EscalationPolicy(recovery_slo_minutes=10))
    report = executive_reports.store_report(actor=manager)
    hold, _ = holds.place(actor=owner, scope=HoldScope.SCHEDULE, subject_id="payments-rollback", reason="A test.")
    receiver.reply = Reply(200)
    factories.ledger_files(settings, tmp_path)
    return World(
        schedule_id="payments-rollback",
        retry_plan_id=plan.retry_plan_id,
        plan_digest=plan.plan_digest,
        approval_plan_id=asked.approval_plan_id,
        playbook_id=playbook.playbook_id,
        recovery_id=playbook.provider_playbooks[0].recovery_id,
        escalation_id=escalation.plan_id,
        report_id=report.run.run_id,
        run_id=run.run.run_id,
        delivery_id=failed.delivery_plan.delivery_id,
        audit_id=failed.audit_package.audit_id,
        alert_id=factories.health_alert().alert_id,
        hold_id=hold.hold_id,
        session_id=run.run.run_id,
        tree_size=checkpoints.sign_everything().tree_size,
        receiver=receiver,
    )


@pytest.fixture
def live_run(world: World, people: People) -> str:  # noqa: F811
    """A live run that waits for a worker."""
    owner = people("platform_owner", Role.PLATFORM_OWNER)
    approvals.decide(actor=owner, approval_plan_id=world.approval_plan_id)
    request = RunRequest(
        dry_run=False, reason="A test.", retry_plan_id=world.retry_plan_id, plan_digest=world.plan_digest
    )
    return worker.start_run(actor=owner, request=request).run.run_id
