"""What the database refuses, whoever asks: the last line behind the engine's own checks."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, models, transaction

from rollback_audit.engine import clock
from rollback_audit.models import (
    ApprovalDecision,
    Connector,
    Delivery,
    DeliveryAttempt,
    RetryDecision,
    RetryPlan,
    WorkerResult,
    WorkerRun,
    WorkerSchedule,
)
from tests.engine.conftest import People
from tests.engine.loop import Loop, claim, failed_rows
from tests.receivers import RecordingReceiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def loop(people: People) -> Loop:
    return Loop(people)


@pytest.fixture
def sent(loop: Loop, receiver: RecordingReceiver, configure: Callable[..., None]) -> WorkerRun:
    """A live run with one result on the wire: every table has a row, and each is as the engine made it."""
    configure(webhook=receiver.port)
    failed_rows(1, Connector.objects.get())
    started = loop.approved_run()
    run = WorkerRun.objects.select_related("retry_plan").get(run_id=started.run.run_id)
    claim(run, run.retry_plan, limit=1)
    return run


def refused(constraint: str, change: Callable[[], object]) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        change()


def copy_of(row: models.Model, **changes: Any) -> Callable[[], None]:
    """Insert the row once more, with changes."""
    twin = type(row)._base_manager.get(pk=row.pk)
    twin.pk = None
    for name, value in changes.items():
        setattr(twin, name, value)
    return lambda: twin.save(force_insert=True)


def setting(rows: models.QuerySet[Any], **changes: Any) -> Callable[[], int]:
    """Update the rows."""
    return lambda: rows.update(**changes)


# SQLite names a unique constraint's columns, PostgreSQL its name.
UNIQUE = "UNIQUE constraint failed|duplicate key"


def retry() -> models.QuerySet[DeliveryAttempt]:
    return DeliveryAttempt.objects.filter(number=2)


@pytest.mark.usefixtures("sent")
def test_a_second_attempt_needs_an_approval() -> None:
    for missing in ("approval", "result"):
        refused("attempt_retry_needs_an_approval", setting(retry(), **{missing: None}))


@pytest.mark.usefixtures("sent")
def test_an_approval_is_spent_by_one_attempt_only() -> None:
    settled = {"number": 3, "result": None, "state": "settled", "outcome": "unknown", "failure_kind": "worker_lost"}
    result = WorkerResult.objects.get()
    copy_of(result, ordinal=2, decision=other_decision())()
    twin = WorkerResult.objects.get(ordinal=2)
    refused(UNIQUE, copy_of(retry().get(), **settled | {"result": twin, "settled_at": clock.now()}))


@pytest.mark.usefixtures("sent")
def test_a_delivery_has_one_attempt_on_the_wire() -> None:
    first = DeliveryAttempt.objects.filter(number=1)
    refused(UNIQUE, setting(first, state="sending", outcome=None, failure_kind=None, settled_at=None))


def other_decision() -> RetryDecision:
    decision = RetryDecision.objects.get()
    copy_of(decision, ordinal=2)()
    return RetryDecision.objects.get(ordinal=2)


@pytest.mark.usefixtures("sent")
def test_an_attempt_is_counted_once_and_has_an_outcome_exactly_when_it_is_settled() -> None:
    refused(UNIQUE, copy_of(DeliveryAttempt.objects.get(number=1)))
    settled = {"state": "settled", "settled_at": clock.now()}
    refused("attempt_settled_has_an_outcome", setting(retry(), outcome="unknown", failure_kind="worker_lost"))
    refused("attempt_settled_has_an_outcome", setting(retry(), **settled))
    refused("attempt_failure_has_a_kind", setting(retry(), **settled, outcome="confirmed", failure_kind="worker_lost"))
    refused("attempt_failure_has_a_kind", setting(retry(), **settled, outcome="refused"))


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("delivery_is_leased_while_sending", {"lease_until": None}),
        ("delivery_failures_within_attempts", {"failure_count": 3}),
        ("delivery_failed_has_a_failure", {"state": "failed", "lease_until": None, "last_failed_at": None}),
        ("delivery_delivered_has_a_moment", {"state": "delivered", "lease_until": None}),
        ("delivery_state_known", {"state": "lost", "lease_until": None}),
        ("delivery_failure_kind_known", {"failure_kind": "connection reset by peer"}),
    ],
)
@pytest.mark.usefixtures("sent")
def test_a_delivery_is_never_in_between(constraint: str, changes: dict[str, Any]) -> None:
    refused(constraint, setting(Delivery.objects.all(), **changes))


@pytest.mark.usefixtures("sent")
def test_a_package_goes_to_a_connector_in_one_delivery() -> None:
    refused(UNIQUE, copy_of(Delivery.objects.get(), event_id="gordackevent-other"))


@pytest.mark.usefixtures("sent")
def test_a_live_result_needs_an_approval_and_a_skipped_one_a_reason() -> None:
    rows = WorkerResult.objects.all()
    for state in ("remaining", "sending", "delivered", "failed", "unknown"):
        refused("worker_result_live_needs_an_approval", setting(rows, state=state, approval=None))
    refused("worker_result_skip_has_a_reason", setting(rows, state="skipped"))
    refused("worker_result_skip_has_a_reason", setting(rows, skipped="drifted"))
    refused("worker_result_skip_known", setting(rows, state="skipped", skipped="no mood"))


@pytest.mark.usefixtures("sent")
def test_a_decision_is_selected_once_in_a_run() -> None:
    refused(UNIQUE, copy_of(WorkerResult.objects.get(), ordinal=2))
    refused(UNIQUE, copy_of(WorkerResult.objects.get(), decision=other_decision()))


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("worker_run_adds_up", {"delivered_count": 1}),
        ("worker_run_adds_up", {"remaining_count": 0}),
        ("worker_run_live_has_a_reason", {"reason": ""}),
        ("worker_run_mode_is_kept", {"dry_run": True}),
        ("worker_run_dry_sends_nothing", {"dry_run": True, "waves": "", "delivered_count": 1, "remaining_count": 0}),
        ("worker_run_abort_has_a_reason", {"aborted_by": "owner"}),
        ("worker_run_completed_leaves_nothing", {"state": "completed"}),
        ("worker_run_state_known", {"state": "paused"}),
    ],
)
def test_a_run_that_does_not_add_up_is_refused(sent: WorkerRun, constraint: str, changes: dict[str, Any]) -> None:
    refused(constraint, setting(WorkerRun.objects.filter(pk=sent.pk), **changes))


def test_a_window_of_a_schedule_has_one_run(sent: WorkerRun) -> None:
    schedule = WorkerSchedule.objects.create(name="nightly", interval_minutes=60, updated_at=clock.now())
    copy_of(sent, run_id="gordackworker-1", worker_schedule=schedule)()
    refused(UNIQUE, copy_of(sent, run_id="gordackworker-2", worker_schedule=schedule))
    copy_of(sent, run_id="gordackworker-3", worker_schedule=None)()


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("approval_state_known", {"approval_state": "maybe", "consumed_at": None}),
        ("approval_only_approved_is_used", {"approval_state": "denied"}),
    ],
)
@pytest.mark.usefixtures("sent")
def test_an_approval_is_never_in_between(constraint: str, changes: dict[str, Any]) -> None:
    refused(constraint, setting(ApprovalDecision.objects.all(), **changes))


@pytest.mark.usefixtures("sent")
def test_an_approval_ends_after_it_began_and_is_not_taken_back_once_spent() -> None:
    approval = ApprovalDecision.objects.get()
    rows = ApprovalDecision.objects.all()
    refused("approval_expires", setting(rows, expires_at=approval.decided_at))
    refused("approval_used_or_revoked", setting(rows, revoked_at=clock.now()))


@pytest.mark.usefixtures("sent")
def test_a_plan_adds_up_and_a_retry_has_a_moment() -> None:
    refused("retry_plan_adds_up", setting(RetryPlan.objects.all(), retryable_count=2))
    refused("retry_decision_retry_has_a_moment", setting(RetryDecision.objects.all(), next_retry_at=None))
    refused(UNIQUE, copy_of(RetryDecision.objects.get()))


@pytest.mark.usefixtures("sent")
def test_evidence_that_others_stand_on_cannot_be_deleted() -> None:
    for model in (RetryPlan, RetryDecision, ApprovalDecision, Delivery, Connector, WorkerRun, WorkerResult):
        with pytest.raises(models.ProtectedError):
            model._base_manager.all().delete()


@pytest.mark.usefixtures("sent")
def test_a_hold_has_a_start() -> None:
    rows = Connector.objects.all()
    refused("connector_hold_has_a_start", setting(rows, hold="circuit_open"))
    refused("connector_hold_has_a_start", setting(rows, held_since=clock.now() - timedelta(days=1)))
