"""The sweep finds every piece of work without a bell, and stops when it is told to."""

from collections.abc import Callable

import pytest
from django_q.models import OrmQ

from rollback_audit.engine import drain, worker
from rollback_audit.engine.sweep import sweep, undriven
from rollback_audit.models import Connector, WorkerRun
from rollback_audit.states import RunState
from tests.engine.conftest import People
from tests.engine.loop import Loop, failed_rows, take_turns
from tests.receivers import RecordingReceiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def loop(people: People) -> Loop:
    return Loop(people)


@pytest.fixture
def webhook(configure: Callable[..., None], receiver: RecordingReceiver) -> Connector:
    configure(webhook=receiver.port)
    return Connector.objects.get()


def test_nothing_to_do_is_done_at_once() -> None:
    sweep()
    assert undriven() == []


def test_a_bell_is_rung_for_a_live_run_with_nothing_but_its_id(loop: Loop, webhook: Connector) -> None:
    failed_rows(1, webhook)
    started = loop.approved_run()
    (bell,) = OrmQ.objects.all()
    assert bell.task["func"] == "rollback_audit.tasks.drain"
    assert bell.task["args"] == (started.run.run_id,)


def test_a_run_is_done_though_its_bell_was_lost(loop: Loop, webhook: Connector) -> None:
    failed_rows(3, webhook)
    started = loop.approved_run()
    OrmQ.objects.all().delete()
    assert undriven() == [started.run.run_id]
    sweep()
    assert worker.read_run(actor=loop.owner, run_id=started.run.run_id).run.summary.delivered_count == 3


def test_runs_are_taken_in_their_order(loop: Loop, webhook: Connector, receiver: RecordingReceiver) -> None:
    failed_rows(2, webhook)
    first = loop.approved_run(max_retry_deliveries=1)
    second = loop.approved_run(max_retry_deliveries=2)
    assert undriven() == [first.run.run_id, second.run.run_id]
    sweep()
    assert set(WorkerRun.objects.values_list("state", flat=True)) == {RunState.COMPLETED}
    assert len(receiver.arrivals) == 2


def test_a_run_that_somebody_drives_is_left_to_them(loop: Loop, webhook: Connector) -> None:
    failed_rows(1, webhook)
    started = loop.approved_run()
    drain._begin(WorkerRun.objects.get(run_id=started.run.run_id))
    assert undriven() == []
    sweep()
    assert WorkerRun.objects.get(run_id=started.run.run_id).state == RunState.RUNNING


def test_a_worker_told_to_stop_takes_nothing_and_the_next_one_finishes(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver
) -> None:
    failed_rows(3, webhook)
    started = loop.approved_run()
    sweep(should_stop=lambda: True)
    drain.drain(started.run.run_id, should_stop=lambda: True)
    assert not receiver.arrivals
    assert undriven() == [started.run.run_id]
    sweep()
    assert len(receiver.arrivals) == 3


def test_a_worker_told_to_stop_in_mid_run_settles_what_it_holds(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_turns(monkeypatch, in_flight=2)
    failed_rows(20, webhook)
    started = loop.approved_run()
    drain.drain(started.run.run_id, should_stop=lambda: len(receiver.arrivals) >= 4)
    run = WorkerRun.objects.get(run_id=started.run.run_id)
    stopped = worker.read_run(actor=loop.owner, run_id=run.run_id).run.summary
    assert 4 <= stopped.delivered_count == len(receiver.arrivals) < 20
    assert stopped.delivered_count + stopped.remaining_count == 20
    assert (run.state, run.driven_until) == (RunState.RUNNING, None)
    sweep()
    assert len(receiver.arrivals) == 20


def test_a_run_that_nobody_knows_is_an_error_and_a_finished_one_is_not(loop: Loop, webhook: Connector) -> None:
    failed_rows(1, webhook)
    started = loop.approved_run()
    done = loop.drained(started)
    assert loop.drained(started) == done
