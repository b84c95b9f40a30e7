"""Workers are killed and frozen in the middle of live runs: nothing is lost, and nothing is sent twice in silence.

The receiver keeps its own record. Each run's seed is printed; CHAOS_SEED repeats it.
"""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from rollback_audit.models import Connector, Delivery, DeliveryAttempt, WorkerResult, WorkerRun
from rollback_audit.states import DeliveryState, FailureKind, MetadataKind, RunState
from tests.chaos.evidence import (
    assert_a_bundle_of_everything_verifies,
    assert_the_ledger_is_whole,
    tell_first_attempts,
)
from tests.chaos.workers import Worker, announcements
from tests.engine.conftest import People
from tests.engine.loop import Loop, entries, failed_rows
from tests.receivers import Arrival, RecordingReceiver, Reply
from tests.waiting import within

pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True), pytest.mark.timeout(420)]

# Short deadlines make short leases, so that a lost worker is noticed soon.
TIMEOUT_SECONDS = 2.0
LATENCY_SECONDS = 0.5
RUN_SECONDS = 120


@dataclass
class Witness:
    """The receiver's side: which key arrived when, and whether a repeat had been announced by then.

    `announced` looks into the ledger, over a connection of its own, while the repeat is still arriving.
    """

    announced: Callable[[str], int]
    keys: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, arrival: Arrival) -> Reply:
        key = arrival.headers["webhook-id"]
        delivery_id = json.loads(arrival.body)["summary"]["delivery_id"]
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            if self.keys.setdefault(delivery_id, key) != key:
                self.complaints.append(f"{delivery_id} changed its key")
            if self.bodies.setdefault(key, arrival.body) != arrival.body:
                self.complaints.append(f"{delivery_id} changed its body")
            if self.counts[key] > 1 and self.announced(delivery_id) < self.counts[key] - 1:
                self.complaints.append(f"{delivery_id} arrived again, unannounced")
        return Reply(200, latency_seconds=LATENCY_SECONDS)

    @property
    def arrived(self) -> int:
        with self.lock:
            return sum(self.counts.values())


@pytest.fixture
def loop(people: People) -> Loop:
    return Loop(people)


@pytest.fixture
def webhook(configure: Callable[..., None], receiver: RecordingReceiver) -> Connector:
    configure(webhook=receiver.port)
    return Connector.objects.get()


@pytest.fixture
def witness(receiver: RecordingReceiver) -> Iterator[Witness]:
    with announcements() as announced:
        receiver.reply = witness = Witness(announced)
        yield witness


def failed(count: int, webhook: Connector) -> None:
    """Deliveries whose first attempt has failed, and is in the ledger."""
    tell_first_attempts(failed_rows(count, webhook))


def start(loop: Loop) -> str | None:
    """Plan, approve and queue everything that is not delivered; None where there is nothing left."""
    plan = loop.plan()
    if not plan.decision_count:
        return None
    assert plan.retryable_count == plan.decision_count
    loop.approve(plan)
    return loop.start(plan, timeout_seconds=TIMEOUT_SECONDS).run.run_id


def finished(run_id: str) -> bool:
    return WorkerRun.objects.filter(run_id=run_id, completed_at__isnull=False).exists()


def kill_at_some_moment(run_id: str, witness: Witness, chance: random.Random) -> bool:
    """Start a worker and kill it: some moments after it began to send, or anywhere in its start. False if too late."""
    with Worker() as worker:
        if chance.random() < 0.8:
            before = witness.arrived
            within(30, lambda: witness.arrived > before or finished(run_id))
            time.sleep(chance.uniform(0.0, 1.0))
        else:
            time.sleep(chance.uniform(0.0, 4.0))
        if finished(run_id):
            return False
        worker.kill()
    return True


def assert_nothing_was_lost(witness: Witness) -> None:
    assert witness.complaints == []
    deliveries = {row.delivery_id: row for row in Delivery.objects.all()}
    assert {row.state for row in deliveries.values()} == {DeliveryState.DELIVERED}
    assert witness.keys == {name: row.event_id for name, row in deliveries.items()}


def assert_every_run_adds_up() -> None:
    for run in WorkerRun.objects.all():
        counted = run.delivered_count + run.failed_count + run.unknown_count + run.skipped_count
        assert (run.state, run.remaining_count) == (RunState.COMPLETED, 0)
        assert run.selected_retry_count == counted == run.results.count()
        states = list(run.results.values_list("state", flat=True))
        for word in ("delivered", "failed", "unknown", "skipped"):
            assert getattr(run, f"{word}_count") == states.count(word)
    # A worker also makes the dry runs that a schedule is due.
    assert entries(MetadataKind.WORKER_RUN) == WorkerRun.objects.count()
    assert entries(MetadataKind.RUN_QUEUED) == WorkerRun.objects.filter(dry_run=False).count()


def assert_every_attempt_is_accounted_for() -> None:
    attempts = DeliveryAttempt.objects.all()
    assert not attempts.filter(state="sending").exists()
    retries = attempts.filter(number__gt=1)
    assert not retries.filter(approval=None).exists()
    assert entries(MetadataKind.ATTEMPT_SENDING) == entries(MetadataKind.CONNECTOR_DELIVERY) == attempts.count()
    assert entries(MetadataKind.EXECUTION_RECORD) == WorkerResult.objects.filter(run__dry_run=False).count()
    by_delivery: dict[int, list[int]] = {}
    for delivery_pk, number in attempts.order_by("number").values_list("delivery_id", "number"):
        by_delivery.setdefault(delivery_pk, []).append(number)
    for row in Delivery.objects.all():
        assert by_delivery[row.pk] == list(range(1, row.attempt_count + 1))


def assert_the_evidence_proves_itself(folder: Path) -> None:
    assert_the_ledger_is_whole()
    print(assert_a_bundle_of_everything_verifies(folder))


@pytest.mark.parametrize(("count", "kills"), [(2_000, 10), (10_000, 4)])
def test_a_worker_killed_again_and_again_loses_nothing_and_repeats_nothing_in_silence(
    *, count: int, kills: int, loop: Loop, webhook: Connector, witness: Witness, chance: random.Random, tmp_path: Path
) -> None:
    failed(count, webhook)
    killed = 0
    while (run_id := start(loop)) is not None:
        while killed < kills and not finished(run_id):
            killed += kill_at_some_moment(run_id, witness, chance)
        with Worker():
            assert within(RUN_SECONDS, partial(finished, run_id))
    lost = DeliveryAttempt.objects.filter(failure_kind=FailureKind.WORKER_LOST).count()
    repeats = sum(arrived - 1 for arrived in witness.counts.values())
    print(f"{killed} kills, {WorkerRun.objects.count()} runs, {lost} attempts lost, {repeats} repeats, all announced")
    assert killed == kills
    assert lost
    assert_nothing_was_lost(witness)
    assert_every_run_adds_up()
    assert_every_attempt_is_accounted_for()
    assert_the_evidence_proves_itself(tmp_path)


def test_a_worker_that_froze_beyond_its_leases_changes_nothing_when_it_wakes(
    loop: Loop, webhook: Connector, witness: Witness, chance: random.Random, tmp_path: Path
) -> None:
    failed(1_000, webhook)
    run_id = start(loop)
    assert run_id is not None
    with Worker() as frozen:
        assert within(30, lambda: witness.arrived > 0)
        time.sleep(chance.uniform(0.0, 0.5))
        frozen.freeze()
        with Worker():
            assert within(RUN_SECONDS, partial(finished, run_id))
        receipt = WorkerRun.objects.filter(run_id=run_id).values().get()
        frozen.thaw()
        while (again := start(loop)) is not None:
            assert within(RUN_SECONDS, partial(finished, again))
        assert WorkerRun.objects.filter(run_id=run_id).values().get() == receipt
    late = entries(MetadataKind.LATE_RESULT)
    print(f"{receipt['unknown_count']} unknown, {late} late results")
    assert receipt["unknown_count"]
    assert_nothing_was_lost(witness)
    assert_every_run_adds_up()
    assert_every_attempt_is_accounted_for()
    assert_the_evidence_proves_itself(tmp_path)
