"""Waves, stop rules, pace, concurrency and circuits: how a live run goes about its connectors."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import LazySettings

from rollback_audit.engine import connectors, deliveries, drain, leases, plans, worker
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.engine.runs import RunAnswer
from rollback_audit.engine.sweep import undriven
from rollback_audit.errors import StateForbids
from rollback_audit.models import ApprovalDecision, Connector, Delivery, EvidenceEntry, RetryPlan, RunLane, WorkerRun
from rollback_audit.planning.facts import DEFAULT_POLICY
from rollback_audit.records.runs import ConnectorReceiptRecord
from rollback_audit.states import (
    CircuitState,
    ConnectorStanding,
    DeliveryState,
    MetadataKind,
    ReasonCode,
    Role,
    RunState,
    SkipReason,
    StopReason,
)
from tests.engine.conftest import People
from tests.engine.loop import Loop, claim, entries, failed_rows, take_turns
from tests.engine.threads import at_once
from tests.receivers import Arrival, RecordingReceiver, Reply

pytestmark = pytest.mark.django_db
Later = Callable[[timedelta], None]
Configure = Callable[..., None]


@pytest.fixture
def loop(people: People) -> Loop:
    return Loop(people)


@pytest.fixture
def canary(settings: LazySettings) -> None:
    settings.CAVRA_CANARY_WAVES = "1,10,10%,rest"
    settings.CAVRA_STOP_FAILURE_PERCENT = 50
    settings.CAVRA_STOP_CONSECUTIVE_FAILURES = 5


def part_of(answer: RunAnswer, provider: str) -> ConnectorReceiptRecord:
    (found,) = [part for part in answer.run.receipt if part.provider == provider]
    return found


def changes_of(kind: str) -> list[str]:
    """What the ledger says happened to connectors, oldest first."""
    lines = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.CONNECTOR_CHANGED).order_by("pk")
    return [change for line in lines if (change := _change(line.body)).startswith(kind)]


def _change(body: str) -> str:
    return body.partition('"change":"')[2].partition('"')[0]


# --- Waves ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("canary")
def test_a_run_goes_out_in_waves_each_answered_before_the_next(
    loop: Loop, configure: Configure, receiver: RecordingReceiver
) -> None:
    configure(siem=receiver.port)
    failed_rows(100, Connector.objects.get())
    waves: list[int] = []
    started = loop.approved_run()
    open_waves = drain.Lanes.open_waves

    def noting(lanes: drain.Lanes) -> list[drain.Lane]:
        waves.append(len(receiver.arrivals))
        return open_waves(lanes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drain.Lanes, "open_waves", noting)
        finished = loop.drained(started)
    assert waves == [0, 1, 11, 21]
    assert finished.run.state == RunState.COMPLETED
    part = part_of(finished, "siem")
    assert (part.delivered_count, part.wave, part.wave_count, part.stop_reason) == (100, 4, 4, None)


@pytest.mark.usefixtures("canary")
def test_a_failed_canary_stops_its_connector_alone(
    loop: Loop, configure: Configure, receiver: RecordingReceiver
) -> None:
    with RecordingReceiver(Reply(503)) as sick:
        configure(siem=receiver.port, itsm=sick.port)
        for connector in Connector.objects.all():
            failed_rows(30, connector)
        finished = loop.drained(loop.approved_run())
        assert len(sick.arrivals) == 1
    well, ill = part_of(finished, "siem"), part_of(finished, "itsm")
    assert (well.delivered_count, well.stop_reason) == (30, None)
    assert (ill.failed_count, ill.skipped_count, ill.stop_reason) == (1, 29, StopReason.FAILURE_RATE)
    assert ill.skip_reasons == {"run_aborted": 29}
    assert ill.stopped_at is not None
    assert finished.run.state == RunState.COMPLETED
    assert (finished.run.summary.delivered_count, finished.run.summary.skipped_count) == (30, 29)


@pytest.mark.usefixtures("canary")
def test_a_run_whose_every_connector_stopped_is_aborted_and_says_why(
    loop: Loop, configure: Configure, receiver: RecordingReceiver
) -> None:
    configure(siem=receiver.port)
    failed_rows(30, Connector.objects.get())
    receiver.reply = Reply(500)
    started = loop.approved_run()
    finished = loop.drained(started)
    assert (finished.run.state, finished.run.aborted_by) == (RunState.ABORTED, "system")
    assert "stopped by its rule" in (finished.run.abort_reason or "")
    unspent = ApprovalDecision.objects.filter(consumed_at__isnull=True, revoked_at__isnull=True)
    assert unspent.count() == 29


@pytest.mark.usefixtures("canary")
def test_the_rest_stops_at_failures_in_a_row(loop: Loop, configure: Configure, receiver: RecordingReceiver) -> None:
    configure(siem=receiver.port, limits={"max_concurrency": 1, "circuit_threshold": 1000})
    failed_rows(40, Connector.objects.get())
    receiver.reply = lambda _: Reply(200 if len(receiver.arrivals) <= 20 else 500)
    finished = loop.drained(loop.approved_run())
    part = part_of(finished, "siem")
    assert (part.delivered_count, part.failed_count, part.skipped_count) == (20, 5, 15)
    assert part.stop_reason == StopReason.CONSECUTIVE_FAILURES


@pytest.mark.usefixtures("canary")
def test_a_lost_worker_is_no_word_of_the_receiver(
    loop: Loop, configure: Configure, receiver: RecordingReceiver, later: Later
) -> None:
    configure(siem=receiver.port)
    failed_rows(30, Connector.objects.get())
    started = loop.approved_run()
    claim(WorkerRun.objects.get(), RetryPlan.objects.get(), limit=11)
    RunLane.objects.update(open_until=11, wave=2, wave_from=2)
    later(timedelta(hours=1))
    assert leases.reclaim_expired() == 11
    finished = loop.drained(started)
    part = part_of(finished, "siem")
    assert (part.unknown_count, part.delivered_count, part.stop_reason) == (11, 19, None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("canary")
def test_two_workers_open_each_wave_once(loop: Loop, configure: Configure, receiver: RecordingReceiver) -> None:
    configure(siem=receiver.port)
    failed_rows(60, Connector.objects.get())
    started = loop.approved_run()
    at_once(lambda: drain.drain(started.run.run_id), times=2)
    for run_id in undriven():  # what the two have left to each other, if anything
        drain.drain(run_id)
    answer = worker.read_run(actor=loop.owner, run_id=started.run.run_id)
    assert (answer.run.state, answer.run.summary.delivered_count) == (RunState.COMPLETED, 60)
    assert len(receiver.arrivals) == 60
    assert RunLane.objects.get().wave == 4


# --- Pause and resume -----------------------------------------------------------------------------------------------


def test_a_paused_run_sends_nothing_until_it_is_resumed(
    loop: Loop, configure: Configure, receiver: RecordingReceiver
) -> None:
    configure(siem=receiver.port)
    failed_rows(3, Connector.objects.get())
    started = loop.approved_run()
    paused = worker.pause_run(actor=loop.owner, run_id=started.run.run_id, reason="The receiver is being moved.")
    assert (paused.run.paused_by, paused.run.pause_reason) == ("owner", "The receiver is being moved.")
    drain.drain(started.run.run_id)
    assert not receiver.arrivals
    worker.resume_run(actor=loop.owner, run_id=started.run.run_id, reason="It has been moved.")
    finished = loop.drained(started)
    assert (finished.run.state, finished.run.summary.delivered_count) == (RunState.COMPLETED, 3)
    assert finished.run.paused_at is None
    assert entries(MetadataKind.RUN_CHANGED) == 2


def test_a_run_paused_in_mid_run_settles_what_is_on_the_wire_and_keeps_the_rest(
    loop: Loop, configure: Configure, receiver: RecordingReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_turns(monkeypatch, in_flight=2)
    configure(siem=receiver.port)
    failed_rows(9, Connector.objects.get())
    started = loop.approved_run()
    settled = drain.settlement.settle

    def pause_then_settle(*arguments: object) -> None:
        if len(receiver.arrivals) >= 2 and not RunLane.objects.filter(run__paused_at__isnull=False).exists():
            worker.pause_run(actor=loop.owner, run_id=started.run.run_id, reason="Wait.")
        settled(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(drain.settlement, "settle", pause_then_settle)
    drain.drain(started.run.run_id)
    halted = worker.read_run(actor=loop.owner, run_id=started.run.run_id).run.summary
    assert halted.delivered_count == len(receiver.arrivals) < 9
    assert halted.remaining_count == 9 - halted.delivered_count
    monkeypatch.setattr(drain.settlement, "settle", settled)
    worker.resume_run(actor=loop.owner, run_id=started.run.run_id, reason="Go on.")
    assert loop.drained(started).run.summary.delivered_count == 9


def test_pausing_and_resuming_fit_the_state(loop: Loop, configure: Configure, receiver: RecordingReceiver) -> None:
    configure(siem=receiver.port)
    failed_rows(1, Connector.objects.get())
    run_id = loop.approved_run().run.run_id
    with pytest.raises(StateForbids, match="not paused"):
        worker.resume_run(actor=loop.owner, run_id=run_id, reason="Go on.")
    worker.pause_run(actor=loop.owner, run_id=run_id, reason="Wait.")
    with pytest.raises(StateForbids, match="paused already"):
        worker.pause_run(actor=loop.owner, run_id=run_id, reason="Wait.")
    worker.abort_run(actor=loop.owner, run_id=run_id, reason="Never mind.")
    with pytest.raises(StateForbids, match="finished"):
        worker.pause_run(actor=loop.owner, run_id=run_id, reason="Wait.")


# --- Pace and concurrency -------------------------------------------------------------------------------------------


def test_a_paced_connector_is_sent_to_at_its_pace(
    loop: Loop, configure: Configure, receiver: RecordingReceiver
) -> None:
    configure(siem=receiver.port, limits={"requests_per_second": 20})
    failed_rows(12, Connector.objects.get())
    assert loop.drained(loop.approved_run()).run.summary.delivered_count == 12
    moments = sorted(arrival.at for arrival in receiver.arrivals)
    # Three may go at once, the other nine one after the other.
    assert moments[-1] - moments[0] >= 8 / 20


@pytest.mark.django_db(transaction=True)
def test_concurrency_holds_over_all_workers(loop: Loop, configure: Configure, receiver: RecordingReceiver) -> None:
    configure(siem=receiver.port, limits={"max_concurrency": 3})
    failed_rows(20, Connector.objects.get())
    most, now = [0], [0]

    def slowly(_: Arrival) -> Reply:
        now[0] += 1
        most[0] = max(most[0], now[0])
        time.sleep(0.02)
        now[0] -= 1
        return Reply(200)

    receiver.reply = slowly
    started = loop.approved_run()
    at_once(lambda: drain.drain(started.run.run_id), times=2)
    assert worker.read_run(actor=loop.owner, run_id=started.run.run_id).run.summary.delivered_count == 20
    assert 1 <= most[0] <= 3


def test_a_slow_connector_leaves_the_wire_to_the_others(
    loop: Loop, configure: Configure, receiver: RecordingReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_turns(monkeypatch, in_flight=8)
    with RecordingReceiver(Reply(200, latency_seconds=0.5)) as slow:
        configure(slow=slow.port, quick=receiver.port)
        for connector in Connector.objects.order_by("-name"):
            failed_rows(24, connector)
        loop.drained(loop.approved_run())
        assert len(slow.arrivals) == len(receiver.arrivals) == 24
        done = sorted(arrival.at for arrival in receiver.arrivals)[-1]
        late = sorted(arrival.at for arrival in slow.arrivals)
    assert sum(at < done for at in late) <= 12


# --- Circuits -------------------------------------------------------------------------------------------------------


def test_a_circuit_opens_is_probed_and_closes(
    loop: Loop, configure: Configure, receiver: RecordingReceiver, later: Later
) -> None:
    configure(siem=receiver.port, limits={"circuit_threshold": 3, "circuit_open_seconds": 60, "max_concurrency": 1})
    failed_rows(8, Connector.objects.get())
    receiver.reply = Reply(503)
    finished = loop.drained(loop.approved_run())
    part = part_of(finished, "siem")
    assert (part.failed_count, part.skip_reasons) == (3, {"connector_on_hold": 5})
    row = Connector.objects.get()
    assert (row.standing, row.circuit) == (ConnectorStanding.CIRCUIT_OPEN, CircuitState.OPEN)
    held = loop.plan()
    assert {item.reason_code for item in held.retry_decisions} == {ReasonCode.CONNECTOR_ON_HOLD}

    receiver.reply = Reply(200)
    later(timedelta(seconds=61))
    again = loop.drained(loop.approved_run())
    assert again.run.summary.delivered_count == 8
    row.refresh_from_db()
    assert (row.standing, row.circuit) == (ConnectorStanding.READY, CircuitState.CLOSED)
    assert changes_of("circuit") == ["circuit_opened", "circuit_half_open", "circuit_closed"]


def test_a_failed_probe_opens_the_circuit_again_after_one_request(
    loop: Loop, configure: Configure, receiver: RecordingReceiver, later: Later
) -> None:
    configure(siem=receiver.port, limits={"circuit_threshold": 2, "circuit_open_seconds": 60})
    failed_rows(8, Connector.objects.get())
    receiver.reply = Reply(503)
    loop.drained(loop.approved_run())
    sent = len(receiver.arrivals)
    later(timedelta(seconds=61))
    loop.drained(loop.approved_run())
    assert len(receiver.arrivals) == sent + 1
    assert Connector.objects.get().circuit == CircuitState.OPEN


def test_refused_credentials_outrank_an_open_circuit(
    loop: Loop, configure: Configure, receiver: RecordingReceiver, later: Later
) -> None:
    configure(siem=receiver.port, limits={"circuit_threshold": 1, "circuit_open_seconds": 1})
    failed_rows(2, Connector.objects.get())
    receiver.reply = Reply(503)
    loop.drained(loop.approved_run(max_retry_deliveries=1))
    receiver.reply = Reply(401)
    later(timedelta(seconds=2))
    loop.drained(loop.approved_run(max_retry_deliveries=1))
    row = Connector.objects.get()
    assert (row.standing, row.circuit) == (ConnectorStanding.CREDENTIAL_REFUSED, CircuitState.CLOSED)
    later(timedelta(days=1))
    loop.plan()
    row.refresh_from_db()
    assert row.standing == ConnectorStanding.CREDENTIAL_REFUSED


def test_releasing_or_testing_a_connector_closes_its_circuit(
    loop: Loop, configure: Configure, receiver: RecordingReceiver
) -> None:
    configure(siem=receiver.port, limits={"circuit_threshold": 1})
    failed_rows(1, Connector.objects.get())
    receiver.reply = Reply(503)
    loop.drained(loop.approved_run())
    assert Connector.objects.get().circuit == CircuitState.OPEN
    connectors.release(actor=loop.owner, name="siem", reason="It was being restarted.")
    row = Connector.objects.get()
    assert (row.standing, row.circuit) == (ConnectorStanding.READY, CircuitState.CLOSED)


# --- What a receiver says of time -----------------------------------------------------------------------------------


def test_being_told_to_wait_uses_up_no_attempt_and_each_refusal_changes_the_decision(
    loop: Loop, configure: Configure, receiver: RecordingReceiver, later: Later, people: People
) -> None:
    configure(siem=receiver.port)
    manager = people("manager", Role.RELEASE_MANAGER)

    def decided() -> tuple[str, int]:
        plan, _ = plans.plan_retry(actor=manager, policy=DEFAULT_POLICY)
        (decision,) = plan.retry_decisions
        return decision.reason_code, decision.retry_count

    def retried(reply: Reply) -> None:
        receiver.reply = reply
        loop.drained(loop.approved_run(policy=DEFAULT_POLICY))

    receiver.reply = Reply(503)
    deliveries.deliver_audit(actor=manager, filters=AuditFilters())
    assert decided() == (ReasonCode.BACKOFF, 1)
    later(timedelta(minutes=15))
    retried(Reply(429, headers=(("Retry-After", "3600"),)))
    assert decided() == (ReasonCode.RETRY_AFTER, 1)
    later(timedelta(minutes=59))
    assert decided() == (ReasonCode.RETRY_AFTER, 1)
    later(timedelta(minutes=1, seconds=1))
    retried(Reply(401))
    assert decided() == (ReasonCode.CONNECTOR_ON_HOLD, 2)
    connectors.release(actor=loop.owner, name="siem", reason="The token was renewed.")
    later(timedelta(minutes=30))
    assert decided() == (ReasonCode.DUE, 2)
    retried(Reply(200))
    assert Delivery.objects.get().state == DeliveryState.DELIVERED
    assert Delivery.objects.get().attempt_count == 4


# --- Drift ----------------------------------------------------------------------------------------------------------


def test_a_drifted_result_says_what_was_approved_and_what_is_now(
    loop: Loop, configure: Configure, receiver: RecordingReceiver
) -> None:
    configure(siem=receiver.port)
    failed_rows(1, Connector.objects.get())
    started = loop.approved_run()
    before = Connector.objects.get().revision
    with RecordingReceiver() as other:
        configure(siem=other.port)
        finished = loop.drained(started)
        assert not other.arrivals
    (result,) = finished.retry_results
    assert result.skipped == SkipReason.DRIFTED
    (found,) = result.drift
    assert (found.field, found.approved, found.now) == (
        "connector_revision",
        before[:8],
        Connector.objects.get().revision[:8],
    )
    assert not receiver.arrivals
