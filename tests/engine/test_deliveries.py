"""First deliveries: one package to each chosen connector, tried once, and a failure is an answer."""

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from rollback_audit.engine import deliveries
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.deliveries import DeliverAuditAnswer
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.errors import InvalidInput, NotAllowed, UnknownRecord
from rollback_audit.models import Connector, Delivery, DeliveryPlan, EvidenceEntry, EvidencePackage
from rollback_audit.planning.facts import DEFAULT_POLICY
from rollback_audit.states import ConnectorStanding, DeliveryState, FailureKind, MetadataKind, Outcome, ReasonCode, Role
from tests.engine.conftest import People
from tests.engine.loop import Loop, entries
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db
Configure = Callable[..., None]


@pytest.fixture
def loop(people: People) -> Loop:
    return Loop(people)


def deliver(loop: Loop, **changes: Any) -> DeliverAuditAnswer:
    return deliveries.deliver_audit(actor=loop.manager, filters=AuditFilters(), **changes)


def test_a_delivery_that_is_taken_leaves_a_whole_trail(
    loop: Loop, receiver: RecordingReceiver, configure: Configure
) -> None:
    configure(webhook=receiver.port)
    answer = deliver(loop, schedule_ref="DRILL-7", cadence="weekly", generated_by="night shift")
    assert answer.success
    assert (answer.delivery.providers, answer.delivery.failed_providers) == (["webhook"], [])
    assert answer.delivery.status_codes == [200]
    row = Delivery.objects.get()
    assert (row.state, row.failure_count, row.attempt_count) == (DeliveryState.DELIVERED, 0, 1)
    assert row.delivered_at is not None
    for kind in (MetadataKind.AUDIT_PACKAGE, MetadataKind.DELIVERY_PLAN, MetadataKind.CONNECTOR_DELIVERY):
        assert entries(kind) == 1
    assert answer.metadata.metadata_kind is MetadataKind.CONNECTOR_DELIVERY
    assert answer.metadata.delivery_success
    assert (answer.plan_metadata.signer, answer.delivery_plan.generated_by) == ("manager", "night shift")


def test_what_arrives_is_the_stored_event_under_the_deliverys_key(
    loop: Loop, receiver: RecordingReceiver, configure: Configure
) -> None:
    configure(webhook=receiver.port)
    answer = deliver(loop, schedule_ref="DRILL-7", cadence="weekly")
    (arrival,) = receiver.arrivals
    assert arrival.body.decode() == DeliveryPlan.objects.get().event
    assert arrival.headers["webhook-id"] == Delivery.objects.get().event_id
    event = json.loads(arrival.body)
    assert event["event_type"] == deliveries.AUDIT_EVENT_TYPE
    assert event["summary"]["audit_id"] == answer.audit_package.audit_id
    assert event["summary"]["delivery_id"] == answer.delivery_plan.delivery_id
    assert (event["summary"]["cadence"], event["summary"]["schedule_ref"]) == ("weekly", "DRILL-7")
    assert event["routes"] == []


REJECTED = ReasonCode.RECEIVER_REJECTED
FAILURES: list[tuple[Reply, Outcome, FailureKind, ReasonCode | None]] = [
    (Reply(503), Outcome.ANSWERED_5XX, FailureKind.UNAVAILABLE, None),
    (Reply(500, body=b"hunter2"), Outcome.ANSWERED_5XX, FailureKind.SERVER_ERROR, None),
    (Reply(429), Outcome.REFUSED, FailureKind.RATE_LIMITED, None),
    (Reply(422), Outcome.REFUSED, FailureKind.PAYLOAD_REFUSED, REJECTED),
    (Reply(302), Outcome.REFUSED, FailureKind.REDIRECT_REFUSED, REJECTED),
    (Reply(drop=True), Outcome.UNKNOWN, FailureKind.CONNECTION_LOST, None),
]


@pytest.mark.parametrize("case", FAILURES, ids=[kind.value for _, _, kind, _ in FAILURES])
def test_a_failure_is_an_answer_and_stands_as_the_rule_says(
    loop: Loop,
    receiver: RecordingReceiver,
    configure: Configure,
    case: tuple[Reply, Outcome, FailureKind, ReasonCode | None],
) -> None:
    reply, outcome, kind, blocked_by = case
    configure(webhook=receiver.port)
    receiver.reply = reply
    answer = deliver(loop)
    assert not answer.success
    (attempt,) = answer.delivery.attempts
    assert (attempt.outcome, attempt.failure_kind) == (outcome, kind)
    row = Delivery.objects.get()
    assert (row.state, row.failure_count, row.blocked_by) == (DeliveryState.FAILED, 1, blocked_by)
    if blocked_by is None:
        assert row.due_at is not None
        assert row.last_failed_at is not None
        assert (row.due_at - row.last_failed_at).total_seconds() == DEFAULT_POLICY.retry_delay_minutes * 60
    assert not EvidenceEntry.objects.filter(body__contains="hunter2").exists()


def test_a_receiver_that_is_not_there_is_known_not_to_have_it(loop: Loop, configure: Configure) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    configure(webhook=port)
    (attempt,) = deliver(loop).delivery.attempts
    assert (attempt.outcome, attempt.failure_kind) == (Outcome.NOT_SENT, FailureKind.CONNECT_REFUSED)


def test_a_receiver_that_does_not_answer_in_time_may_have_it(
    loop: Loop, receiver: RecordingReceiver, configure: Configure
) -> None:
    configure(webhook=receiver.port)
    receiver.reply = Reply(200, latency_seconds=5)
    (attempt,) = deliver(loop, timeout_seconds=0.3).delivery.attempts
    assert (attempt.outcome, attempt.failure_kind) == (Outcome.UNKNOWN, FailureKind.ANSWER_TIMEOUT)
    assert len(receiver.arrivals) == 1


def test_every_connector_gets_the_same_event_under_a_key_of_its_own(
    loop: Loop, receiver: RecordingReceiver, configure: Configure
) -> None:
    with RecordingReceiver() as other:
        configure(one=receiver.port, two=other.port)
        other.reply = Reply(503)
        answer = deliver(loop)
        (first,), (second,) = receiver.arrivals, other.arrivals
    assert first.body == second.body
    assert first.headers["webhook-id"] != second.headers["webhook-id"]
    assert not answer.success
    assert (answer.delivery.providers, answer.delivery.failed_providers) == (["one", "two"], ["two"])
    assert (answer.metadata.provider, len(answer.delivery_metadata)) == ("two", 2)
    assert EvidencePackage.objects.count() == DeliveryPlan.objects.count() == 1


def test_a_comma_list_chooses_and_repeats_choose_once(
    loop: Loop, receiver: RecordingReceiver, configure: Configure
) -> None:
    configure(one=receiver.port, two=receiver.port, three=receiver.port)
    answer = deliver(loop, delivery_provider="two, one,two")
    assert answer.delivery_plan.selected_providers == ["two", "one"]
    assert len(receiver.arrivals) == 2


@pytest.mark.parametrize("names", ["nobody", "one,nobody", "", ",", "one,,two", "ONE", "all,one"])
def test_an_unknown_connector_is_refused_and_nothing_is_made(
    loop: Loop, receiver: RecordingReceiver, configure: Configure, names: str
) -> None:
    configure(one=receiver.port, two=receiver.port)
    with pytest.raises(InvalidInput) as refused:
        deliver(loop, delivery_provider=names)
    assert list(refused.value.fields) == ["delivery_provider"]
    assert not EvidencePackage.objects.exists()
    assert not receiver.arrivals


def test_there_is_nobody_to_deliver_to_without_a_configuration(loop: Loop, configure: Configure) -> None:
    configure()
    with pytest.raises(InvalidInput):
        deliver(loop)


def test_a_connector_that_was_removed_is_unknown(loop: Loop, receiver: RecordingReceiver, configure: Configure) -> None:
    configure(one=receiver.port, two=receiver.port)
    configure(one=receiver.port)
    with pytest.raises(InvalidInput):
        deliver(loop, delivery_provider="two")
    assert deliver(loop).delivery.providers == ["one"]


def test_a_connector_on_hold_gets_a_delivery_that_fails_without_a_byte(
    loop: Loop, receiver: RecordingReceiver, configure: Configure
) -> None:
    configure(webhook=receiver.port)
    receiver.reply = Reply(401)
    deliver(loop)
    assert Connector.objects.get().standing is ConnectorStanding.CREDENTIAL_REFUSED
    (attempt,) = deliver(loop).delivery.attempts
    assert attempt.failure_kind is FailureKind.CONNECTOR_UNAVAILABLE
    assert len(receiver.arrivals) == 1


@pytest.mark.parametrize("field", ["cadence", "schedule_ref", "generated_by"])
def test_a_label_that_holds_a_credential_is_refused_and_nothing_is_made(
    loop: Loop, receiver: RecordingReceiver, configure: Configure, field: str
) -> None:
    configure(webhook=receiver.port)
    with pytest.raises(InvalidInput) as refused:
        deliver(loop, **{field: "AKIAIOSFODNN7EXAMPLE"})
    assert list(refused.value.fields) == [field]
    assert not EvidencePackage.objects.exists()


def test_delivering_wants_its_permission(people: People) -> None:
    with pytest.raises(NotAllowed):
        deliveries.deliver_audit(actor=people("analyst", Role.SOC_ANALYST), filters=AuditFilters())


def test_a_delivery_is_read_with_every_connector_and_every_try(
    loop: Loop, receiver: RecordingReceiver, configure: Configure
) -> None:
    with RecordingReceiver() as other:
        configure(one=receiver.port, two=other.port)
        other.reply = Reply(503)
        answer = deliver(loop)
        other.reply = Reply(200)
        loop.drained(loop.approved_run())
    delivery_id = answer.delivery_plan.delivery_id
    whole = deliveries.read_delivery(actor=loop.manager, delivery_id=delivery_id)
    assert [item.delivery.provider for item in whole.destinations] == ["one", "two"]
    assert [item.attempt_number for item in whole.destinations[1].attempts] == [1, 2]
    assert whole.destinations[1].attempts[1].approval_decision_id is not None
    one = deliveries.read_delivery(actor=loop.manager, delivery_id=delivery_id, provider="one")
    assert one.destinations == whole.destinations[:1]
    for wrong in ({"delivery_id": "gordackdelivery-0"}, {"delivery_id": delivery_id, "provider": "three"}):
        with pytest.raises(UnknownRecord):
            deliveries.read_delivery(actor=loop.manager, **wrong)
    with pytest.raises(NotAllowed):
        deliveries.read_delivery(actor=Actor("nobody", None, frozenset()), delivery_id=delivery_id)


@pytest.mark.parametrize("seconds", [0.0, 0.09, 60.1, -1.0, float("inf"), float("nan")])
def test_a_deadline_out_of_bounds_is_refused_before_anything_is_stored(
    loop: Loop, receiver: RecordingReceiver, configure: Configure, seconds: float
) -> None:
    configure(webhook=receiver.port)
    with pytest.raises(InvalidInput) as refused:
        deliver(loop, timeout_seconds=seconds)
    assert list(refused.value.fields) == ["timeout_seconds"]
    assert not EvidencePackage.objects.exists()
    assert not receiver.arrivals
