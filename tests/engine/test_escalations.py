"""Escalations: which open recoveries they name, where they go, and that they take the one loop."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from rollback_audit.engine import clock, escalation_words, escalations, plans
from rollback_audit.errors import InvalidInput, NotAllowed, StateForbids, UnknownRecord
from rollback_audit.models import (
    Connector,
    Delivery,
    DeliveryAttempt,
    DeliveryPlan,
    EscalatedRecovery,
    EscalationAcknowledgement,
    EvidenceEntry,
    EvidencePackage,
    Recovery,
    RecoveryEscalation,
)
from rollback_audit.planning.escalation import EscalationPolicy
from rollback_audit.records.escalations import EscalationPlanRecord
from rollback_audit.states import (
    Action,
    AlertLevel,
    ConnectorStanding,
    DeliveryState,
    EscalationAcknowledgementState,
    EscalationLevel,
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


@pytest.fixture
def loop(people: People) -> Loop:
    return Loop(people)


@pytest.fixture
def other() -> Iterator[RecordingReceiver]:
    with RecordingReceiver() as running:
        yield running


def ago(**span: float) -> datetime:
    return clock.now() - timedelta(**span)


def outage(name: str, *, began: datetime) -> Recovery:
    return factories.open_recovery(Connector.objects.get(name=name), first_failure_at=began)


def planned(loop: Loop, **changes: object) -> EscalationPlanRecord:
    record, _ = escalations.plan_escalation(actor=loop.manager, policy=EscalationPolicy(**changes))  # type: ignore[arg-type]
    return record


@pytest.fixture
def failing(loop: Loop, receiver: RecordingReceiver, other: RecordingReceiver, configure: Configure) -> Recovery:
    """Connector `down` fails for five hours; `up` works and listens at `other`."""
    configure(down=receiver.port, up=other.port)
    return outage("down", began=ago(hours=5))


def test_it_names_what_is_near_or_past_its_objective_gravest_first(loop: Loop, configure: Configure) -> None:
    configure(one=9, two=9, three=9, four=9, five=9)
    outage("one", began=ago(hours=1))
    outage("two", began=ago(hours=3, minutes=30))
    outage("three", began=ago(hours=5))
    outage("four", began=ago(hours=9))
    record = planned(loop)
    assert [(item.provider, item.level) for item in record.escalations] == [
        ("four", EscalationLevel.OVERDUE),
        ("three", EscalationLevel.BREACHED),
        ("two", EscalationLevel.AT_RISK),
    ]
    assert (record.escalation_count, record.at_risk_count) == (3, 1)
    assert (record.slo_breached_count, record.overdue_count) == (2, 1)
    assert record.alert_level is AlertLevel.CRITICAL
    assert record.failing_providers == ["four", "three", "two"]
    assert record.selected_providers == ["five"]
    overdue = record.escalations[0]
    assert overdue.slo_due_at == overdue.first_failure_at + timedelta(minutes=240)
    assert (overdue.elapsed_minutes, overdue.slo_breached, overdue.status_codes) == (540, True, [503])


def test_the_policy_and_one_connector_narrow_it(loop: Loop, configure: Configure) -> None:
    configure(one=9, two=9)
    outage("one", began=ago(minutes=70))
    outage("two", began=ago(minutes=70))
    assert planned(loop).escalation_count == 0
    assert planned(loop, recovery_slo_minutes=60).slo_breached_count == 2
    assert planned(loop, recovery_slo_minutes=60, minimum_level=EscalationLevel.OVERDUE).escalation_count == 0
    record, _ = escalations.plan_escalation(
        actor=loop.manager, policy=EscalationPolicy(recovery_slo_minutes=60), provider="one"
    )
    assert (record.provider, record.failing_providers) == ("one", ["one"])
    with pytest.raises(InvalidInput) as refusal:
        escalations.plan_escalation(actor=loop.manager, provider="typo")
    assert set(refusal.value.fields) == {"provider"}


def test_it_is_a_stored_package_with_its_line_and_never_changes(loop: Loop, failing: Recovery) -> None:
    record, line = escalations.plan_escalation(actor=loop.manager, generated_by="night shift")
    package = EvidencePackage.objects.get()
    assert (package.audit_id, package.source) == (record.plan_id, Source.RECOVERY_ESCALATION)
    assert (package.digest, package.route_count) == (record.digest, 1)
    assert (line.metadata_kind, line.session_id) == (MetadataKind.ESCALATION_PLAN, record.plan_id)
    assert (line.audit_id, line.alert_level, line.blocked_count) == (record.audit_id, "critical", 1)
    assert EscalatedRecovery.objects.get().recovery == failing
    Recovery.objects.update(failure_count=99)
    assert escalations.read_escalation(actor=loop.manager, plan_id=record.plan_id).plan == record
    assert record.generated_by == "night shift"


def test_nothing_near_its_objective_is_an_empty_package_that_is_not_sent(loop: Loop, configure: Configure) -> None:
    configure(up=9)
    record = planned(loop)
    assert (record.escalation_count, record.alert_level) == (0, AlertLevel.HEALTHY)
    with pytest.raises(StateForbids) as refusal:
        escalations.deliver_escalation(actor=loop.manager, plan_id=record.plan_id)
    assert refusal.value.code == "nothing_to_escalate"


def test_it_goes_to_a_connector_that_works_and_not_to_the_failing_one(
    loop: Loop, failing: Recovery, receiver: RecordingReceiver, other: RecordingReceiver
) -> None:
    record = planned(loop)
    answer = escalations.deliver_escalation(actor=loop.manager, plan_id=record.plan_id)
    assert answer.sent.success
    assert answer.sent.delivery.connector_delivery_source == Source.RECOVERY_ESCALATION
    assert (answer.sent.delivery_plan.selected_providers, receiver.arrivals) == (["up"], [])
    (arrival,) = other.arrivals
    assert arrival.body.decode() == DeliveryPlan.objects.get().event
    event = json.loads(arrival.body)
    assert event["event_type"] == escalations.EVENT_TYPE
    assert event["summary"]["plan_id"] == event["summary"]["audit_id"] == record.plan_id
    assert event["summary"]["slo_breached_count"] == 1
    assert [route["recovery_id"] for route in event["routes"]] == [failing.recovery_id]
    assert "escalations" not in event["summary"]
    assert entries(MetadataKind.CONNECTOR_DELIVERY) == 1


def test_the_event_carries_as_many_recoveries_as_asked(
    loop: Loop, failing: Recovery, other: RecordingReceiver, configure: Configure
) -> None:
    configure(down=9, two=9, up=other.port)
    outage("two", began=ago(hours=6))
    record = planned(loop)
    escalations.deliver_escalation(actor=loop.manager, plan_id=record.plan_id, max_routes=1)
    event = json.loads(other.arrivals[0].body)
    assert (event["summary"]["escalation_count"], len(event["routes"])) == (2, 1)


def _open_recovery(name: str) -> None:
    outage(name, began=ago(minutes=1))


def _hold(name: str) -> None:
    Connector.objects.filter(name=name).update(hold=ConnectorStanding.CREDENTIAL_REFUSED, held_since=clock.now())


@pytest.mark.parametrize("spoil", [_open_recovery, _hold])
def test_a_connector_that_fails_itself_is_not_sent_to(
    loop: Loop, failing: Recovery, other: RecordingReceiver, spoil: Callable[[str], None]
) -> None:
    record = planned(loop)
    spoil("up")
    for names, code in (("all", "no_connector_left"), ("up", "connector_failing"), ("down", "connector_failing")):
        with pytest.raises(StateForbids) as refusal:
            escalations.deliver_escalation(actor=loop.manager, plan_id=record.plan_id, delivery_provider=names)
        assert refusal.value.code == code
    assert not Delivery.objects.exists()
    assert other.arrivals == []


def test_a_failing_connector_among_good_ones_is_refused_and_the_good_ones_are_named(
    loop: Loop, failing: Recovery, other: RecordingReceiver
) -> None:
    record = planned(loop)
    with pytest.raises(StateForbids, match=r"Choose one that works: up\."):
        escalations.deliver_escalation(actor=loop.manager, plan_id=record.plan_id, delivery_provider="up,down")
    assert other.arrivals == []


def test_what_it_is_about_stays_left_out_once_it_works_again(
    loop: Loop, failing: Recovery, receiver: RecordingReceiver
) -> None:
    record = planned(loop)
    Recovery.objects.all().update(state="closed", closed_at=clock.now())
    escalations.deliver_escalation(actor=loop.manager, plan_id=record.plan_id)
    assert receiver.arrivals == []


def test_a_failed_one_is_in_the_same_retry_plan_and_the_worker_delivers_it(
    loop: Loop, failing: Recovery, other: RecordingReceiver
) -> None:
    other.reply = Reply(503)
    record = planned(loop)
    answer = escalations.deliver_escalation(actor=loop.manager, plan_id=record.plan_id)
    assert not answer.sent.success
    (decision,) = loop.plan().retry_decisions
    assert (decision.action, decision.source, decision.audit_id) == (
        Action.RETRY,
        Source.RECOVERY_ESCALATION,
        record.plan_id,
    )
    other.reply = Reply(200)
    run = loop.drained(loop.approved_run())
    assert run.run.summary.delivered_count == 1
    first, second = other.arrivals
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    (delivery,) = escalations.read_escalation(actor=loop.manager, plan_id=record.plan_id).deliveries
    assert delivery.state is DeliveryState.DELIVERED


def test_a_failed_one_is_never_sent_again_without_an_approval(
    loop: Loop, failing: Recovery, other: RecordingReceiver
) -> None:
    other.reply = Reply(503)
    record = planned(loop)
    escalations.deliver_escalation(actor=loop.manager, plan_id=record.plan_id)
    for names in ("all", "up"):
        with pytest.raises(StateForbids) as refusal:
            escalations.deliver_escalation(actor=loop.manager, plan_id=record.plan_id, delivery_provider=names)
        assert refusal.value.code == "already_sent"
    assert len(other.arrivals) == DeliveryAttempt.objects.count() == 1


def test_the_database_refuses_a_second_delivery_to_the_same_connector(loop: Loop, configure: Configure) -> None:
    configure(up=9)
    first, second = (factories.delivery(Connector.objects.get(), source=Source.RECOVERY_ESCALATION) for _ in range(2))
    with pytest.raises(IntegrityError), transaction.atomic():
        Delivery.objects.filter(pk=second.pk).update(audit_id=first.audit_id)


@pytest.mark.django_db(transaction=True)
def test_of_many_presses_at_once_one_sends(loop: Loop, failing: Recovery, other: RecordingReceiver) -> None:
    record = planned(loop)

    def press() -> str:
        try:
            escalations.deliver_escalation(actor=loop.manager, plan_id=record.plan_id)
        except StateForbids as refusal:
            return refusal.code
        return "sent"

    assert sorted(at_once(press, times=4)) == ["already_sent"] * 3 + ["sent"]
    assert len(other.arrivals) == 1


def test_the_latest_word_counts_and_notes_stay_behind(loop: Loop, failing: Recovery) -> None:
    record = planned(loop)
    escalation_words.acknowledge_escalation(actor=loop.manager, plan_id=record.plan_id, notes="Called the vendor.")
    word, line = escalation_words.acknowledge_escalation(
        actor=loop.manager,
        plan_id=record.plan_id,
        provider="down",
        acknowledgement_state=EscalationAcknowledgementState.RESOLVED,
        external_ref="INC-7",
        acknowledged_by="night shift",
    )
    assert (word.provider, word.acknowledgement_state, word.acknowledged_by) == ("down", "resolved", "night shift")
    assert (line.metadata_kind, line.acknowledgement_state, line.audit_id) == (
        MetadataKind.ESCALATION_ACK,
        "resolved",
        record.plan_id,
    )
    said = escalations.read_escalation(actor=loop.manager, plan_id=record.plan_id).acknowledgements
    assert [item.acknowledgement_state.value for item in said] == ["resolved", "accepted"]
    assert EscalationAcknowledgement.objects.filter(notes="Called the vendor.").exists()
    assert not EvidenceEntry.objects.filter(body__contains="vendor").exists()


SECRET = "password=" + "hunter2hunter2"


@pytest.mark.parametrize("field", ["external_ref", "notes", "acknowledged_by"])
def test_a_word_that_looks_like_a_credential_is_refused(loop: Loop, failing: Recovery, field: str) -> None:
    record = planned(loop)
    with pytest.raises(InvalidInput) as refusal:
        escalation_words.acknowledge_escalation(actor=loop.manager, plan_id=record.plan_id, **{field: SECRET})  # type: ignore[arg-type]
    assert set(refusal.value.fields) == {field}
    assert not EscalationAcknowledgement.objects.exists()


def test_an_unknown_id_or_connector_is_not_found(loop: Loop, failing: Recovery) -> None:
    record = planned(loop)
    with pytest.raises(UnknownRecord):
        escalations.read_escalation(actor=loop.manager, plan_id="gordackescalation-none")
    with pytest.raises(UnknownRecord):
        escalations.deliver_escalation(actor=loop.manager, plan_id="gordackescalation-none")
    with pytest.raises(UnknownRecord):
        escalation_words.acknowledge_escalation(actor=loop.manager, plan_id=record.plan_id, provider="up")


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (EscalationPolicy(recovery_slo_minutes=0), "recovery_slo_minutes"),
        (EscalationPolicy(recovery_slo_minutes=43_201), "recovery_slo_minutes"),
        (EscalationPolicy(at_risk_percent=0), "at_risk_percent"),
        (EscalationPolicy(at_risk_percent=101), "at_risk_percent"),
    ],
)
def test_a_policy_out_of_bounds_is_refused_by_name(loop: Loop, policy: EscalationPolicy, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        escalations.plan_escalation(actor=loop.manager, policy=policy)
    assert set(refusal.value.fields) == {field}
    assert not RecoveryEscalation.objects.exists()


def test_each_verb_wants_its_permission(loop: Loop, failing: Recovery, people: People) -> None:
    auditor, analyst = people("ada", Role.AUDITOR), people("sam", Role.SOC_ANALYST)
    record, _ = escalations.plan_escalation(actor=analyst)
    with pytest.raises(NotAllowed):
        escalations.plan_escalation(actor=auditor)
    with pytest.raises(NotAllowed):
        escalations.deliver_escalation(actor=analyst, plan_id=record.plan_id)
    with pytest.raises(NotAllowed):
        escalation_words.acknowledge_escalation(actor=auditor, plan_id=record.plan_id)
    assert escalation_words.acknowledge_escalation(actor=analyst, plan_id=record.plan_id)
    assert escalations.read_escalation(actor=auditor, plan_id=record.plan_id).plan.plan_id == record.plan_id


def test_a_plan_of_one_source_finds_only_escalations(loop: Loop, failing: Recovery, other: RecordingReceiver) -> None:
    loop.fail(other, to="up")
    other.reply = Reply(503)
    escalations.deliver_escalation(actor=loop.manager, plan_id=planned(loop).plan_id)
    both, _ = plans.plan_retry(actor=loop.manager)
    one, _ = plans.plan_retry(actor=loop.manager, source=Source.RECOVERY_ESCALATION.value)
    assert (both.decision_count, one.decision_count) == (2, 1)
