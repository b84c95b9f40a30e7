"""Several workers at one run, several runs at one approval, several people at one decision: one of each wins."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction

from rollback_audit.engine import approvals, drain, leases, worker
from rollback_audit.engine.sweep import sweep
from rollback_audit.errors import StateForbids
from rollback_audit.models import ApprovalDecision, Connector, Delivery, DeliveryAttempt, WorkerResult, WorkerRun
from rollback_audit.states import ApprovalState, DeliveryState, MetadataKind, RunState
from tests.engine.conftest import People
from tests.engine.loop import Loop, claim, entries, failed_rows, take_turns
from tests.engine.threads import at_once, meanwhile
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def loop(people: People) -> Loop:
    return Loop(people)


@pytest.fixture
def webhook(configure: Callable[..., None], receiver: RecordingReceiver) -> Connector:
    configure(webhook=receiver.port)
    return Connector.objects.get()


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of a few, so that workers have to take turns."""
    take_turns(monkeypatch, in_flight=4)


def keys(receiver: RecordingReceiver) -> Counter[str]:
    """How often each idempotency key arrived."""
    return Counter(arrival.headers["webhook-id"] for arrival in receiver.arrivals)


@pytest.mark.usefixtures("small_batches")
def test_workers_that_drain_one_run_send_each_delivery_once(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver
) -> None:
    failed_rows(80, webhook)
    receiver.reply = Reply(200, latency_seconds=0.02)
    started = loop.approved_run(timeout_seconds=20.0)
    at_once(lambda: drain.drain(started.run.run_id), times=4)
    sweep()
    done = worker.read_run(actor=loop.owner, run_id=started.run.run_id)
    assert (done.run.state, done.run.summary.delivered_count) == (RunState.COMPLETED, 80)
    assert len(keys(receiver)) == keys(receiver).total() == 80
    assert not Delivery.objects.exclude(state=DeliveryState.DELIVERED).exists()
    assert entries(MetadataKind.CONNECTOR_DELIVERY) == entries(MetadataKind.EXECUTION_RECORD) == 80
    assert entries(MetadataKind.WORKER_RUN) == 1


@pytest.mark.usefixtures("small_batches")
def test_runs_that_share_approvals_spend_each_of_them_once(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver
) -> None:
    failed_rows(40, webhook)
    plan = loop.plan()
    loop.approve(plan)
    queue = [loop.start(plan, timeout_seconds=20.0).run.run_id for _ in range(3)]
    waiting = iter(queue)
    at_once(lambda: drain.drain(next(waiting)), times=3)
    sweep()
    assert len(keys(receiver)) == keys(receiver).total() == 40
    runs = WorkerRun.objects.all()
    assert {run.state for run in runs} == {RunState.COMPLETED}
    assert sum(run.delivered_count for run in runs) == 40
    assert sum(run.skipped_count for run in runs) == 80
    skipped = set(WorkerResult.objects.exclude(skipped=None).values_list("skipped", flat=True))
    assert skipped <= {"in_flight", "approval_missing", "drifted"}


def test_a_run_is_closed_once_however_many_workers_find_it_settled(loop: Loop, webhook: Connector) -> None:
    failed_rows(1, webhook)
    started = loop.approved_run()
    run = WorkerRun.objects.get(run_id=started.run.run_id)
    drain._begin(run)
    drain._Drain(run).drive(lambda: False)
    assert sorted(at_once(lambda: drain.finish(run), times=6)) == [False] * 5 + [True]
    assert entries(MetadataKind.WORKER_RUN) == 1


def test_aborting_while_a_worker_drains_loses_no_result(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver, small_batches: None
) -> None:
    failed_rows(60, webhook)
    receiver.reply = Reply(200, latency_seconds=0.02)
    started = loop.approved_run(timeout_seconds=20.0)
    with meanwhile(lambda: drain.drain(started.run.run_id)):
        receiver.wait_for(8)
        worker.abort_run(actor=loop.owner, run_id=started.run.run_id, reason="Enough.")
    sweep()
    done = worker.read_run(actor=loop.owner, run_id=started.run.run_id).run
    assert done.state is RunState.ABORTED
    assert done.summary.delivered_count == keys(receiver).total() == len(keys(receiver))
    assert done.summary.delivered_count + done.summary.skipped_count == 60


def test_an_expired_lease_is_reclaimed_by_one_of_many(
    loop: Loop, webhook: Connector, later: Callable[[timedelta], None]
) -> None:
    failed_rows(30, webhook)
    started = loop.approved_run()
    run = WorkerRun.objects.select_related("retry_plan").get(run_id=started.run.run_id)
    claim(run, run.retry_plan, limit=100)
    later(timedelta(minutes=5))
    assert sum(at_once(lambda: leases.reclaim_expired(limit=7), times=6)) <= 30
    while leases.reclaim_expired():
        pass
    assert set(Delivery.objects.values_list("failure_count", "fence")) == {(2, 3)}
    assert DeliveryAttempt.objects.filter(number=2, outcome="unknown").count() == 30
    assert entries(MetadataKind.POSSIBLE_DUPLICATE) == 30


@pytest.mark.postgres
def test_a_claim_passes_over_what_another_worker_holds(loop: Loop, webhook: Connector) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("rows are locked one by one on PostgreSQL only")
    failed_rows(6, webhook)
    started = loop.approved_run()
    run = WorkerRun.objects.select_related("retry_plan").get(run_id=started.run.run_id)
    with transaction.atomic():
        held = list(WorkerResult.objects.select_for_update().order_by("ordinal")[:2])
        (taken,) = at_once(lambda: claim(run, run.retry_plan, limit=3)[0], times=1)
    assert len(taken) == 3
    assert not {row.delivery_id for row in held} & {claim.delivery_pk for claim in taken}


def test_people_who_decide_on_one_decision_at_once_leave_one_approval(loop: Loop, webhook: Connector) -> None:
    failed_rows(5, webhook)
    # Two plans of unchanged facts hold the same decisions, so locking one approval plan is not enough.
    asked = [
        approvals.request_approval(
            actor=loop.manager, retry_plan_id=loop.plan().retry_plan_id, require_retry_ack=False
        )[0].approval_plan_id
        for _ in range(2)
    ]
    waiting = iter(asked * 4)

    def decide() -> str:
        try:
            approvals.decide(actor=loop.owner, approval_plan_id=next(waiting))
        except StateForbids as refused:
            return refused.code
        return "approved"

    answers = Counter(at_once(decide, times=8))
    assert answers["approved"] >= 1
    assert answers.keys() <= {"approved", "decided_meanwhile"}
    live = ApprovalDecision.objects.filter(approval_state=ApprovalState.APPROVED, revoked_at=None)
    assert live.count() == 5
    assert entries(MetadataKind.APPROVAL_DECISION) == 5 * answers["approved"]
