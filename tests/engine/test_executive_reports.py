"""Executive reports: looking leaves no trace, a window has one, and what was sent can be read later."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rollback_audit.engine import clock, escalation_words, escalations, executive_reports
from rollback_audit.engine.actors import SYSTEM
from rollback_audit.engine.executive_reports import ReportScope
from rollback_audit.engine.sweep import sweep
from rollback_audit.errors import InvalidInput, NotAllowed, StateForbids, UnknownRecord
from rollback_audit.models import (
    Connector,
    DeliveryPlan,
    EvidenceEntry,
    EvidencePackage,
    ExecutiveReport,
)
from rollback_audit.records.executive_reports import ExecutiveReportRecord
from rollback_audit.states import (
    Action,
    AlertLevel,
    ConnectorStanding,
    DeliveryState,
    MetadataKind,
    RecoveryState,
    ReportRisk,
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
NOON = datetime(2026, 3, 29, 12, 31, tzinfo=UTC)


@pytest.fixture
def loop(people: People) -> Loop:
    return Loop(people)


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """A clock that stands at NOON until it is moved."""
    moment = NOON

    def move(by: timedelta) -> None:
        nonlocal moment
        moment += by

    monkeypatch.setattr(clock, "now", lambda: moment)
    return move


def looked_at(loop: Loop, **scope: int) -> ExecutiveReportRecord:
    return executive_reports.executive_report(actor=loop.manager, scope=ReportScope(**scope))


def test_looking_writes_nothing(loop: Loop) -> None:
    factories.failed(factories.connector())
    with CaptureQueriesContext(connection) as asked:
        report = looked_at(loop)
    assert report.report_id is None
    assert all(query["sql"].startswith("SELECT") for query in asked.captured_queries)
    assert not EvidenceEntry.objects.exists()


def test_it_counts_the_deliveries_of_its_period_by_connector_and_day(loop: Loop, at_noon: object) -> None:
    siem, chat = factories.connector("siem"), factories.connector("chat")
    factories.delivery(siem, at=NOON - timedelta(hours=1))
    factories.failed(siem, at=NOON - timedelta(hours=23))
    factories.delivery(chat, at=NOON - timedelta(hours=25))
    factories.delivery(chat, at=NOON - timedelta(hours=49))
    report = looked_at(loop, lookback_hours=48)
    summary = report.executive_summary
    assert (summary.delivery_count, summary.delivered_count, summary.open_count) == (3, 2, 1)
    assert summary.delivery_success_rate == 0.6667
    assert [(row.provider, row.delivery_count, row.open_count) for row in report.provider_summary] == [
        ("chat", 1, 0),
        ("siem", 2, 1),
    ]
    assert [(row.date, row.delivery_count) for row in report.delivery_trends] == [
        ("2026-03-27", 0),
        ("2026-03-28", 2),
        ("2026-03-29", 1),
    ]


def test_the_period_begins_with_its_first_moment_and_ends_before_now(loop: Loop, at_noon: object) -> None:
    siem = factories.connector()
    for moment in (NOON - timedelta(hours=1), NOON - timedelta(hours=1, microseconds=1000), NOON):
        factories.delivery(siem, at=moment)
    assert looked_at(loop, lookback_hours=1).executive_summary.delivery_count == 1


def test_it_counts_recoveries_as_they_stand_and_those_closed_in_its_period(loop: Loop, at_noon: object) -> None:
    names = ("risk", "breach", "fine", "early", "late", "before")
    risk, breach, fine, early, late, before = (factories.connector(name) for name in names)
    factories.open_recovery(risk, first_failure_at=NOON - timedelta(minutes=200))
    factories.open_recovery(breach, first_failure_at=NOON - timedelta(minutes=240))
    factories.open_recovery(fine, first_failure_at=NOON - timedelta(minutes=10))
    closed = {"state": RecoveryState.CLOSED}
    factories.open_recovery(
        early, first_failure_at=NOON - timedelta(hours=3), closed_at=NOON - timedelta(hours=1), **closed
    )
    factories.open_recovery(
        late, first_failure_at=NOON - timedelta(hours=30), closed_at=NOON - timedelta(hours=20), **closed
    )
    factories.open_recovery(
        before, first_failure_at=NOON - timedelta(hours=60), closed_at=NOON - timedelta(hours=49), **closed
    )
    report = looked_at(loop, lookback_hours=48)
    summary = report.executive_summary
    assert (summary.recovery_open_count, summary.recovery_at_risk_count, summary.recovery_slo_breached_count) == (
        3,
        1,
        1,
    )
    assert (summary.recovery_closed_count, summary.recovery_closed_late_count) == (2, 1)
    assert summary.mean_recovery_minutes == 360
    assert [(row.date, row.closed_count, row.late_count) for row in report.closure_trends] == [
        ("2026-03-28", 1, 1),
        ("2026-03-29", 1, 0),
    ]
    flags = {row.provider: (row.recovery_open, row.recovery_slo_breached) for row in report.provider_summary}
    assert (flags["breach"], flags["risk"], flags["late"]) == ((True, True), (True, False), (False, False))


def test_it_warns_gravest_first_and_says_what_to_do(loop: Loop, configure: Configure) -> None:
    configure(siem=9)
    siem = Connector.objects.get()
    factories.open_recovery(siem, first_failure_at=clock.now() - timedelta(hours=5))
    escalations.plan_escalation(actor=loop.manager)
    factories.connector("off", configuration=ConnectorStanding.DISABLED)
    factories.connector("held", hold=ConnectorStanding.CREDENTIAL_REFUSED, held_since=factories.now())
    factories.failed(siem)
    factories.suppressed(siem)
    factories.failed(siem, in_doubt=True)
    report = looked_at(loop)
    assert [(risk.code, risk.count) for risk in report.key_risks] == [
        (ReportRisk.RECOVERY_SLO_BREACHED, 1),
        (ReportRisk.EVIDENCE_SUPPRESSED, 1),
        (ReportRisk.CONNECTOR_UNAVAILABLE, 1),
        (ReportRisk.EVIDENCE_RETRYABLE, 2),
        (ReportRisk.OUTCOME_UNKNOWN, 1),
        (ReportRisk.ESCALATION_OUTSTANDING, 1),
    ]
    assert report.key_risks[0].risk == "Connector recovery SLO breached"
    assert report.alert_level is AlertLevel.CRITICAL
    assert report.recommended_actions == [risk.recommended_action for risk in report.key_risks]


def test_an_answered_escalation_is_no_longer_outstanding(loop: Loop) -> None:
    factories.open_recovery(factories.connector(), first_failure_at=clock.now() - timedelta(hours=5))
    plan, _ = escalations.plan_escalation(actor=loop.manager)
    escalations.plan_escalation(actor=loop.manager)
    for _ in range(2):
        escalation_words.acknowledge_escalation(actor=loop.manager, plan_id=plan.plan_id)
    summary = looked_at(loop).executive_summary
    assert (summary.escalation_count, summary.outstanding_escalation_count) == (2, 1)


def test_live_runs_are_counted_from_their_receipts(
    loop: Loop, receiver: RecordingReceiver, configure: Configure
) -> None:
    configure(up=receiver.port)
    loop.fail(receiver)
    loop.drained(loop.approved_run())
    summary = looked_at(loop).executive_summary
    assert (summary.execution_count, summary.execution_success_count, summary.execution_success_rate) == (1, 1, 1.0)
    assert (summary.delivered_count, summary.open_count) == (1, 0)


def test_a_stored_report_is_read_later_as_it_was(loop: Loop) -> None:
    siem = factories.connector()
    factories.failed(siem)
    stored = executive_reports.store_report(actor=loop.manager, generated_by="night shift")
    factories.delivery(siem)
    read = executive_reports.read_report(actor=loop.manager, run_id=stored.run.run_id)
    assert read.run == stored.run
    assert read.run.executive_report.executive_summary.delivery_count == 1
    package = EvidencePackage.objects.get(audit_id=stored.run.run_id)
    assert (package.source, package.digest) == (Source.EXECUTIVE_REPORT, stored.run.digest)
    assert (stored.metadata.metadata_kind, stored.metadata.audit_id) == (
        MetadataKind.EXECUTIVE_REPORT,
        stored.run.run_id,
    )
    assert stored.run.executive_report.report_id == stored.run.run_id
    assert stored.metadata.record["digest"] == stored.run.digest


def test_a_window_has_one_report_and_the_next_one_another(loop: Loop, at_noon: Callable[[timedelta], None]) -> None:
    first = executive_reports.store_report(actor=loop.manager, interval_minutes=60)
    at_noon(timedelta(minutes=28))
    again = executive_reports.store_report(actor=loop.manager, interval_minutes=60, generated_by="somebody else")
    assert (first.created, again.created) == (True, False)
    assert again.run == first.run
    assert entries(MetadataKind.EXECUTIVE_REPORT) == 1
    at_noon(timedelta(minutes=1))
    following = executive_reports.store_report(actor=loop.manager, interval_minutes=60)
    assert following.created
    assert following.run.schedule.window_start == first.run.schedule.window_end
    assert (first.run.schedule.cadence, ExecutiveReport.objects.count()) == ("every_60_minutes", 2)


def test_a_window_keeps_what_its_report_covers(loop: Loop, at_noon: object) -> None:
    executive_reports.store_report(actor=loop.manager)
    with pytest.raises(StateForbids) as refusal:
        executive_reports.store_report(actor=loop.manager, scope=ReportScope(lookback_hours=24))
    assert refusal.value.code == "report_window_taken"
    assert executive_reports.store_report(
        actor=loop.manager, scope=ReportScope(lookback_hours=24), interval_minutes=60
    ).created


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_stores_and_all_get_the_same(loop: Loop) -> None:
    stored = at_once(lambda: executive_reports.store_report(actor=loop.manager, interval_minutes=10_080), times=4)
    assert sum(item.created for item in stored) == 1
    assert len({item.run.run_id for item in stored}) == ExecutiveReport.objects.count() == 1
    assert entries(MetadataKind.EXECUTIVE_REPORT) == EvidencePackage.objects.count() == 1


def test_a_disabled_schedule_stores_nothing(loop: Loop) -> None:
    with pytest.raises(StateForbids) as refusal:
        executive_reports.store_report(actor=loop.manager, enabled=False)
    assert refusal.value.code == "schedule_disabled"
    assert not ExecutiveReport.objects.exists()


def test_the_recurring_report_is_off_until_somebody_sets_it(
    loop: Loop, settings: LazySettings, at_noon: Callable[[timedelta], None]
) -> None:
    sweep()
    assert not ExecutiveReport.objects.exists()
    settings.CAVRA_EXECUTIVE_REPORT_MINUTES = 60
    for _ in range(2):
        sweep()
    row = ExecutiveReport.objects.get()
    assert (row.generated_by, row.actor, row.interval_minutes) == (executive_reports.SCHEDULE, "system", 60)
    at_noon(timedelta(minutes=29))
    sweep()
    assert ExecutiveReport.objects.count() == 2
    assert not DeliveryPlan.objects.exists()


def test_the_system_cannot_send_a_report(loop: Loop, settings: LazySettings) -> None:
    settings.CAVRA_EXECUTIVE_REPORT_MINUTES = 60
    stored = executive_reports.store_due()
    assert stored is not None
    with pytest.raises(NotAllowed):
        executive_reports.deliver_report(actor=SYSTEM, run_id=stored.run.run_id)


def test_what_arrives_is_the_stored_report(loop: Loop, receiver: RecordingReceiver, configure: Configure) -> None:
    configure(up=receiver.port)
    stored = executive_reports.store_report(actor=loop.manager)
    answer = executive_reports.deliver_report(actor=loop.manager, run_id=stored.run.run_id)
    assert answer.sent.success
    (arrival,) = receiver.arrivals
    event = json.loads(arrival.body)
    assert event["event_type"] == executive_reports.EVENT_TYPE
    assert event["summary"]["audit_id"] == event["summary"]["report_id"] == stored.run.run_id
    assert event["summary"]["cadence"] == "every_1440_minutes"
    assert event["summary"]["key_risks"] == ["nothing_delivered"]
    assert [row["provider"] for row in event["routes"]] == ["up"]
    with pytest.raises(StateForbids) as refusal:
        executive_reports.deliver_report(actor=loop.manager, run_id=stored.run.run_id)
    assert refusal.value.code == "already_sent"


def test_a_connector_that_is_being_recovered_does_not_get_it(
    loop: Loop, receiver: RecordingReceiver, configure: Configure
) -> None:
    with RecordingReceiver() as other:
        configure(down=receiver.port, up=other.port)
        factories.open_recovery(Connector.objects.get(name="down"), first_failure_at=clock.now())
        run_id = executive_reports.store_report(actor=loop.manager).run.run_id
        with pytest.raises(StateForbids) as refusal:
            executive_reports.deliver_report(actor=loop.manager, run_id=run_id, delivery_provider="down")
        assert refusal.value.code == "connector_failing"
        executive_reports.deliver_report(actor=loop.manager, run_id=run_id)
        assert (len(receiver.arrivals), len(other.arrivals)) == (0, 1)


def test_a_failed_one_is_in_the_same_retry_plan_and_the_worker_delivers_it(
    loop: Loop, receiver: RecordingReceiver, configure: Configure
) -> None:
    configure(up=receiver.port)
    receiver.reply = Reply(503)
    run_id = executive_reports.store_report(actor=loop.manager).run.run_id
    assert not executive_reports.deliver_report(actor=loop.manager, run_id=run_id).sent.success
    (decision,) = loop.plan().retry_decisions
    assert (decision.action, decision.source, decision.audit_id) == (Action.RETRY, Source.EXECUTIVE_REPORT, run_id)
    receiver.reply = Reply(200)
    assert loop.drained(loop.approved_run()).run.summary.delivered_count == 1
    (delivery,) = executive_reports.read_report(actor=loop.manager, run_id=run_id).deliveries
    assert (delivery.state, delivery.attempt_count) == (DeliveryState.DELIVERED, 2)


@pytest.mark.parametrize(
    ("scope", "field"),
    [
        ({"lookback_hours": 0}, "lookback_hours"),
        ({"lookback_hours": 2_161}, "lookback_hours"),
        ({"recovery_slo_minutes": 0}, "recovery_slo_minutes"),
        ({"recovery_slo_minutes": 43_201}, "recovery_slo_minutes"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(loop: Loop, scope: dict[str, int], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        looked_at(loop, **scope)
    assert set(refusal.value.fields) == {field}


@pytest.mark.parametrize("minutes", [0, 10_081])
def test_an_interval_out_of_bounds_is_refused(loop: Loop, minutes: int) -> None:
    with pytest.raises(InvalidInput):
        executive_reports.store_report(actor=loop.manager, interval_minutes=minutes)


def test_each_verb_wants_its_permission(loop: Loop, people: People) -> None:
    auditor, analyst = people("ada", Role.AUDITOR), people("sam", Role.SOC_ANALYST)
    executive_reports.executive_report(actor=auditor)
    with pytest.raises(NotAllowed):
        executive_reports.store_report(actor=auditor)
    run_id = executive_reports.store_report(actor=analyst).run.run_id
    with pytest.raises(NotAllowed):
        executive_reports.deliver_report(actor=analyst, run_id=run_id)
    assert executive_reports.read_report(actor=auditor, run_id=run_id).run.run_id == run_id


def test_an_unknown_report_is_not_found(loop: Loop) -> None:
    with pytest.raises(UnknownRecord):
        executive_reports.read_report(actor=loop.manager, run_id="gordackreport-none")
