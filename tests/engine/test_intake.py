"""Drill schedules, notifications over real receivers, and people's words on routes."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollback_audit.engine import clock, intake
from rollback_audit.engine.actors import SYSTEM
from rollback_audit.engine.intake import RouteWord
from rollback_audit.errors import InvalidInput, NotAllowed, StateForbids, UnknownRecord
from rollback_audit.models import (
    Delivery,
    DrillAcknowledgement,
    DrillRoute,
    DrillSchedule,
    EvidenceEntry,
    EvidencePackage,
    NotificationPlan,
)
from rollback_audit.records.drills import DrillScheduleRecord
from rollback_audit.states import AcknowledgementState, AlertLevel, MetadataKind, Role, Source
from tests.engine.conftest import People
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db(transaction=True)

SCHEDULE = DrillScheduleRecord(
    schedule_id="payments",
    owner="payments-oncall",
    escalation_owner="head-of-payments",
    providers=["webhook"],
    interval_days=30,
    next_due_at=datetime(2026, 6, 1, tzinfo=UTC),
    acknowledgement_minutes=60,
    enabled=True,
)

Saved = Callable[..., DrillScheduleRecord]


def kinds() -> list[str]:
    return list(EvidenceEntry.objects.order_by("id").values_list("metadata_kind", flat=True))


@pytest.fixture
def saved(receiver: RecordingReceiver, people: People, configure: Callable[..., None]) -> Saved:
    """Saves a schedule that is due in so many days; two connectors, both the same receiver."""
    configure(webhook=receiver.port, second=receiver.port)
    owner = people("owner", Role.PLATFORM_OWNER)

    def save(schedule_id: str = "payments", *, due_in_days: float = 7, **changes: Any) -> DrillScheduleRecord:
        wanted = replace(
            SCHEDULE, schedule_id=schedule_id, next_due_at=clock.now() + timedelta(days=due_in_days), **changes
        )
        record, _ = intake.save_schedule(actor=owner, schedule=wanted)
        return record

    return save


def test_a_saved_schedule_is_stored_with_its_line_in_the_ledger(
    receiver: RecordingReceiver, people: People, configure: Callable[..., None]
) -> None:
    configure(webhook=receiver.port)
    record, line = intake.save_schedule(actor=people("owner", Role.PLATFORM_OWNER), schedule=SCHEDULE)
    assert record == SCHEDULE
    assert DrillSchedule.objects.get().schedule_id == "payments"
    assert line.signer == "owner"
    assert line.schedule_id == "payments"
    assert kinds()[-1] == MetadataKind.SCHEDULE_CHANGED
    assert EvidenceEntry.objects.get(entry_id=line.session_id).schedule_id == "payments"


def test_a_schedule_id_is_taken_once(saved: Saved, people: People) -> None:
    saved()
    with pytest.raises(StateForbids) as refused:
        intake.save_schedule(actor=people("owner", Role.PLATFORM_OWNER), schedule=SCHEDULE)
    assert refused.value.code == "schedule_exists"
    assert DrillSchedule.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schedule_id", ""),
        ("schedule_id", "../x"),
        ("schedule_id", "x" * 65),
        ("schedule_id", "a\x00b"),
        ("owner", " "),
        ("owner", "x" * 129),
        ("owner", "token=abcd1234"),
        ("escalation_owner", "a\ud800"),
        ("providers", []),
        ("providers", ["nobody"]),
        ("providers", "webhook"),
        ("providers", [1]),
        ("providers", ["a\x00"]),
        ("interval_days", 0),
        ("interval_days", 3651),
        ("interval_days", True),
        ("interval_days", 2**63),
        ("next_due_at", datetime(2026, 6, 1)),  # noqa: DTZ001
        ("next_due_at", datetime.max.replace(tzinfo=UTC)),
        ("next_due_at", datetime.min.replace(tzinfo=UTC)),
        ("acknowledgement_minutes", 0),
        ("acknowledgement_minutes", 525_601),
        ("enabled", "false"),
    ],
)
def test_a_schedule_is_refused_field_by_field(saved: Saved, people: People, field: str, value: Any) -> None:
    owner = people("owner", Role.PLATFORM_OWNER)
    with pytest.raises(InvalidInput) as refused:
        intake.save_schedule(
            actor=owner, schedule=replace(SCHEDULE, **{"schedule_id": "fresh", "owner": "x", field: value})
        )
    assert list(refused.value.fields) == [field]
    assert DrillSchedule.objects.count() == 0
    assert MetadataKind.SCHEDULE_CHANGED not in kinds()


def test_all_refused_fields_are_named_at_once(saved: Saved, people: People) -> None:
    with pytest.raises(InvalidInput) as refused:
        intake.save_schedule(
            actor=people("owner", Role.PLATFORM_OWNER), schedule=replace(SCHEDULE, owner="", interval_days=0)
        )
    assert sorted(refused.value.fields) == ["interval_days", "owner"]


def test_a_change_keeps_what_it_does_not_name(saved: Saved, people: People) -> None:
    before = saved()
    owner = people("owner", Role.PLATFORM_OWNER)
    after, line = intake.change_schedule(
        actor=owner, schedule_id="payments", changes={"enabled": False, "interval_days": 90}
    )
    assert after == replace(before, enabled=False, interval_days=90)
    assert line.record["schedule"]["interval_days"] == 90
    assert kinds().count(MetadataKind.SCHEDULE_CHANGED) == 2


@pytest.mark.parametrize("schedule_id", ["nobody", "", "a\x00b", "a\ud800", "x" * 500])
def test_an_unknown_schedule_cannot_be_changed(saved: Saved, people: People, schedule_id: str) -> None:
    with pytest.raises(UnknownRecord):
        intake.change_schedule(
            actor=people("owner", Role.PLATFORM_OWNER), schedule_id=schedule_id, changes={"enabled": False}
        )


@pytest.mark.parametrize("changes", [{"schedule_id": "other"}, {"created_at": 1}, {"interval_days": 0}])
def test_a_change_is_refused_by_field(saved: Saved, people: People, changes: dict[str, Any]) -> None:
    saved()
    with pytest.raises(InvalidInput) as refused:
        intake.change_schedule(actor=people("owner", Role.PLATFORM_OWNER), schedule_id="payments", changes=changes)
    assert list(refused.value.fields) == list(changes)


def test_a_schedule_whose_connector_is_gone_can_still_be_disabled(
    saved: Saved, people: People, receiver: RecordingReceiver, configure: Callable[..., None]
) -> None:
    saved(providers=["webhook", "second"])
    configure(webhook=receiver.port)
    owner = people("owner", Role.PLATFORM_OWNER)
    record, _ = intake.change_schedule(actor=owner, schedule_id="payments", changes={"enabled": False})
    assert not record.enabled
    with pytest.raises(InvalidInput):
        intake.change_schedule(actor=owner, schedule_id="payments", changes={"providers": ["second"]})


def test_due_soon_and_stale_drills_are_notified_once_over_each_connector(
    saved: Saved, people: People, receiver: RecordingReceiver
) -> None:
    saved("soon", due_in_days=7, providers=["webhook", "second"])
    saved("stale", due_in_days=-1, providers=["webhook", "second"])
    saved("far", due_in_days=60)
    saved("off", due_in_days=-1, enabled=False)
    answer = intake.deliver_notifications(actor=people("manager", Role.RELEASE_MANAGER))
    assert answer.success
    assert answer.plan.alert_level is AlertLevel.CRITICAL
    assert {(item.schedule_id, item.provider, item.category, item.action) for item in answer.plan.routes} == {
        ("soon", "webhook", "due_soon", "notify"),
        ("soon", "second", "due_soon", "notify"),
        ("stale", "webhook", "stale", "escalate"),
        ("stale", "second", "stale", "escalate"),
    }
    assert len(receiver.arrivals) == 2
    assert len(answer.deliveries) == 1
    assert sorted(line.provider or "" for line in answer.delivery_metadata) == ["second", "webhook"]
    assert {row.source for row in Delivery.objects.all()} == {Source.DRILL_NOTIFICATION}
    assert DrillRoute.objects.count() == answer.plan.route_count == 4
    assert kinds().count(MetadataKind.NOTIFICATION_PLAN) == 1


def test_a_connector_is_told_of_its_own_routes_only(saved: Saved, people: People, receiver: RecordingReceiver) -> None:
    saved("one", providers=["webhook"])
    saved("two", providers=["webhook", "second"])
    answer = intake.deliver_notifications(actor=people("manager", Role.RELEASE_MANAGER))
    assert len(answer.deliveries) == 2
    assert EvidencePackage.objects.count() == 2
    told = [
        {(route["schedule_id"], route["provider"]) for route in json.loads(package.record)["routes"]}
        for package in EvidencePackage.objects.order_by("id")
    ]
    assert {("one", "webhook"), ("two", "webhook")} in told
    assert {("two", "second")} in told
    assert len(receiver.arrivals) == 2


def test_a_failed_notification_is_an_answer_that_the_one_loop_retries(
    saved: Saved, people: People, receiver: RecordingReceiver
) -> None:
    saved()
    receiver.reply = Reply(503)
    answer = intake.deliver_notifications(actor=people("manager", Role.RELEASE_MANAGER))
    assert not answer.success
    assert Delivery.objects.get().state == "failed"
    assert Delivery.objects.get().source == Source.DRILL_NOTIFICATION
    assert DrillRoute.objects.count() == 1


def test_force_notifies_of_drills_that_are_not_due(saved: Saved, people: People) -> None:
    saved(due_in_days=60)
    manager = people("manager", Role.RELEASE_MANAGER)
    assert intake.deliver_notifications(actor=manager).plan.route_count == 0
    forced = intake.deliver_notifications(actor=manager, force=True)
    assert [item.category for item in forced.plan.routes] == ["scheduled"]


def test_nothing_due_is_a_plan_without_routes_and_sends_nothing(
    saved: Saved, people: People, receiver: RecordingReceiver
) -> None:
    answer = intake.deliver_notifications(actor=people("manager", Role.RELEASE_MANAGER))
    assert answer.success
    assert (answer.plan.route_count, answer.plan.alert_level) == (0, AlertLevel.HEALTHY)
    assert receiver.arrivals == []
    assert NotificationPlan.objects.count() == 1


def test_a_comma_list_narrows_the_connectors(saved: Saved, people: People) -> None:
    saved(providers=["webhook", "second"])
    answer = intake.deliver_notifications(actor=people("manager", Role.RELEASE_MANAGER), provider=" second ")
    assert [item.provider for item in answer.plan.routes] == ["second"]


def test_a_routing_policy_sends_a_category_elsewhere(saved: Saved, people: People) -> None:
    saved("soon", due_in_days=7)
    saved("stale", due_in_days=-1)
    answer = intake.deliver_notifications(
        actor=people("manager", Role.RELEASE_MANAGER), routing_policy={"stale": ["second"]}
    )
    assert {(item.schedule_id, item.provider) for item in answer.plan.routes} == {
        ("soon", "webhook"),
        ("stale", "second"),
    }


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("provider", {"provider": "nobody"}),
        ("provider", {"provider": "webhook,,second"}),
        ("provider", {"provider": "a\x00b"}),
        ("routing_policy", {"routing_policy": {"soonish": ["webhook"]}}),
        ("routing_policy", {"routing_policy": {"stale": "webhook"}}),
        ("routing_policy", {"routing_policy": {"stale": ["nobody"]}}),
        ("timeout_seconds", {"timeout_seconds": 0}),
        ("timeout_seconds", {"timeout_seconds": float("nan")}),
        ("generated_by", {"generated_by": "x" * 129}),
        ("generated_by", {"generated_by": "password: hunter2"}),
    ],
)
def test_a_refused_notification_stores_nothing(
    saved: Saved, people: People, receiver: RecordingReceiver, field: str, arguments: dict[str, Any]
) -> None:
    saved()
    with pytest.raises(InvalidInput) as refused:
        intake.deliver_notifications(actor=people("manager", Role.RELEASE_MANAGER), **arguments)
    assert list(refused.value.fields) == [field]
    assert NotificationPlan.objects.count() == DrillRoute.objects.count() == 0
    assert receiver.arrivals == []


def test_an_unknown_schedule_cannot_be_notified_of(saved: Saved, people: People) -> None:
    with pytest.raises(UnknownRecord):
        intake.deliver_notifications(actor=people("manager", Role.RELEASE_MANAGER), schedule_id="nobody")
    assert NotificationPlan.objects.count() == 0


def test_an_acknowledgement_is_for_the_newest_route_unless_a_plan_is_named(saved: Saved, people: People) -> None:
    saved()
    manager = people("manager", Role.RELEASE_MANAGER)
    first = intake.deliver_notifications(actor=manager).plan
    second = intake.deliver_notifications(actor=manager).plan
    word: dict[str, Any] = {
        "actor": manager,
        "schedule_id": "payments",
        "provider": "webhook",
        "acknowledgement_state": AcknowledgementState.ACKNOWLEDGED,
    }
    newest, line = intake.acknowledge(**word, external_ref="CHG-1", notes="line one\nline two")
    named, _ = intake.acknowledge(**word, plan_id=first.plan_id)
    assert (newest.plan_id, named.plan_id) == (second.plan_id, first.plan_id)
    assert newest.acknowledged_by == "manager"
    assert line.acknowledgement_state == "acknowledged"
    assert line.session_id == newest.acknowledgement_id
    assert kinds().count(MetadataKind.NOTIFICATION_ACK) == 2


def test_notes_stay_in_the_database(saved: Saved, people: People) -> None:
    saved()
    manager = people("manager", Role.RELEASE_MANAGER)
    intake.deliver_notifications(actor=manager)
    record, line = intake.acknowledge(
        actor=manager,
        schedule_id="payments",
        provider="webhook",
        acknowledgement_state=AcknowledgementState.RESOLVED,
        notes="only for us",
    )
    assert DrillAcknowledgement.objects.get().notes == "only for us"
    assert "only for us" not in repr(record) + repr(line)
    assert not EvidenceEntry.objects.filter(body__contains="only for us").exists()


@pytest.mark.parametrize("missing", [{"schedule_id": "nobody"}, {"provider": "second"}, {"plan_id": "gordnotify-0"}])
def test_a_word_needs_a_route(saved: Saved, people: People, missing: dict[str, str]) -> None:
    saved()
    manager = people("manager", Role.RELEASE_MANAGER)
    intake.deliver_notifications(actor=manager)
    word = {"schedule_id": "payments", "provider": "webhook"} | missing
    with pytest.raises(UnknownRecord):
        intake.acknowledge(actor=manager, acknowledgement_state=AcknowledgementState.ACKNOWLEDGED, **word)
    assert DrillAcknowledgement.objects.count() == 0


def test_a_bulk_of_a_hundred_is_stored_together(saved: Saved, people: People) -> None:
    saved()
    manager = people("manager", Role.RELEASE_MANAGER)
    intake.deliver_notifications(actor=manager)
    word = RouteWord(
        schedule_id="payments", provider="webhook", acknowledgement_state=AcknowledgementState.ACKNOWLEDGED
    )
    stored = intake.acknowledge_bulk(actor=manager, routes=[word] * 100, acknowledged_by="night shift")
    assert len(stored) == DrillAcknowledgement.objects.count() == 100
    assert {record.acknowledged_by for record, _ in stored} == {"night shift"}
    assert kinds().count(MetadataKind.NOTIFICATION_ACK) == 100


def test_one_bad_route_stores_none_and_every_bad_one_is_named(saved: Saved, people: People) -> None:
    saved()
    manager = people("manager", Role.RELEASE_MANAGER)
    intake.deliver_notifications(actor=manager)
    good = RouteWord(
        schedule_id="payments", provider="webhook", acknowledgement_state=AcknowledgementState.ACKNOWLEDGED
    )
    bad = [replace(good, notes="password: hunter2"), replace(good, schedule_id="nobody")]
    with pytest.raises(InvalidInput) as refused:
        intake.acknowledge_bulk(actor=manager, routes=[*[good] * 98, *bad])
    assert sorted(refused.value.fields) == ["routes.98.notes", "routes.99.schedule_id"]
    assert DrillAcknowledgement.objects.count() == 0
    assert MetadataKind.NOTIFICATION_ACK not in kinds()


@pytest.mark.parametrize("size", [0, 101])
def test_a_bulk_has_one_to_a_hundred_routes(people: People, size: int) -> None:
    word = RouteWord(schedule_id="a", provider="b", acknowledgement_state=AcknowledgementState.ACKNOWLEDGED)
    with pytest.raises(InvalidInput) as refused:
        intake.acknowledge_bulk(actor=people("manager", Role.RELEASE_MANAGER), routes=[word] * size)
    assert list(refused.value.fields) == ["routes"]


def test_every_verb_asks_for_its_permission(people: People) -> None:
    analyst, manager = people("analyst", Role.SOC_ANALYST), people("manager", Role.RELEASE_MANAGER)
    state = AcknowledgementState.ACKNOWLEDGED
    refusals: list[Callable[[], object]] = [
        lambda: intake.save_schedule(actor=manager, schedule=SCHEDULE),
        lambda: intake.change_schedule(actor=manager, schedule_id="payments", changes={}),
        lambda: intake.deliver_notifications(actor=analyst),
        lambda: intake.deliver_notifications(actor=SYSTEM),
        lambda: intake.acknowledge(actor=analyst, schedule_id="a", provider="b", acknowledgement_state=state),
        lambda: intake.acknowledge_bulk(actor=analyst, routes=[]),
    ]
    for refusal in refusals:
        with pytest.raises(NotAllowed):
            refusal()
