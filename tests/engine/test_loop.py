"""One failed delivery, from the outage to its receipt, over a real receiver."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from rollback_audit.engine import approvals, deliveries, plans, reviews, worker
from rollback_audit.engine.drain import drain
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.engine.reviews import DecisionKey
from rollback_audit.engine.worker import RunRequest
from rollback_audit.models import Delivery, DeliveryAttempt, EvidenceEntry
from rollback_audit.states import Action, MetadataKind, ReasonCode, Role, RunState
from tests.engine.conftest import People
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_failed_delivery_is_planned_approved_executed_and_delivered_once(
    receiver: RecordingReceiver, people: People, configure: Callable[..., None], later: Callable[[timedelta], None]
) -> None:
    configure(webhook=receiver.port)
    manager, owner = people("manager", Role.RELEASE_MANAGER), people("owner", Role.PLATFORM_OWNER)

    receiver.reply = Reply(503)
    sent = deliveries.deliver_audit(actor=manager, filters=AuditFilters())
    assert not sent.success

    plan, _ = plans.plan_retry(actor=manager)
    (decision,) = plan.retry_decisions
    assert (decision.action, decision.reason_code) == (Action.WAIT, ReasonCode.BACKOFF)

    later(timedelta(minutes=15))
    plan, _ = plans.plan_retry(actor=manager)
    (decision,) = plan.retry_decisions
    assert decision.action is Action.RETRY
    key = DecisionKey(decision.delivery_id, decision.audit_id, decision.provider)

    dry = worker.start_run(actor=manager, request=RunRequest())
    assert dry.run.state is RunState.COMPLETED
    assert dry.run.summary.selected_retry_count == dry.run.summary.skipped_count == 1
    assert len(receiver.arrivals) == 1

    reviews.acknowledge_retry(actor=manager, retry_plan_id=plan.retry_plan_id, key=key)
    asked, _ = approvals.request_approval(actor=manager, retry_plan_id=plan.retry_plan_id)
    approvals.decide(actor=owner, approval_plan_id=asked.approval_plan_id, key=key)

    receiver.reply = Reply(200)
    live = worker.start_run(
        actor=owner,
        request=RunRequest(
            dry_run=False,
            reason="The receiver is back.",
            retry_plan_id=plan.retry_plan_id,
            plan_digest=plan.plan_digest,
        ),
    )
    assert live.run.state is RunState.QUEUED
    drain(live.run.run_id)

    done = worker.read_run(actor=owner, run_id=live.run.run_id)
    assert done.run.state is RunState.COMPLETED
    assert done.run.summary.delivered_count == 1
    (result,) = done.retry_results
    assert result.execution_record is not None
    assert result.execution_record.delivery_success
    first, second = receiver.arrivals
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert Delivery.objects.get().state == "delivered"
    assert DeliveryAttempt.objects.count() == 2
    kinds = list(EvidenceEntry.objects.order_by("pk").values_list("metadata_kind", flat=True))
    assert kinds.count(MetadataKind.CONNECTOR_DELIVERY) == 2
    assert kinds.count(MetadataKind.EXECUTION_RECORD) == 1
