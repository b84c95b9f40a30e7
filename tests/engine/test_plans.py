"""Retry plans on real rows: one decision for each open delivery, counted, digested and never changed."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollback_audit.engine import clock, ledger, plans
from rollback_audit.engine.actors import Actor
from rollback_audit.errors import InvalidInput, NotAllowed, UnknownRecord
from rollback_audit.models import Connector, Delivery, DeliveryAttempt, EvidenceEntry, RetryDecision, RetryPlan
from rollback_audit.planning.facts import RetryPolicy
from rollback_audit.states import (
    Action,
    AlertLevel,
    ConnectorStanding,
    DeliveryState,
    FailureKind,
    MetadataKind,
    ReasonCode,
    Role,
    Source,
)
from tests.engine.conftest import People
from tests.engine.loop import AT_ONCE, Loop, entries, failed_rows
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db
Configure = Callable[..., None]


@pytest.fixture
def loop(people: People) -> Loop:
    return Loop(people)


@pytest.fixture
def webhook(configure: Configure) -> Connector:
    configure(webhook=9, other=10)
    return Connector.objects.get(name="webhook")


def test_nothing_open_is_an_empty_and_healthy_plan(loop: Loop, webhook: Connector) -> None:
    plan = loop.plan()
    assert (plan.decision_count, plan.alert_level, plan.retry_decisions) == (0, AlertLevel.HEALTHY, [])


def test_every_open_delivery_has_one_decision_and_the_counts_add_up(loop: Loop, webhook: Connector) -> None:
    failed_rows(3, webhook)
    failed_rows(2, webhook, at=clock.now())
    failed_rows(1, webhook, failures=3)
    failed_rows(1, webhook, kind=FailureKind.PAYLOAD_REFUSED)
    delivered, closed = failed_rows(2, webhook)
    Delivery.objects.filter(pk=delivered.pk).update(state=DeliveryState.DELIVERED, delivered_at=clock.now())
    Delivery.objects.filter(pk=closed.pk).update(state=DeliveryState.CLOSED)

    plan = loop.plan(policy=RetryPolicy())
    assert (plan.retryable_count, plan.waiting_count, plan.suppressed_count) == (3, 2, 2)
    assert plan.decision_count == len(plan.retry_decisions) == 7
    assert plan.alert_level is AlertLevel.CRITICAL
    keys = [(item.delivery_id, item.provider) for item in plan.retry_decisions]
    assert keys == sorted(set(keys))
    assert not {delivered.delivery_id, closed.delivery_id} & {item.delivery_id for item in plan.retry_decisions}


def test_a_delivery_that_succeeded_after_failures_has_no_decision(
    loop: Loop, receiver: RecordingReceiver, configure: Configure
) -> None:
    configure(webhook=receiver.port)
    loop.fail(receiver)
    done = loop.drained(loop.approved_run())
    assert done.run.summary.delivered_count == 1
    assert loop.plan().decision_count == 0


def test_an_attempt_on_the_wire_waits(loop: Loop, webhook: Connector) -> None:
    (row,) = failed_rows(1, webhook)
    Delivery.objects.filter(pk=row.pk).update(state=DeliveryState.SENDING, lease_until=clock.now())
    (decision,) = loop.plan().retry_decisions
    assert (decision.action, decision.reason_code) == (Action.WAIT, ReasonCode.IN_FLIGHT)
    assert decision.next_retry_at is None


def test_the_connectors_of_one_package_are_decided_apart(
    loop: Loop, receiver: RecordingReceiver, configure: Configure
) -> None:
    configure(good=receiver.port, bad=receiver.port)
    loop.fail(receiver)
    Connector.objects.filter(name="bad").update(hold=ConnectorStanding.CREDENTIAL_REFUSED, held_since=clock.now())
    bad, good = loop.plan().retry_decisions
    assert bad.delivery_id == good.delivery_id
    assert (bad.provider, bad.reason_code) == ("bad", ReasonCode.CONNECTOR_ON_HOLD)
    assert (good.provider, good.reason_code) == ("good", ReasonCode.DUE)


def test_the_receivers_word_outlasts_the_delay(
    loop: Loop, receiver: RecordingReceiver, configure: Configure, later: Callable[[timedelta], None]
) -> None:
    configure(webhook=receiver.port)
    loop.fail(receiver, reply=Reply(429, headers=(("Retry-After", "3600"),)))
    later(timedelta(minutes=30))
    (decision,) = loop.plan(policy=RetryPolicy()).retry_decisions
    assert decision.reason_code is ReasonCode.RETRY_AFTER
    row = Delivery.objects.get()
    assert row.last_failed_at is not None
    assert decision.next_retry_at == row.last_failed_at + timedelta(hours=1)
    later(timedelta(minutes=31))
    assert loop.plan(policy=RetryPolicy()).retryable_count == 1


def test_a_plan_may_look_at_one_source_or_one_connector(loop: Loop, webhook: Connector) -> None:
    failed_rows(2, webhook)
    failed_rows(3, Connector.objects.get(name="other"))
    rows = failed_rows(4, webhook)
    Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(source=Source.DRILL_NOTIFICATION)
    assert loop.plan().decision_count == 9
    assert loop.plan(provider="other").decision_count == 3
    assert loop.plan(source=Source.DRILL_NOTIFICATION).decision_count == 4
    plan = loop.plan(source=Source.ACKNOWLEDGEMENT_AUDIT, provider="webhook")
    assert plan.decision_count == 2
    assert (plan.source, plan.provider) == (Source.ACKNOWLEDGEMENT_AUDIT, "webhook")


@pytest.mark.parametrize(
    ("field", "value"), [("source", "webhook"), ("provider", "nobody"), ("provider", "WEBHOOK"), ("source", "x" * 500)]
)
def test_an_unknown_filter_is_refused_by_name_and_leaves_nothing(
    loop: Loop, webhook: Connector, field: str, value: str
) -> None:
    filters: dict[str, Any] = {field: value}
    with pytest.raises(InvalidInput) as refused:
        loop.plan(**filters)
    assert list(refused.value.fields) == [field]
    assert not RetryPlan.objects.exists()
    assert not entries(MetadataKind.RETRY_PLAN)


def test_planning_wants_its_permission_and_an_unknown_plan_is_unknown(people: People) -> None:
    auditor = people("auditor", Role.AUDITOR)
    with pytest.raises(NotAllowed):
        plans.plan_retry(actor=auditor)
    with pytest.raises(UnknownRecord):
        plans.read_plan(actor=auditor, retry_plan_id="gordackretry-0000000000000000")
    with pytest.raises(NotAllowed):
        plans.read_plan(actor=Actor("nobody", None, frozenset()), retry_plan_id="gordackretry-0000000000000000")


def test_a_plan_leaves_one_line_that_tells_its_counts_and_not_its_decisions(loop: Loop, webhook: Connector) -> None:
    failed_rows(2, webhook)
    plan = loop.plan()
    line = ledger.read(EvidenceEntry.objects.get(metadata_kind=MetadataKind.RETRY_PLAN))
    assert line["session_id"] == plan.retry_plan_id
    assert (line["decision_count"], line["approval_required_count"]) == (2, 2)
    assert line["record"]["plan_digest"] == plan.plan_digest
    assert line["record"]["retry_decisions"] == []


def test_only_the_first_decisions_are_shown_and_all_are_kept(loop: Loop, webhook: Connector) -> None:
    failed_rows(7, webhook)
    plan = loop.plan()
    shown = plans.read_plan(actor=loop.manager, retry_plan_id=plan.retry_plan_id, most=3)
    assert shown.retry_decisions == plan.retry_decisions[:3]
    assert shown.decision_count == RetryDecision.objects.count() == 7


def test_the_same_facts_and_clock_give_the_same_digest_in_whatever_order_rows_arrived(
    loop: Loop, webhook: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = datetime(2026, 3, 29, 12, tzinfo=UTC)
    failed_rows(40, webhook, at=frozen - timedelta(hours=1))
    rows = list(Delivery.objects.order_by("pk"))
    monkeypatch.setattr(clock, "now", lambda: frozen)

    def digest_of_rows_in(order: list[Delivery]) -> str:
        DeliveryAttempt.objects.all().delete()
        RetryDecision.objects.all().delete()
        Delivery.objects.all().delete()
        for row in order:
            row.pk = None
        Delivery.objects.bulk_create(order)
        return loop.plan(policy=RetryPolicy()).plan_digest

    in_order = digest_of_rows_in(rows)
    shuffled = random.Random(20_261_123).sample(rows, len(rows))
    assert digest_of_rows_in(shuffled) == in_order
    assert digest_of_rows_in(rows[::-1]) == in_order
    assert digest_of_rows_in(rows[1:]) != in_order


def test_a_later_plan_of_unchanged_facts_decides_alike_under_a_digest_of_its_own(
    loop: Loop, webhook: Connector
) -> None:
    failed_rows(3, webhook)
    first, second = loop.plan(), loop.plan()
    assert first.retry_decisions == second.retry_decisions
    assert first.plan_digest != second.plan_digest


def test_a_plan_does_not_change_when_its_deliveries_do(
    loop: Loop, receiver: RecordingReceiver, configure: Configure
) -> None:
    configure(webhook=receiver.port)
    loop.fail(receiver)
    plan = loop.plan()
    loop.drained(loop.approved_run())
    again = plans.read_plan(actor=loop.manager, retry_plan_id=plan.retry_plan_id)
    assert again == plan


def test_a_connector_configured_anew_makes_another_decision(
    loop: Loop, webhook: Connector, configure: Configure
) -> None:
    failed_rows(1, webhook)
    (before,) = loop.plan().retry_decisions
    configure(webhook=11, other=10)
    (after,) = loop.plan().retry_decisions
    assert before.request_digest != after.request_digest
    assert before.decision_digest != after.decision_digest


def test_a_connector_that_left_the_configuration_is_on_hold(
    loop: Loop, webhook: Connector, configure: Configure
) -> None:
    failed_rows(1, webhook)
    configure(other=10)
    (decision,) = loop.plan().retry_decisions
    assert (decision.action, decision.reason_code) == (Action.WAIT, ReasonCode.CONNECTOR_ON_HOLD)


def test_more_decisions_than_one_chunk_are_planned_without_a_gap(
    loop: Loop, webhook: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "_CHUNK", 7)
    failed_rows(30, webhook)
    plan = loop.plan(policy=AT_ONCE)
    assert plan.retryable_count == 30
    ordinals = RetryDecision.objects.filter(plan__retry_plan_id=plan.retry_plan_id).values_list("ordinal", flat=True)
    assert sorted(ordinals) == list(range(1, 31))
