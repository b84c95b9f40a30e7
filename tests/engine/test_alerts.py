"""Worker health alerts: told once for each window, ended once, delivered on the one loop, answered by people."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from rollback_audit.engine import alert_words, alerts, clock, health, schedules, worker
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.alerts import AlertAnswer, AlertTerms
from rollback_audit.engine.health import Yardstick
from rollback_audit.engine.worker import RunRequest
from rollback_audit.errors import InvalidInput, NotAllowed, UnknownRecord
from rollback_audit.models import (
    Connector,
    Delivery,
    DrillSchedule,
    EvidenceEntry,
    EvidencePackage,
    HealthAlert,
    HealthAlertAcknowledgement,
    WorkerSchedule,
)
from rollback_audit.states import (
    AcknowledgementState,
    AlertLevel,
    ConnectorStanding,
    DeliveryState,
    HealthAlertState,
    HealthCode,
    MetadataKind,
    Role,
    Source,
)
from tests import factories
from tests.engine.conftest import People
from tests.engine.loop import Loop, entries
from tests.engine.threads import at_once
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db
Configure = Callable[..., None]
Later = Callable[[timedelta], None]
MISSED = "missed_worker_run:retry-worker"


@pytest.fixture
def loop(people: People) -> Loop:
    # As if no worker had ever been expected: migrating installs the schedule.
    WorkerSchedule.objects.all().delete()
    return Loop(people)


@pytest.fixture
def analyst(people: People) -> Actor:
    return people("analyst", Role.SOC_ANALYST)


@pytest.fixture
def told(loop: Loop, receiver: RecordingReceiver, configure: Configure) -> Callable[..., AlertAnswer]:
    """Delivers alerts to the one webhook; whatever is wrong is wrong because no worker has ever run."""
    configure(webhook=receiver.port)

    def tell(**terms: object) -> AlertAnswer:
        return alerts.deliver_alerts(actor=loop.manager, terms=AlertTerms(**terms))  # type: ignore[arg-type]

    return tell


def keys_of(answer: AlertAnswer) -> list[str]:
    return [alert.key for alert in answer.plan.alerts] if answer.plan else []


def run_the_worker(loop: Loop) -> None:
    worker.start_run(actor=loop.manager, request=RunRequest())


def test_looking_writes_nothing(loop: Loop, told: object) -> None:
    lines = EvidenceEntry.objects.count()
    record = health.read_health(actor=loop.manager)
    assert [alert.key for alert in record.alerts] == [MISSED]
    assert (record.alert_level, record.alert_count, record.critical_count) == (AlertLevel.CRITICAL, 1, 1)
    assert EvidenceEntry.objects.count() == lines
    assert not HealthAlert.objects.exists()


def test_what_is_wrong_goes_out_as_evidence(told: Callable[..., AlertAnswer], receiver: RecordingReceiver) -> None:
    answer = told()
    assert answer.sent is not None
    assert answer.sent.success
    assert answer.plan is not None
    (arrival,) = receiver.arrivals
    event = json.loads(arrival.body)
    assert event["event_type"] == alerts.EVENT_TYPE
    assert event["summary"]["health_id"] == answer.plan.health_id
    assert [route["key"] for route in event["routes"]] == [MISSED]
    package = EvidencePackage.objects.get()
    assert (package.source, package.audit_id) == (Source.WORKER_HEALTH_ALERT, answer.plan.health_id)
    assert entries(MetadataKind.HEALTH_ALERT_PLAN) == entries(MetadataKind.DELIVERY_PLAN) == 1
    row = HealthAlert.objects.get()
    assert (row.key, row.state, row.told_count) == (MISSED, HealthAlertState.OPEN, 1)


def test_nothing_is_told_twice_within_a_window(
    told: Callable[..., AlertAnswer], receiver: RecordingReceiver, later: Later
) -> None:
    told()
    lines = EvidenceEntry.objects.count()
    later(timedelta(minutes=59))
    quiet = told()
    assert (quiet.plan, quiet.sent, quiet.suppressed_count) == (None, None, 1)
    assert EvidenceEntry.objects.count() == lines
    assert len(receiver.arrivals) == 1
    later(timedelta(minutes=1))
    assert keys_of(told()) == [MISSED]
    assert HealthAlert.objects.get().told_count == 2


def test_force_breaks_the_window(told: Callable[..., AlertAnswer]) -> None:
    told()
    assert keys_of(told(force=True)) == [MISSED]


def test_the_end_of_a_condition_is_told_once(told: Callable[..., AlertAnswer], loop: Loop, later: Later) -> None:
    told()
    run_the_worker(loop)
    answer = told()
    assert answer.plan is not None
    assert [alert.key for alert in answer.plan.recovered] == [MISSED]
    assert (answer.plan.alerts, answer.plan.alert_level) == ([], AlertLevel.HEALTHY)
    assert HealthAlert.objects.get().state == HealthAlertState.RECOVERED
    assert told().plan is None


def test_what_comes_back_within_the_window_is_not_told_again_and_then_is_another_alert(
    told: Callable[..., AlertAnswer], loop: Loop, later: Later
) -> None:
    told(suppression_window_minutes=180)
    run_the_worker(loop)
    told(suppression_window_minutes=180)
    later(timedelta(minutes=61))
    assert told(suppression_window_minutes=180).plan is None
    later(timedelta(minutes=120))
    assert keys_of(told(suppression_window_minutes=180)) == [MISSED]
    assert sorted(HealthAlert.objects.values_list("state", flat=True)) == ["open", "recovered"]


@pytest.mark.django_db(transaction=True)
def test_many_calls_at_once_tell_it_once(told: Callable[..., AlertAnswer], receiver: RecordingReceiver) -> None:
    answers = at_once(told, times=6)
    assert sorted(map(keys_of, answers)) == [[], [], [], [], [], [MISSED]]
    assert len(receiver.arrivals) == EvidencePackage.objects.count() == 1
    assert entries(MetadataKind.HEALTH_ALERT_PLAN) == 1


@pytest.mark.django_db(transaction=True)
def test_many_calls_at_once_remind_once_and_end_it_once(
    told: Callable[..., AlertAnswer], loop: Loop, receiver: RecordingReceiver, later: Later
) -> None:
    told()
    later(timedelta(hours=2))
    assert sum(bool(keys_of(answer)) for answer in at_once(told, times=6)) == 1
    run_the_worker(loop)
    assert sum(answer.plan is not None for answer in at_once(told, times=6)) == 1
    assert len(receiver.arrivals) == 3
    row = HealthAlert.objects.get()
    assert (row.told_count, row.state) == (2, HealthAlertState.RECOVERED)


def test_the_database_refuses_a_second_open_alert(told: Callable[..., AlertAnswer]) -> None:
    told()
    row = HealthAlert.objects.get()
    row.pk, row.alert_id = None, "gordackalert-0"
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_an_alert_that_did_not_arrive_is_in_the_same_retry_plan_and_retried(
    told: Callable[..., AlertAnswer], loop: Loop, receiver: RecordingReceiver
) -> None:
    receiver.reply = Reply(503)
    answer = told()
    assert answer.sent is not None
    assert not answer.sent.success
    receiver.reply = Reply(200)
    plan = loop.plan()
    (decision,) = plan.retry_decisions
    assert (decision.source, decision.audit_id) == (Source.WORKER_HEALTH_ALERT, answer.plan and answer.plan.health_id)
    loop.approve(plan)
    run = loop.drained(loop.start(plan)).run
    assert run.summary.delivered_count == 1
    assert Delivery.objects.get().state == DeliveryState.DELIVERED
    assert receiver.arrivals[0].body == receiver.arrivals[1].body


def test_all_leaves_out_whoever_the_alert_is_about(
    loop: Loop, receiver: RecordingReceiver, configure: Configure
) -> None:
    configure(down=receiver.port, chat=receiver.port)
    Connector.objects.filter(name="down").update(hold=ConnectorStanding.CREDENTIAL_REFUSED, held_since=clock.now())
    answer = alerts.deliver_alerts(actor=loop.manager, terms=AlertTerms())
    assert keys_of(answer) == ["connector_failure:down", MISSED]
    assert answer.plan is not None
    assert answer.plan.selected_providers == ["chat"]
    named = alerts.deliver_alerts(actor=loop.manager, terms=AlertTerms(delivery_provider="down, chat", force=True))
    assert named.plan is not None
    assert sorted(named.plan.selected_providers) == ["chat", "down"]


def test_all_leaves_out_whoever_is_being_recovered(
    loop: Loop, receiver: RecordingReceiver, configure: Configure
) -> None:
    configure(ill=receiver.port, chat=receiver.port)
    factories.open_recovery(Connector.objects.get(name="ill"), first_failure_at=clock.now())
    answer = alerts.deliver_alerts(actor=loop.manager, terms=AlertTerms())
    assert answer.plan is not None
    assert answer.plan.selected_providers == ["chat"]


def test_where_no_connector_works_all_are_told(loop: Loop, receiver: RecordingReceiver, configure: Configure) -> None:
    configure(down=receiver.port, ill=receiver.port)
    Connector.objects.filter(name="down").update(hold=ConnectorStanding.CREDENTIAL_REFUSED, held_since=clock.now())
    factories.open_recovery(Connector.objects.get(name="ill"), first_failure_at=clock.now())
    answer = alerts.deliver_alerts(actor=loop.manager, terms=AlertTerms())
    assert answer.plan is not None
    assert sorted(answer.plan.selected_providers) == ["down", "ill"]


def test_every_condition_is_found_among_the_rows(loop: Loop, configure: Configure) -> None:
    configure(siem=9, chat=9)
    siem, chat = Connector.objects.get(name="siem"), Connector.objects.get(name="chat")
    for day in range(8, 0, -1):
        factories.delivery(chat, at=clock.now() - timedelta(days=day, hours=-1) - timedelta(hours=2))
    for _ in range(2):
        factories.failed(siem, attempt_count=2, failure_count=2)
    factories.schedule(next_due_at=clock.now() - timedelta(days=1))
    factories.schedule("asleep", next_due_at=clock.now() - timedelta(days=1), enabled=False)
    schedules.install(interval_minutes=30)
    WorkerSchedule.objects.update(enabled=False, updated_at=clock.now() - timedelta(hours=2))
    found = {alert.code: alert for alert in health.read_health(actor=loop.manager).alerts}
    assert set(found) == set(HealthCode) - {HealthCode.FAILED_WORKER_RUN}
    assert found[HealthCode.SILENT_CONNECTOR].subject == "chat"
    assert found[HealthCode.CONNECTOR_FAILURE].subject == "siem"
    assert found[HealthCode.SILENT_DRILL].subject == DrillSchedule.objects.get(enabled=True).schedule_id
    assert found[HealthCode.ATTEMPTS_NEARING_LIMIT].level_percent == 50
    assert found[HealthCode.RETRYABLE_DELIVERIES].message == "2 deliveries may be retried now."


def test_a_live_run_that_left_a_failure_is_found(loop: Loop, receiver: RecordingReceiver, configure: Configure) -> None:
    configure(webhook=receiver.port)
    loop.fail(receiver)
    receiver.reply = Reply(503)
    loop.drained(loop.approved_run())
    codes = [alert.code for alert in health.read_health(actor=loop.manager).alerts]
    assert HealthCode.FAILED_WORKER_RUN in codes
    assert HealthCode.MISSED_WORKER_RUN not in codes


def test_a_glance_sees_what_costs_nothing_to_see(loop: Loop, configure: Configure) -> None:
    configure(siem=9)
    with CaptureQueriesContext(connection) as asked:
        assert health.glance(actor=loop.manager) is AlertLevel.CRITICAL
    assert not [query for query in asked if "rollback_audit_delivery" in query["sql"]]
    run_the_worker(loop)
    assert health.glance(actor=loop.manager) is AlertLevel.HEALTHY


def test_the_expected_interval_follows_a_slower_schedule(loop: Loop) -> None:
    schedules.install(interval_minutes=240)
    assert health.read_health(actor=loop.manager).expected_interval_minutes == 240
    schedules.install(interval_minutes=5)
    assert health.read_health(actor=loop.manager).expected_interval_minutes == 30
    asked = health.read_health(actor=loop.manager, by=Yardstick(expected_interval_minutes=7))
    assert asked.expected_interval_minutes == 7


@pytest.mark.parametrize("minutes", [0, -1, 10_081])
def test_minutes_out_of_bounds_are_refused_by_name(minutes: int, told: Callable[..., AlertAnswer], loop: Loop) -> None:
    with pytest.raises(InvalidInput) as refused:
        told(suppression_window_minutes=minutes)
    assert list(refused.value.fields) == ["suppression_window_minutes"]
    with pytest.raises(InvalidInput) as refused:
        health.read_health(actor=loop.manager, by=Yardstick(minutes, minutes))
    assert list(refused.value.fields) == ["expected_interval_minutes", "stale_metadata_minutes"]


def test_only_who_may_deliver_tells_and_only_who_may_acknowledge_answers(
    told: Callable[..., AlertAnswer], analyst: Actor, people: People
) -> None:
    with pytest.raises(NotAllowed):
        alerts.deliver_alerts(actor=analyst, terms=AlertTerms())
    told()
    auditor = people("auditor", Role.AUDITOR)
    with pytest.raises(NotAllowed):
        alert_words.acknowledge_alert(actor=auditor, named=HealthAlert.objects.get().alert_id)


def test_an_acknowledged_alert_is_quiet_until_it_gets_worse(
    told: Callable[..., AlertAnswer], analyst: Actor, later: Later, loop: Loop
) -> None:
    run_the_worker(loop)
    webhook = Connector.objects.get()
    row = factories.failed(webhook, attempt_count=2, failure_count=2)
    assert told().plan is not None
    ladder = HealthAlert.objects.get(code=HealthCode.ATTEMPTS_NEARING_LIMIT)
    ((record, line),) = alert_words.acknowledge_alert(actor=analyst, named=ladder.alert_id, notes="Call them.")
    assert (record.acknowledgement_state, record.acknowledged_by) == (AcknowledgementState.ACKNOWLEDGED, "analyst")
    assert "Call them." not in json.dumps(line.record)
    assert line.metadata_kind is MetadataKind.HEALTH_ALERT_ACK
    later(timedelta(hours=3))
    assert ladder.key not in keys_of(told())
    Delivery.objects.filter(pk=row.pk).update(attempt_count=3, failure_count=3)
    assert keys_of(told()) == [ladder.key]
    ladder.refresh_from_db()
    assert (ladder.level_percent, ladder.severity, ladder.acknowledgement_state) == (100, AlertLevel.CRITICAL, None)


def test_a_word_on_a_package_is_a_word_on_all_it_told(
    told: Callable[..., AlertAnswer], analyst: Actor, loop: Loop
) -> None:
    factories.schedule(next_due_at=clock.now() - timedelta(days=1))
    answer = told()
    assert answer.plan is not None
    said = alert_words.acknowledge_alert(
        actor=analyst,
        named=answer.plan.health_id,
        acknowledgement_state=AcknowledgementState.ESCALATED,
        provider="webhook",
    )
    assert [record.key for record, _ in said] == [MISSED, "silent_drill:payments-rollback"]
    assert set(HealthAlert.objects.values_list("acknowledgement_state", flat=True)) == {"escalated"}
    assert HealthAlertAcknowledgement.objects.count() == entries(MetadataKind.HEALTH_ALERT_ACK) == 2


def test_a_word_on_nothing_and_from_nowhere_is_refused(told: Callable[..., AlertAnswer], analyst: Actor) -> None:
    told()
    row = HealthAlert.objects.get()
    with pytest.raises(UnknownRecord):
        alert_words.acknowledge_alert(actor=analyst, named="gordackhealth-0")
    for field, refused in {
        "provider": "nobody",
        "external_ref": "x" * 201,
        "notes": "AKIA" + "IOSFODNN7EXAMPLE",
    }.items():
        with pytest.raises(InvalidInput) as problem:
            alert_words.acknowledge_alert(actor=analyst, named=row.alert_id, **{field: refused})  # type: ignore[arg-type]
        assert list(problem.value.fields) == [field]
    assert not HealthAlertAcknowledgement.objects.exists()


def test_the_dashboard_counts_what_there_is(
    told: Callable[..., AlertAnswer], analyst: Actor, loop: Loop, receiver: RecordingReceiver
) -> None:
    receiver.reply = Reply(503)
    factories.schedule(next_due_at=clock.now() - timedelta(days=1))
    told()
    alert_words.acknowledge_alert(actor=analyst, named=HealthAlert.objects.get(key=MISSED).alert_id)
    record = alert_words.alert_dashboard(actor=analyst)
    assert (record.alert_count, record.open_count, record.outstanding_count) == (2, 2, 1)
    assert (record.critical_count, record.warning_count, record.recovered_count) == (1, 1, 0)
    assert (record.acknowledgement_count, record.plan_count, record.failed_delivery_count) == (1, 1, 1)
    assert record.alert_level is AlertLevel.CRITICAL
    assert [alert.key for alert in record.latest] == ["silent_drill:payments-rollback", MISSED]
