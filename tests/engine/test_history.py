"""The history of every record, as the ledger keeps it."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from rollback_audit.engine import clock, deliveries, intake, ledger, queries
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.records.drills import DrillScheduleRecord
from rollback_audit.states import METADATA_SCHEMA_VERSION, PRODUCT, AcknowledgementState, MetadataKind, Role
from tests.engine.conftest import People
from tests.receivers import RecordingReceiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def drilled(receiver: RecordingReceiver, people: People, configure: Callable[..., None]) -> None:
    """A schedule, its notification, an acknowledgement and a delivered audit."""
    configure(webhook=receiver.port)
    owner, manager = people("owner", Role.PLATFORM_OWNER), people("manager", Role.RELEASE_MANAGER)
    schedule = DrillScheduleRecord(
        schedule_id="payments",
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
    intake.acknowledge(
        actor=manager,
        schedule_id="payments",
        provider="webhook",
        acknowledgement_state=AcknowledgementState.ACKNOWLEDGED,
    )
    deliveries.deliver_audit(actor=manager, filters=AuditFilters())


def kinds() -> list[str]:
    return [row.metadata_kind for row in queries.records_only(queries.history()).order_by("id")]


@pytest.mark.usefixtures("drilled")
def test_every_step_leaves_its_record_in_order() -> None:
    assert kinds() == [
        MetadataKind.NOTIFICATION_PLAN,
        MetadataKind.DELIVERY_PLAN,
        MetadataKind.CONNECTOR_DELIVERY,
        MetadataKind.NOTIFICATION_ACK,
        MetadataKind.AUDIT_PACKAGE,
        MetadataKind.DELIVERY_PLAN,
        MetadataKind.CONNECTOR_DELIVERY,
    ]


@pytest.mark.usefixtures("drilled")
def test_lines_that_only_the_ledger_knows_are_shown_when_asked_for() -> None:
    shown = queries.history().filter(metadata_kind=MetadataKind.SCHEDULE_CHANGED)
    assert [row.schedule_id for row in shown] == ["payments"]
    assert MetadataKind.SCHEDULE_CHANGED not in kinds()


@pytest.mark.usefixtures("drilled")
def test_every_row_has_the_metadata_fields_and_repeats_its_columns() -> None:
    for row in queries.history():
        body = ledger.read(row)
        assert body["schema_version"] == METADATA_SCHEMA_VERSION
        assert body["product"] == PRODUCT
        assert body["session_id"] == row.entry_id
        assert body["metadata_kind"] == row.metadata_kind
        assert body["signer"] == row.actor
        for column in ("provider", "schedule_id", "audit_id", "delivery_id", "acknowledgement_state", "alert_level"):
            assert (body[column] or "") == getattr(row, column)


@pytest.mark.usefixtures("drilled")
def test_the_newest_row_comes_first() -> None:
    ids = list(queries.history().values_list("id", flat=True))
    assert ids == sorted(ids, reverse=True)


@pytest.mark.usefixtures("drilled")
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"schedule_id": "payments", "metadata_kind": MetadataKind.NOTIFICATION_ACK}, 1),
        ({"acknowledgement_state": "acknowledged"}, 1),
        ({"delivery_success": True, "metadata_kind": MetadataKind.CONNECTOR_DELIVERY}, 2),
        ({"delivery_success": False}, 0),
        ({"cadence": "on_demand"}, 2),
    ],
)
def test_history_is_found_by_its_columns(filters: dict[str, object], expected: int) -> None:
    assert queries.history().filter(**filters).count() == expected
