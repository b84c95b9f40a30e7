"""Every list that doors read: newest first, everything loaded, nothing that should stay behind."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from rollback_audit.engine import (
    approvals,
    clock,
    deliveries,
    intake,
    plans,
    present,
    present_drills,
    queries,
    reviews,
    runs,
    worker,
)
from rollback_audit.engine.drain import drain
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.engine.worker import RunRequest
from rollback_audit.records.drills import DrillScheduleRecord
from rollback_audit.states import AcknowledgementState, Role
from tests.engine.conftest import People
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db(transaction=True)

LISTS = [
    (queries.schedules, present_drills.schedule),
    (queries.routes, present_drills.route),
    (queries.acknowledgements, present_drills.acknowledgement),
    (queries.delivery_plans, present.delivery_plan),
    (queries.deliveries, present.delivery),
    (queries.attempts, present.attempt),
    (queries.plans, present.plan),
    (queries.decisions, present.decision),
    (queries.retry_acknowledgements, present.retry_acknowledgement),
    (queries.approval_plans, present.approval_plan),
    (queries.approval_decisions, present.approval_decision),
    (queries.packages, None),
    (queries.runs, None),
    (queries.results, None),
    (queries.connectors, None),
    (queries.history, None),
    (queries.notification_plans, None),
]


@pytest.fixture
def filled(
    receiver: RecordingReceiver, people: People, configure: Callable[..., None], later: Callable[[timedelta], None]
) -> None:
    """Two of everything: two drills notified and answered, a failed audit, its plan, approvals and runs."""
    configure(webhook=receiver.port, second=receiver.port)
    owner, manager = people("owner", Role.PLATFORM_OWNER), people("manager", Role.RELEASE_MANAGER)
    for schedule_id in ("payments", "ledger"):
        schedule = DrillScheduleRecord(
            schedule_id=schedule_id,
            owner="anna",
            escalation_owner="",
            providers=["webhook"],
            interval_days=30,
            next_due_at=clock.now() + timedelta(days=3),
            acknowledgement_minutes=60,
            enabled=True,
        )
        intake.save_schedule(actor=owner, schedule=schedule)
    intake.deliver_notifications(actor=manager)
    intake.deliver_notifications(actor=manager)
    for schedule_id in ("payments", "ledger"):
        intake.acknowledge(
            actor=manager,
            schedule_id=schedule_id,
            provider="webhook",
            acknowledgement_state=AcknowledgementState.ACKNOWLEDGED,
            notes="only for us",
        )
    receiver.reply = Reply(503)
    deliveries.deliver_audit(actor=manager, filters=AuditFilters())
    later(timedelta(minutes=15))
    for _ in range(2):
        plan, _line = plans.plan_retry(actor=manager)
        for item in plan.retry_decisions:
            key = reviews.DecisionKey(item.delivery_id, item.audit_id, item.provider)
            reviews.acknowledge_retry(actor=manager, retry_plan_id=plan.retry_plan_id, key=key, notes="only for us")
        asked, _line = approvals.request_approval(actor=manager, retry_plan_id=plan.retry_plan_id)
    approvals.decide(actor=owner, approval_plan_id=asked.approval_plan_id, key=None, notes="only for us")
    worker.start_run(actor=manager, request=RunRequest())
    live = worker.start_run(
        actor=owner,
        request=RunRequest(
            dry_run=False, reason="back", retry_plan_id=plan.retry_plan_id, plan_digest=plan.plan_digest
        ),
    )
    drain(live.run.run_id)


@pytest.mark.usefixtures("filled")
def test_every_list_is_newest_first_and_presents_a_row_without_another_query(django_assert_num_queries: Any) -> None:
    for rows, presenter in LISTS:
        assert rows().count() >= 2, rows.__name__
        with django_assert_num_queries(1):
            found = list(rows())
            if presenter is not None:
                assert all("only for us" not in repr(presenter(row)) for row in found)
        assert [row.pk for row in found] == sorted((row.pk for row in found), reverse=True)


@pytest.mark.usefixtures("filled")
def test_notes_and_wire_bodies_are_not_loaded() -> None:
    for rows, hidden in (
        (queries.acknowledgements, "notes"),
        (queries.retry_acknowledgements, "notes"),
        (queries.approval_decisions, "notes"),
        (queries.delivery_plans, "event"),
    ):
        assert all(hidden in row.get_deferred_fields() for row in rows()), rows.__name__


@pytest.mark.usefixtures("filled")
def test_results_present_with_their_lines_in_one_more_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        found = runs.result_records(list(queries.results()))
    assert {item.skipped for item in found} >= {None, "dry_run"}
