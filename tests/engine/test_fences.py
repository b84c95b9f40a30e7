"""Lease and fence: a holder that froze changes nothing afterwards, and no second send goes unannounced."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from rollback_audit.delivery.contract import Settlement
from rollback_audit.engine import attempts, clock, deliveries, dispatch, drain, leases, ledger, settlement
from rollback_audit.engine.attempts import Claim
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.engine.sweep import sweep, undriven
from rollback_audit.models import (
    ApprovalDecision,
    Connector,
    Delivery,
    DeliveryAttempt,
    EvidenceEntry,
    WorkerResult,
    WorkerRun,
)
from rollback_audit.states import (
    ConnectorStanding,
    DeliveryState,
    FailureKind,
    MetadataKind,
    Outcome,
    ResultState,
    RunState,
)
from tests.engine.conftest import People
from tests.engine.loop import Loop, claim, entries, failed_rows
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db
Later = Callable[[timedelta], None]
# Longer than any lease in here.
LONG = timedelta(minutes=5)


@pytest.fixture
def loop(people: People) -> Loop:
    return Loop(people)


@pytest.fixture
def webhook(configure: Callable[..., None], receiver: RecordingReceiver) -> Connector:
    configure(webhook=receiver.port)
    return Connector.objects.get()


@pytest.fixture
def freeze(monkeypatch: pytest.MonkeyPatch, later: Later) -> Later:
    """Lets time pass for everybody: the database's clock and this process's own."""
    monotonic, passed = time.monotonic, timedelta()

    def move(by: timedelta) -> None:
        nonlocal passed
        passed += by
        later(by)

    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + passed.total_seconds())
    return move


def rows_of(run_id: str) -> tuple[WorkerRun, Any]:
    run = WorkerRun.objects.select_related("retry_plan").get(run_id=run_id)
    return run, run.retry_plan


def claimed_by_a_worker(loop: Loop) -> tuple[str, list[Claim]]:
    """A started run whose results one worker has claimed and not yet sent."""
    started = loop.approved_run()
    run, plan = rows_of(started.run.run_id)
    drain._begin(run)
    claimed, skipped = claim(run, plan, limit=100)
    assert not skipped
    return started.run.run_id, claimed


def confirmed(claim: Claim) -> Settlement[Claim]:
    return Settlement(
        key=claim,
        outcome=Outcome.CONFIRMED,
        failure_kind=None,
        status_code=200,
        retry_after_seconds=None,
        duration_ms=5,
    )


def state() -> list[list[tuple[Any, ...]]]:
    """Everything a settlement may touch, but the ledger."""
    tables = (Delivery, DeliveryAttempt, WorkerResult, WorkerRun, ApprovalDecision, Connector)
    return [list(table.objects.order_by("pk").values_list()) for table in tables]


# --- Claiming -------------------------------------------------------------------------------------------------------


def test_a_claim_writes_its_attempt_raises_the_fence_and_spends_the_approval_before_anything_is_sent(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver
) -> None:
    failed_rows(2, webhook)
    _, claimed = claimed_by_a_worker(loop)
    assert [(claim.fence, claim.attempt_number) for claim in claimed] == [(2, 2), (2, 2)]
    for row in Delivery.objects.all():
        assert (row.state, row.fence, row.attempt_count) == (DeliveryState.SENDING, 2, 2)
        assert row.lease_until is not None
    assert DeliveryAttempt.objects.filter(state="sending", approval__isnull=False, fence=2).count() == 2
    assert not ApprovalDecision.objects.filter(consumed_at=None).exists()
    assert entries(MetadataKind.ATTEMPT_SENDING) == 2
    assert entries(MetadataKind.POSSIBLE_DUPLICATE) == 0
    assert not receiver.arrivals


def test_what_is_claimed_is_not_claimed_again(loop: Loop, webhook: Connector) -> None:
    failed_rows(5, webhook)
    started = loop.approved_run()
    run, plan = rows_of(started.run.run_id)
    first, _ = claim(run, plan, limit=3)
    second, _ = claim(run, plan, limit=3)
    assert (len(first), len(second)) == (3, 2)
    assert not {claim.delivery_pk for claim in first} & {claim.delivery_pk for claim in second}
    assert claim(run, plan, limit=3) == ([], 0)


def test_a_claim_leases_at_least_three_deadlines(loop: Loop, webhook: Connector) -> None:
    assert attempts.lease_seconds(10.0) == 30.0
    assert attempts.lease_seconds(0.1) == 5.0
    failed_rows(1, webhook)
    started = loop.approved_run(timeout_seconds=60.0)
    before = clock.now()
    claim(*rows_of(started.run.run_id), limit=1)
    lease = Delivery.objects.get().lease_until
    assert lease is not None
    assert before + timedelta(seconds=180) <= lease <= clock.now() + timedelta(seconds=180)


# --- A holder that froze --------------------------------------------------------------------------------------------


def test_a_holder_frozen_before_it_sends_sends_nothing(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver, freeze: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed_rows(3, webhook)
    started = loop.approved_run()
    send_of = attempts.send_of
    claimed: list[Claim] = []

    def freeze_and_send(claim: Claim, *arguments: Any, **options: Any) -> Any:
        if not claimed:
            freeze(LONG)
            leases.reclaim_expired()
        claimed.append(claim)
        return send_of(claim, *arguments, **options)

    monkeypatch.setattr(attempts, "send_of", freeze_and_send)
    drain.drain(started.run.run_id)
    assert not receiver.arrivals
    assert set(Delivery.objects.values_list("state", "failure_kind")) == {("failed", "worker_lost")}
    assert WorkerRun.objects.get().unknown_count == 3
    assert entries(MetadataKind.LATE_RESULT) == 3


def test_a_first_delivery_frozen_before_it_sends_sends_nothing(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver, freeze: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = dispatch.prepare

    def prepare_and_freeze(**arguments: Any) -> Any:
        prepared = prepare(**arguments)
        freeze(LONG)
        return prepared

    monkeypatch.setattr(dispatch, "prepare", prepare_and_freeze)
    answer = deliveries.deliver_audit(actor=loop.manager, filters=AuditFilters())
    assert not receiver.arrivals
    assert [item.failure_kind for item in answer.delivery.attempts] == [FailureKind.LEASE_LOST]


def test_a_holder_frozen_before_it_settles_changes_nothing_and_leaves_a_late_result(
    loop: Loop, webhook: Connector, freeze: Later
) -> None:
    failed_rows(1, webhook)
    run_id, (claim,) = claimed_by_a_worker(loop)
    freeze(LONG)
    assert leases.reclaim_expired() == 1
    before = state()

    settlement.settle([confirmed(claim)])
    assert state() == before
    assert entries(MetadataKind.LATE_RESULT) == 1
    line = ledger.read(EvidenceEntry.objects.get(metadata_kind=MetadataKind.LATE_RESULT))
    assert line["record"]["outcome"] == "confirmed"
    assert line["record"]["fence"] == claim.fence
    assert Delivery.objects.get().state == DeliveryState.FAILED
    assert drain.finish(WorkerRun.objects.get(run_id=run_id))
    assert WorkerRun.objects.get().unknown_count == 1


def test_a_holder_frozen_while_another_sends_again_changes_nothing(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver, freeze: Later
) -> None:
    failed_rows(1, webhook)
    _, (stale,) = claimed_by_a_worker(loop)
    freeze(LONG)
    leases.reclaim_expired()
    _, (fresh,) = claimed_by_a_worker(loop)
    assert fresh.fence > stale.fence
    before = state()

    settlement.settle([confirmed(stale)])
    assert state() == before
    settlement.settle([confirmed(fresh)])
    assert Delivery.objects.get().state == DeliveryState.DELIVERED
    assert list(DeliveryAttempt.objects.order_by("number").values_list("outcome", flat=True)) == [
        "answered_5xx",
        "unknown",
        "confirmed",
    ]


def test_a_holder_that_settles_twice_settles_once(loop: Loop, webhook: Connector) -> None:
    failed_rows(1, webhook)
    _, (claim,) = claimed_by_a_worker(loop)
    settlement.settle([confirmed(claim)])
    before = state()
    settlement.settle([confirmed(claim)])
    assert state() == before
    assert entries(MetadataKind.CONNECTOR_DELIVERY) == entries(MetadataKind.LATE_RESULT) == 1


def test_late_and_timely_results_of_one_batch_are_kept_apart(loop: Loop, webhook: Connector, freeze: Later) -> None:
    failed_rows(3, webhook)
    _, claimed = claimed_by_a_worker(loop)
    freeze(LONG)
    leases.renew(claimed[1:], seconds=60)
    assert leases.reclaim_expired() == 1
    settlement.settle([confirmed(claim) for claim in claimed])
    assert Delivery.objects.filter(state=DeliveryState.DELIVERED).count() == 2
    assert entries(MetadataKind.LATE_RESULT) == 1


def test_a_stale_holder_cannot_renew(loop: Loop, webhook: Connector, freeze: Later) -> None:
    failed_rows(1, webhook)
    _, (stale,) = claimed_by_a_worker(loop)
    freeze(LONG)
    leases.reclaim_expired()
    leases.renew([stale], seconds=60)
    assert Delivery.objects.get().lease_until is None
    claimed_by_a_worker(loop)
    lease = Delivery.objects.get().lease_until
    leases.renew([stale], seconds=6_000)
    assert Delivery.objects.get().lease_until == lease


# --- Leases that run out --------------------------------------------------------------------------------------------


def test_a_lease_is_left_alone_until_it_has_run_out(loop: Loop, webhook: Connector, later: Later) -> None:
    failed_rows(1, webhook)
    _, (claim,) = claimed_by_a_worker(loop)
    later(timedelta(seconds=4))
    assert leases.reclaim_expired() == 0
    leases.renew([claim], seconds=60)
    later(timedelta(seconds=55))
    assert leases.reclaim_expired() == 0
    later(timedelta(seconds=6))
    assert leases.reclaim_expired() == 1
    assert leases.reclaim_expired() == 0


def test_a_lost_attempt_is_unknown_and_its_possible_duplicate_is_announced(
    loop: Loop, webhook: Connector, freeze: Later
) -> None:
    failed_rows(1, webhook)
    _, (claim,) = claimed_by_a_worker(loop)
    freeze(LONG)
    leases.reclaim_expired()
    row = Delivery.objects.get()
    assert (row.state, row.failure_kind, row.failure_count) == (DeliveryState.FAILED, FailureKind.WORKER_LOST, 2)
    assert row.fence == claim.fence + 1
    assert WorkerResult.objects.get().state == ResultState.UNKNOWN
    assert entries(MetadataKind.POSSIBLE_DUPLICATE) == 1
    assert entries(MetadataKind.EXECUTION_RECORD) == 1


def test_a_possible_duplicate_is_in_the_ledger_before_the_second_send(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver
) -> None:
    loop.fail(receiver, reply=Reply(drop=True))
    assert Delivery.objects.get().failure_kind == FailureKind.CONNECTION_LOST
    assert entries(MetadataKind.POSSIBLE_DUPLICATE) == 0
    claimed_by_a_worker(loop)
    kinds = list(EvidenceEntry.objects.order_by("pk").values_list("metadata_kind", flat=True))
    assert kinds.index(MetadataKind.POSSIBLE_DUPLICATE) < len(kinds) - kinds[::-1].index(MetadataKind.ATTEMPT_SENDING)
    assert len(receiver.arrivals) == 1


def test_workers_lost_one_after_the_other_are_each_reclaimed(loop: Loop, webhook: Connector, freeze: Later) -> None:
    failed_rows(1, webhook)
    for lost in range(1, 5):
        claimed_by_a_worker(loop)
        freeze(LONG)
        assert leases.reclaim_expired() == 1
        assert Delivery.objects.get().failure_count == 1 + lost
    assert DeliveryAttempt.objects.filter(failure_kind=FailureKind.WORKER_LOST).count() == 4
    assert entries(MetadataKind.POSSIBLE_DUPLICATE) == 4


def test_a_first_attempt_whose_process_died_is_found_by_the_sweep(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver, freeze: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "send", lambda *_arguments, **_options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        deliveries.deliver_audit(actor=loop.manager, filters=AuditFilters())
    assert Delivery.objects.get().state == DeliveryState.SENDING
    assert loop.plan().retry_decisions[0].reason_code == "in_flight"
    freeze(LONG)
    sweep()
    row = Delivery.objects.get()
    assert (row.state, row.failure_kind, row.failure_count) == (DeliveryState.FAILED, FailureKind.WORKER_LOST, 1)
    assert loop.drained(loop.approved_run()).run.summary.delivered_count == 1
    assert len(receiver.arrivals) == 1


def test_the_sweep_finishes_a_run_whose_worker_died(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver, freeze: Later
) -> None:
    failed_rows(6, webhook)
    started = loop.approved_run()
    run, plan = rows_of(started.run.run_id)
    drain._begin(run)
    claim(run, plan, limit=2)
    assert undriven() == []
    freeze(LONG)
    assert undriven() == [run.run_id]
    sweep()
    run.refresh_from_db()
    assert (run.state, run.delivered_count, run.unknown_count) == (RunState.COMPLETED, 4, 2)
    assert len(receiver.arrivals) == 4


# --- What a refusal does to the connector ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        (401, ConnectorStanding.CREDENTIAL_REFUSED),
        (403, ConnectorStanding.CREDENTIAL_REFUSED),
        (404, ConnectorStanding.ADDRESS_REFUSED),
        (410, ConnectorStanding.ADDRESS_REFUSED),
    ],
)
def test_a_refused_credential_or_address_holds_the_connector_once(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver, status: int, standing: ConnectorStanding
) -> None:
    failed_rows(3, webhook)
    started = loop.approved_run()
    receiver.reply = Reply(status)
    changes = entries(MetadataKind.CONNECTOR_CHANGED)
    assert loop.drained(started).run.summary.failed_count == 3
    webhook.refresh_from_db()
    assert webhook.standing is standing
    assert entries(MetadataKind.CONNECTOR_CHANGED) == changes + 1
    assert loop.plan().waiting_count == 3


def test_doubt_outlives_a_later_failure_that_is_certain(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver, freeze: Later
) -> None:
    failed_rows(1, webhook)
    claimed_by_a_worker(loop)
    freeze(LONG)
    assert leases.reclaim_expired() == 1
    assert Delivery.objects.get().in_doubt
    receiver.reply = Reply(503)
    loop.drained(loop.approved_run())
    delivery = Delivery.objects.get()
    assert (delivery.failure_kind, delivery.in_doubt) == (FailureKind.UNAVAILABLE, True)
    assert entries(MetadataKind.POSSIBLE_DUPLICATE) == 2
