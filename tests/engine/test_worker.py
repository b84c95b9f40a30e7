"""Runs: what a dry one leaves alone, what a live one may send, and a receipt that adds up."""

import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps

from rollback_audit.engine import clock, drain, ledger, plans, worker
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.runs import RunAnswer
from rollback_audit.engine.worker import RunRequest
from rollback_audit.errors import InvalidInput, NotAllowed, StateForbids, UnknownRecord
from rollback_audit.models import (
    Connector,
    Delivery,
    EvidenceEntry,
    RetryDecision,
    RetryPlan,
    WorkerResult,
    WorkerRun,
)
from rollback_audit.planning.facts import RetryPolicy
from rollback_audit.states import (
    ApprovalState,
    ConnectorStanding,
    DeliveryState,
    FailureKind,
    FollowUpApproval,
    MetadataKind,
    ResultState,
    Role,
    RunState,
    SkipReason,
)
from tests.engine.conftest import People
from tests.engine.loop import AT_ONCE, Loop, claim, entries, failed_rows, key_of, take_turns
from tests.engine.threads import meanwhile
from tests.receivers import Arrival, RecordingReceiver, Reply

pytestmark = pytest.mark.django_db
Later = Callable[[timedelta], None]
Snapshot = dict[str, list[tuple[Any, ...]]]

DRY = RunRequest(policy=AT_ONCE, max_retry_deliveries=10_000)
_watched_thread: list[int] = []
_sockets: list[str] = []


def _watch(event: str, _arguments: tuple[object, ...]) -> None:
    # The receiver opens sockets too, on threads of its own; ours opens them on the watched one or on a wire of its own.
    if event in {"socket.__new__", "socket.connect"} and _watched_thread and _is_ours(threading.current_thread()):
        _sockets.append(event)


def _is_ours(thread: threading.Thread) -> bool:
    return thread.ident in _watched_thread or thread.name == "wire"


# An audit hook stays for the life of the process; it looks only while a thread is being watched.
sys.addaudithook(_watch)


@pytest.fixture
def loop(people: People) -> Loop:
    return Loop(people)


@pytest.fixture
def webhook(configure: Callable[..., None], receiver: RecordingReceiver) -> Connector:
    configure(webhook=receiver.port)
    return Connector.objects.get()


def sockets_opened_by(work: Callable[[], object]) -> list[str]:
    _sockets.clear()
    _watched_thread.append(threading.get_ident())
    try:
        work()
    finally:
        _watched_thread.clear()
    return list(_sockets)


def everything() -> Snapshot:
    """Every row of every table."""
    tables = [model for model in apps.get_models() if model._meta.managed]
    return {model._meta.label: list(model._base_manager.order_by("pk").values_list()) for model in tables}


def assert_adds_up(answer: RunAnswer) -> None:
    receipt = answer.run.summary
    parts = (receipt.delivered_count, receipt.failed_count, receipt.skipped_count, receipt.unknown_count)
    assert receipt.selected_retry_count == sum(parts) + receipt.remaining_count
    states = list(WorkerResult.objects.filter(run__run_id=answer.run.run_id).values_list("state", flat=True))
    assert parts == tuple(states.count(word) for word in ("delivered", "failed", "skipped", "unknown"))


# --- Dry runs -------------------------------------------------------------------------------------------------------


def test_the_watch_on_sockets_sees_a_live_run(loop: Loop, webhook: Connector) -> None:
    failed_rows(1, webhook)
    live = loop.approved_run()
    assert "socket.__new__" in sockets_opened_by(lambda: drain.drain(live.run.run_id))


def test_a_dry_run_opens_no_socket(loop: Loop, webhook: Connector, receiver: RecordingReceiver) -> None:
    failed_rows(5, webhook)
    assert sockets_opened_by(lambda: worker.start_run(actor=loop.manager, request=DRY)) == []
    assert receiver.connection_count == 0


def test_a_dry_run_changes_nothing_but_its_own_record(loop: Loop, webhook: Connector) -> None:
    failed_rows(5, webhook)
    plan = loop.plan()
    loop.approve(plan)
    before = everything()
    named = RunRequest(retry_plan_id=plan.retry_plan_id, plan_digest=plan.plan_digest, max_retry_deliveries=3)
    worker.start_run(actor=loop.manager, request=named)
    after = everything()

    grown = {table: len(after[table]) - len(rows) for table, rows in before.items() if after[table] != rows}
    assert grown == {
        "rollback_audit.WorkerRun": 1,
        "rollback_audit.WorkerResult": 3,
        "rollback_audit.EvidenceEntry": 1,
    }
    assert all(after[table][: len(rows)] == rows for table, rows in before.items())


def test_a_dry_run_without_a_plan_adds_its_plan_and_changes_no_delivery(loop: Loop, webhook: Connector) -> None:
    failed_rows(5, webhook)
    before = everything()
    worker.start_run(actor=loop.manager, request=DRY)
    after = everything()
    changed = {table for table, rows in before.items() if after[table] != rows}
    assert changed == {
        f"rollback_audit.{name}"
        for name in ("WorkerRun", "WorkerResult", "RetryPlan", "RetryDecision", "EvidenceEntry")
    }
    assert RetryPlan.objects.count() == 1
    assert RetryDecision.objects.count() == 5


def test_a_dry_run_is_finished_when_it_is_answered_and_says_what_a_live_one_would_do(
    loop: Loop, webhook: Connector
) -> None:
    failed_rows(7, webhook)
    answer = worker.start_run(actor=loop.manager, request=RunRequest(policy=AT_ONCE))
    assert answer.run.state is RunState.COMPLETED
    assert answer.run.summary.selected_retry_count == answer.run.summary.skipped_count == 5
    assert answer.run.summary.over_limit_count == 2
    assert {item.skipped for item in answer.retry_results} == {SkipReason.DRY_RUN}
    assert {item.approval_state for item in answer.run.follow_up_actions} == {FollowUpApproval.DRY_RUN_NOT_REQUIRED}
    assert all(item.execution_record is None and item.delivery is None for item in answer.retry_results)
    assert answer.metadata.metadata_kind is MetadataKind.WORKER_RUN
    assert answer.retry_metadata is not None
    assert_adds_up(answer)


# --- What a run may be asked ----------------------------------------------------------------------------------------


def test_a_live_run_wants_the_permission_and_a_reason(loop: Loop, people: People) -> None:
    with pytest.raises(NotAllowed):
        worker.start_run(actor=loop.manager, request=RunRequest(dry_run=False, reason="Now."))
    with pytest.raises(NotAllowed):
        worker.start_run(actor=people("analyst", Role.SOC_ANALYST), request=RunRequest())
    for reason in ("", " ", "\n"):
        with pytest.raises(InvalidInput) as refused:
            worker.start_run(actor=loop.owner, request=RunRequest(dry_run=False, reason=reason))
        assert list(refused.value.fields) == ["reason"]
    assert not WorkerRun.objects.exists()


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_disabled_schedule_does_not_run(loop: Loop, dry_run: bool) -> None:
    with pytest.raises(StateForbids) as refused:
        worker.start_run(actor=loop.owner, request=RunRequest(enabled=False, dry_run=dry_run, reason="Now."))
    assert refused.value.code == "schedule_disabled"
    assert not WorkerRun.objects.exists()


def test_a_named_plan_is_run_only_with_its_digest(loop: Loop, webhook: Connector) -> None:
    failed_rows(1, webhook)
    plan, other = loop.plan(), loop.plan()
    with pytest.raises(StateForbids) as mismatch:
        loop.start(plan, plan_digest=other.plan_digest)
    assert mismatch.value.code == "plan_digest_mismatch"
    with pytest.raises(InvalidInput) as missing:
        worker.start_run(actor=loop.manager, request=RunRequest(retry_plan_id=plan.retry_plan_id))
    assert list(missing.value.fields) == ["plan_digest"]
    with pytest.raises(InvalidInput) as unnamed:
        worker.start_run(actor=loop.manager, request=RunRequest(plan_digest=plan.plan_digest))
    assert list(unnamed.value.fields) == ["retry_plan_id"]
    with pytest.raises(UnknownRecord):
        worker.start_run(actor=loop.manager, request=RunRequest(retry_plan_id="gordackretry-0", plan_digest="0" * 64))
    assert not WorkerRun.objects.exists()


def test_a_run_has_the_window_and_cadence_of_its_interval(loop: Loop) -> None:
    answer = worker.start_run(actor=loop.manager, request=RunRequest(interval_minutes=90))
    window = answer.run.schedule
    assert window.cadence == "every_90_minutes"
    assert window.window_end - window.window_start == timedelta(minutes=90)
    assert window.window_start <= answer.run.generated_at < window.window_end
    named = worker.start_run(actor=loop.manager, request=RunRequest(cadence="nightly"))
    assert named.run.schedule.cadence == "nightly"


def test_an_unknown_run_is_unknown_to_every_verb(loop: Loop) -> None:
    with pytest.raises(UnknownRecord):
        worker.read_run(actor=loop.owner, run_id="gordackworker-0")
    with pytest.raises(UnknownRecord):
        worker.wait_for_run(actor=loop.owner, run_id="gordackworker-0", timeout_seconds=0)
    with pytest.raises(UnknownRecord):
        worker.abort_run(actor=loop.owner, run_id="gordackworker-0", reason="Wrong one.")


# --- Selection ------------------------------------------------------------------------------------------------------


def test_a_live_run_without_approvals_selects_nothing_and_says_how_many_wait(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver
) -> None:
    failed_rows(4, webhook)
    done = loop.drained(loop.start(loop.plan()))
    assert done.run.state is RunState.COMPLETED
    assert (done.run.summary.selected_retry_count, done.run.summary.approval_pending_count) == (0, 4)
    assert done.run.summary.follow_up_action_count == len(done.run.follow_up_actions) == 4
    assert {item.approval_state for item in done.run.follow_up_actions} == {FollowUpApproval.APPROVAL_REQUIRED}
    assert not receiver.arrivals


def test_the_oldest_due_go_first_and_the_cap_leaves_the_rest(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver
) -> None:
    now = clock.now()
    young = failed_rows(3, webhook, at=now - timedelta(minutes=10))
    old = failed_rows(3, webhook, at=now - timedelta(minutes=30))
    plan = loop.plan()
    loop.approve(plan)
    started = loop.start(plan, max_retry_deliveries=4)
    wanted = sorted(row.delivery_id for row in old) + sorted(row.delivery_id for row in young)[:1]
    assert [item.delivery_id for item in started.run.selected_retries] == wanted
    assert (started.run.summary.selected_retry_count, started.run.summary.over_limit_count) == (4, 2)
    assert started.run.summary.remaining_count == 4

    dry = worker.start_run(actor=loop.manager, request=RunRequest(policy=AT_ONCE, max_retry_deliveries=4))
    assert [item.delivery_id for item in dry.run.selected_retries] == wanted
    assert loop.drained(started).run.summary.delivered_count == len(receiver.arrivals) == 4


def test_a_live_run_takes_the_approved_and_counts_the_others(loop: Loop, webhook: Connector) -> None:
    failed_rows(5, webhook)
    plan = loop.plan()
    for decision in plan.retry_decisions[:2]:
        loop.approve(plan, key=key_of(decision))
    started = loop.start(plan)
    assert (started.run.summary.selected_retry_count, started.run.summary.approval_pending_count) == (2, 3)
    states = [item.approval_state for item in started.run.follow_up_actions]
    assert states == [FollowUpApproval.APPROVED] * 2 + [FollowUpApproval.APPROVAL_REQUIRED] * 3


# --- Receipts -------------------------------------------------------------------------------------------------------


def test_a_receipt_counts_every_way_a_result_can_end(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver
) -> None:
    failed_rows(9, webhook)
    plan = loop.plan()
    loop.approve(plan)
    ids = [item.delivery_id for item in plan.retry_decisions]
    replies = dict(zip(ids, [Reply(200), Reply(503), Reply(400), Reply(drop=True), Reply(204)], strict=False))

    def answer(arrival: Arrival) -> Reply:
        return next((reply for name, reply in replies.items() if name.encode() in arrival.body), Reply(200))

    receiver.reply = answer
    started = loop.start(plan)
    Delivery.objects.filter(delivery_id=ids[8]).update(state=DeliveryState.CLOSED)
    done = loop.drained(started)
    receipt = done.run.summary
    assert done.run.state is RunState.COMPLETED
    assert (receipt.delivered_count, receipt.failed_count) == (5, 2)
    assert (receipt.unknown_count, receipt.skipped_count, receipt.remaining_count) == (1, 1, 0)
    assert_adds_up(done)
    assert [str(item.execution_record.execution_status) for item in done.retry_results if item.execution_record] == [
        "delivered",
        "failed",
        "failed",
        "unknown",
        *["delivered"] * 4,
        "skipped",
    ]
    assert entries(MetadataKind.EXECUTION_RECORD) == 9
    assert Delivery.objects.get(delivery_id=ids[2]).failure_kind == FailureKind.PAYLOAD_REFUSED
    line = ledger.read(EvidenceEntry.objects.get(entry_id=done.run.run_id))
    assert line["record"]["summary"]["delivered_count"] == 5


def test_a_run_is_recorded_when_it_is_queued_and_again_with_its_receipt(loop: Loop, webhook: Connector) -> None:
    failed_rows(1, webhook)
    started = loop.approved_run()
    assert started.metadata.metadata_kind is MetadataKind.RUN_QUEUED
    done = loop.drained(started)
    assert done.metadata.metadata_kind is MetadataKind.WORKER_RUN
    assert (entries(MetadataKind.RUN_QUEUED), entries(MetadataKind.WORKER_RUN)) == (1, 1)


def test_failures_add_up_over_runs_until_the_policy_gives_up(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver
) -> None:
    policy = RetryPolicy(max_retry_attempts=4, retry_delay_minutes=0, allow_immediate_retry=True)
    loop.fail(receiver)
    receiver.reply = Reply(500)
    while loop.plan(policy=policy).retryable_count:
        loop.drained(loop.approved_run(policy=policy))
    row = Delivery.objects.get()
    assert (row.failure_count, row.attempt_count, row.failed_status_codes) == (4, 4, "503,500,500,500")
    assert len({arrival.headers["webhook-id"] for arrival in receiver.arrivals}) == 1
    assert len({arrival.body for arrival in receiver.arrivals}) == 1
    assert len(receiver.arrivals) == 4


# --- Why a selected result is not sent after all --------------------------------------------------------------------


def skipped_because(loop: Loop, started: RunAnswer, receiver: RecordingReceiver) -> SkipReason | None:
    """The reason of the run's only result, after making sure that nothing was sent and nothing spent."""
    arrived = len(receiver.arrivals)
    done = loop.drained(started)
    (result,) = done.retry_results
    assert len(receiver.arrivals) == arrived
    assert done.run.state is RunState.COMPLETED
    assert result.delivery is None
    assert result.execution_record is not None
    assert result.execution_record.skipped is result.skipped
    assert_adds_up(done)
    return result.skipped


def test_an_approval_that_ran_out_before_its_turn_sends_nothing(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver, later: Later
) -> None:
    failed_rows(1, webhook)
    plan = loop.plan()
    loop.approve(plan, expires_in_minutes=5)
    started = loop.start(plan)
    later(timedelta(minutes=5))
    assert skipped_because(loop, started, receiver) is SkipReason.APPROVAL_EXPIRED


def test_an_approval_taken_back_before_its_turn_sends_nothing(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver
) -> None:
    failed_rows(1, webhook)
    plan = loop.plan()
    loop.approve(plan)
    started = loop.start(plan)
    loop.approve(plan, approval_state=ApprovalState.DENIED)
    assert skipped_because(loop, started, receiver) is SkipReason.APPROVAL_REVOKED


def test_a_connector_configured_anew_is_not_what_was_approved(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver, configure: Callable[..., None]
) -> None:
    failed_rows(1, webhook)
    started = loop.approved_run()
    with RecordingReceiver() as elsewhere:
        configure(webhook=elsewhere.port)
        assert skipped_because(loop, started, receiver) is SkipReason.DRIFTED
        assert not elsewhere.arrivals


def test_a_connector_on_hold_is_not_sent_to(loop: Loop, webhook: Connector, receiver: RecordingReceiver) -> None:
    failed_rows(1, webhook)
    started = loop.approved_run()
    Connector.objects.update(hold=ConnectorStanding.CREDENTIAL_REFUSED, held_since=clock.now())
    assert skipped_because(loop, started, receiver) is SkipReason.CONNECTOR_ON_HOLD


def test_a_delivery_that_another_run_is_sending_is_left_to_it(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver
) -> None:
    failed_rows(1, webhook)
    plan = loop.plan()
    loop.approve(plan)
    first, second = loop.start(plan), loop.start(plan)
    run = WorkerRun.objects.select_related("retry_plan").get(run_id=first.run.run_id)
    claimed, _ = claim(run, run.retry_plan, limit=10)
    assert len(claimed) == 1
    assert skipped_because(loop, second, receiver) is SkipReason.IN_FLIGHT


def test_a_delivery_closed_meanwhile_is_not_sent(loop: Loop, webhook: Connector, receiver: RecordingReceiver) -> None:
    failed_rows(1, webhook)
    started = loop.approved_run()
    Delivery.objects.update(state=DeliveryState.CLOSED)
    assert skipped_because(loop, started, receiver) is SkipReason.DRIFTED


# --- Aborting and waiting -------------------------------------------------------------------------------------------


def test_a_queued_run_that_is_aborted_sends_nothing_and_keeps_its_approvals(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver
) -> None:
    failed_rows(3, webhook)
    started = loop.approved_run()
    aborted = worker.abort_run(actor=loop.owner, run_id=started.run.run_id, reason="Wrong window.")
    assert (aborted.run.state, aborted.run.aborted_by) == (RunState.ABORTED, "owner")
    assert {item.skipped for item in aborted.retry_results} == {SkipReason.RUN_ABORTED}
    assert_adds_up(aborted)
    assert loop.drained(started) == aborted
    assert not receiver.arrivals
    again = loop.start(loop.plan())
    assert again.run.summary.selected_retry_count == 3


def test_a_finished_run_cannot_be_aborted_and_aborting_wants_a_reason(loop: Loop, webhook: Connector) -> None:
    failed_rows(1, webhook)
    started = loop.approved_run()
    with pytest.raises(InvalidInput) as refused:
        worker.abort_run(actor=loop.owner, run_id=started.run.run_id, reason=" ")
    assert list(refused.value.fields) == ["reason"]
    with pytest.raises(NotAllowed):
        worker.abort_run(actor=loop.manager, run_id=started.run.run_id, reason="No.")
    loop.drained(started)
    with pytest.raises(StateForbids) as finished:
        worker.abort_run(actor=loop.owner, run_id=started.run.run_id, reason="Too late.")
    assert finished.value.code == "run_finished"


@pytest.mark.django_db(transaction=True)
def test_aborting_in_mid_run_lets_the_wire_settle_and_skips_the_rest(
    loop: Loop, webhook: Connector, receiver: RecordingReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_turns(monkeypatch, in_flight=2)
    failed_rows(10, webhook)
    started = loop.approved_run(timeout_seconds=20.0)
    answered = threading.Event()

    def hold(_arrival: Arrival) -> Reply:
        answered.wait(10)
        return Reply(200)

    receiver.reply = hold
    with meanwhile(lambda: drain.drain(started.run.run_id)):
        receiver.wait_for(2)
        during = worker.abort_run(actor=loop.owner, run_id=started.run.run_id, reason="Receiver complains.")
        assert during.run.state is RunState.RUNNING
        assert_adds_up(during)
        answered.set()
    done = worker.read_run(actor=loop.owner, run_id=started.run.run_id)
    assert done.run.state is RunState.ABORTED
    assert 2 <= done.run.summary.delivered_count == len(receiver.arrivals) < 10
    assert done.run.summary.delivered_count + done.run.summary.skipped_count == 10
    assert_adds_up(done)
    assert not WorkerResult.objects.filter(state__in=[ResultState.SENDING, ResultState.REMAINING]).exists()


def test_waiting_ends_with_the_time_and_shows_the_run_as_it_stands(loop: Loop, webhook: Connector) -> None:
    failed_rows(1, webhook)
    started = loop.approved_run()
    waited = worker.wait_for_run(actor=loop.owner, run_id=started.run.run_id, timeout_seconds=0.05)
    assert waited.run.state is RunState.QUEUED


@pytest.mark.django_db(transaction=True)
def test_waiting_ends_as_soon_as_the_run_does(loop: Loop, webhook: Connector) -> None:
    failed_rows(1, webhook)
    started = loop.approved_run()
    with meanwhile(lambda: drain.drain(started.run.run_id)):
        done = worker.wait_for_run(actor=loop.owner, run_id=started.run.run_id, timeout_seconds=30)
    assert done.run.state is RunState.COMPLETED


def test_reading_wants_its_permission(loop: Loop) -> None:
    nobody = Actor("nobody", None, frozenset())
    with pytest.raises(NotAllowed):
        worker.read_run(actor=nobody, run_id="gordackworker-0")
    with pytest.raises(NotAllowed):
        worker.wait_for_run(actor=nobody, run_id="gordackworker-0", timeout_seconds=0)
    with pytest.raises(NotAllowed):
        plans.read_plan(actor=nobody, retry_plan_id="gordackretry-0")
