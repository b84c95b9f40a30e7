"""The loop in a few words: what failed, a plan, its approval, a run; and failed deliveries by the thousand."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F

from rollback_audit.engine import approvals, claims, clock, deliveries, lanes, plans, worker
from rollback_audit.engine import drain as draining
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.approvals import ApprovalAnswer
from rollback_audit.engine.approvers import standing_approvers
from rollback_audit.engine.claims import Claimed
from rollback_audit.engine.lanes import Lane, Turn
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.engine.reviews import DecisionKey
from rollback_audit.engine.runs import RunAnswer
from rollback_audit.engine.worker import RunRequest
from rollback_audit.ids import new_id
from rollback_audit.models import (
    Connector,
    Delivery,
    DeliveryAttempt,
    DeliveryPlan,
    EvidenceEntry,
    EvidencePackage,
    RetryPlan,
    RunLane,
    WorkerRun,
)
from rollback_audit.planning.facts import DEFAULT_POLICY, RetryPolicy
from rollback_audit.records.plans import RetryDecisionRecord, RetryPlanRecord
from rollback_audit.states import (
    AlertLevel,
    AttemptState,
    DeliveryState,
    FailureKind,
    MetadataKind,
    Outcome,
    Role,
    Source,
)
from tests.receivers import RecordingReceiver, Reply

OUTAGE = Reply(503)
AT_ONCE = RetryPolicy(max_retry_attempts=50, retry_delay_minutes=0, allow_immediate_retry=True)
_BATCH = 500


def take_turns(monkeypatch: pytest.MonkeyPatch, *, in_flight: int) -> None:
    """Let a worker claim only what fits on a narrow wire, so that a run takes many claims."""
    monkeypatch.setattr(draining, "IN_FLIGHT", in_flight)
    monkeypatch.setattr(draining, "MAX_AHEAD", 0)


def key_of(decision: RetryDecisionRecord) -> DecisionKey:
    return DecisionKey(decision.delivery_id, decision.audit_id, decision.provider)


def claim(run: WorkerRun, plan: RetryPlan, *, limit: int) -> Claimed:
    """Claim of a run over one connector as a worker does once the canary waves are over."""
    RunLane.objects.filter(run=run).update(open_until=F("selected_count"))
    turns = [Turn(Lane(row), limit) for row in RunLane.objects.filter(run=run)]
    with transaction.atomic():
        claimed = claims.claim(run, plan, turns, lanes.usable_connectors(), approvers=standing_approvers())
    return claimed[0] if claimed else Claimed([], 0)


def entries(kind: MetadataKind) -> int:
    """How many lines of a kind the ledger holds."""
    return EvidenceEntry.objects.filter(metadata_kind=kind).count()


class Loop:
    """A release manager who plans, a platform owner who approves and executes, and one who seconds."""

    def __init__(self, people: Callable[[str, Role], Actor]) -> None:
        self.manager = people("manager", Role.RELEASE_MANAGER)
        self.owner = people("owner", Role.PLATFORM_OWNER)
        self.second = people("second", Role.PLATFORM_OWNER)

    def fail(self, receiver: RecordingReceiver, *, reply: Reply = OUTAGE, to: str = "all") -> None:
        """Deliver an audit to a receiver that answers so. Afterwards it takes everything."""
        receiver.reply = reply
        assert not deliveries.deliver_audit(actor=self.manager, filters=AuditFilters(), delivery_provider=to).success
        receiver.reply = Reply(200)

    def plan(self, *, policy: RetryPolicy = AT_ONCE, **filters: str) -> RetryPlanRecord:
        """A plan; by default one that has no patience."""
        return plans.plan_retry(actor=self.manager, policy=policy, **filters)[0]

    def approve(self, plan: RetryPlanRecord, *, key: DecisionKey | None = None, **changes: Any) -> ApprovalAnswer:
        """Approve a plan's due decisions, or one of them, without asking for a review; twice where that is wanted."""
        asked, _ = approvals.request_approval(
            actor=self.manager, retry_plan_id=plan.retry_plan_id, require_retry_ack=False
        )
        people = [self.owner, self.second][: asked.approvals_needed]
        said = [
            approvals.decide(actor=person, approval_plan_id=asked.approval_plan_id, key=key, **changes)
            for person in people
        ]
        return said[0]

    def start(self, plan: RetryPlanRecord, **changes: Any) -> RunAnswer:
        """Queue a live run of exactly this plan."""
        request: dict[str, Any] = {
            "dry_run": False,
            "reason": "The receiver is back.",
            "retry_plan_id": plan.retry_plan_id,
            "plan_digest": plan.plan_digest,
            "max_retry_deliveries": 10_000,
            "timeout_seconds": 1.0,
        }
        return worker.start_run(actor=self.owner, request=RunRequest(**(request | changes)))

    def approved_run(self, *, policy: RetryPolicy = AT_ONCE, **changes: Any) -> RunAnswer:
        """Plan, approve everything that is due, and queue the live run."""
        plan = self.plan(policy=policy)
        self.approve(plan)
        return self.start(plan, **changes)

    def drained(self, started: RunAnswer) -> RunAnswer:
        """The run after this worker has done with it."""
        draining.drain(started.run.run_id)
        return worker.read_run(actor=self.owner, run_id=started.run.run_id)


def failed_rows(
    count: int,
    connector: Connector,
    *,
    failures: int = 1,
    kind: FailureKind = FailureKind.UNAVAILABLE,
    at: datetime | None = None,
) -> list[Delivery]:
    """Deliveries as the engine leaves them: failed with 503, the last time an hour ago."""
    at = at or clock.now() - timedelta(hours=1)
    package = EvidencePackage.objects.create(
        audit_id=new_id("gordackaudit"),
        source=Source.ACKNOWLEDGEMENT_AUDIT,
        alert_level=AlertLevel.HEALTHY,
        route_count=0,
        record="{}",
        digest="0" * 64,
        generated_by="test",
        actor="test",
        created_at=at,
    )
    plans_made = DeliveryPlan.objects.bulk_create(
        [_plan(package, connector, at=at) for _ in range(count)], batch_size=_BATCH
    )
    rows = Delivery.objects.bulk_create(
        [_delivery(plan, connector, failures=failures, kind=kind, at=at) for plan in plans_made], batch_size=_BATCH
    )
    DeliveryAttempt.objects.bulk_create([_first_attempt(row, at=at) for row in rows], batch_size=_BATCH)
    return rows


def _plan(package: EvidencePackage, connector: Connector, *, at: datetime) -> DeliveryPlan:
    delivery_id = new_id("gordackdelivery")
    event = f'{{"summary":{{"delivery_id":"{delivery_id}"}}}}'
    return DeliveryPlan(
        delivery_id=delivery_id,
        package=package,
        event=event,
        event_digest=hashlib.sha256(event.encode()).hexdigest(),
        event_type=deliveries.AUDIT_EVENT_TYPE,
        selected_providers=[connector.name],
        cadence="on_demand",
        generated_by="test",
        actor="test",
        created_at=at,
    )


def _delivery(plan: DeliveryPlan, connector: Connector, *, failures: int, kind: FailureKind, at: datetime) -> Delivery:
    return Delivery(
        plan=plan,
        connector=connector,
        delivery_id=plan.delivery_id,
        audit_id=plan.package.audit_id,
        provider=connector.name,
        source=plan.package.source,
        event_digest=plan.event_digest,
        event_id=new_id("gordackevent"),
        state=DeliveryState.FAILED,
        attempt_count=failures,
        failure_count=failures,
        failure_kind=kind,
        failed_status_codes=",".join(["503"] * failures),
        last_attempt_at=at,
        last_failed_at=at,
        due_at=at + timedelta(minutes=DEFAULT_POLICY.retry_delay_minutes),
        fence=1,
        created_at=at,
    )


def _first_attempt(row: Delivery, *, at: datetime) -> DeliveryAttempt:
    return DeliveryAttempt(
        delivery=row,
        number=1,
        fence=1,
        state=AttemptState.SETTLED,
        started_at=at,
        settled_at=at,
        outcome=Outcome.ANSWERED_5XX,
        failure_kind=FailureKind.UNAVAILABLE,
        status_code=503,
        duration_ms=20,
    )
