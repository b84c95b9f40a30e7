"""Back-tests: past failures read from the attempts, replayed beside the default policy, and nothing written."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rollback_audit.engine import backtests, connectors
from rollback_audit.engine.actors import Actor
from rollback_audit.errors import InvalidInput, NotAllowed
from rollback_audit.models import Connector, Delivery, EvidenceEntry
from rollback_audit.planning.facts import DEFAULT_POLICY, RetryPolicy
from rollback_audit.records.backtests import BackTestRecord
from rollback_audit.states import FailureKind, Role, Source
from tests import factories
from tests.engine.conftest import People
from tests.receivers import RecordingReceiver

pytestmark = pytest.mark.django_db
EAGER = RetryPolicy(max_retry_attempts=6, retry_delay_minutes=5, backoff_multiplier=1.0)
BEGAN = factories.now() - timedelta(hours=10)


@pytest.fixture
def analyst(people: People) -> Actor:
    return people("sam", Role.SOC_ANALYST)


@pytest.fixture
def siem(db: None) -> Connector:
    return factories.connector("siem")


def at(minutes: float) -> datetime:
    return BEGAN + timedelta(minutes=minutes)


def failed(to: Connector, minutes: float = 0, **changes: Any) -> Delivery:
    return factories.failed(to, at=at(minutes), **changes)


def confirmed(by: Connector, minutes: float) -> Delivery:
    return factories.delivery(by, at=at(minutes))


def back_tested(actor: Actor, policy: RetryPolicy = EAGER, **changes: Any) -> BackTestRecord:
    return backtests.back_test(actor=actor, policy=policy, **({"since": at(-60)} | changes))


def test_what_would_have_happened_is_told_beside_the_present_policy(analyst: Actor, siem: Connector) -> None:
    failed(siem)
    failed(siem, 12)
    confirmed(siem, 13)
    record = back_tested(analyst)
    assert (record.delivery_count, record.outage_count) == (2, 1)
    # Present: 15 minutes after each, when it works again. Proposed: at 5, 10 and 15; and 5 minutes after the other.
    assert (record.present.retry_count, record.present.wasted_retry_count, record.present.recovered_count) == (2, 0, 2)
    assert (record.proposed.retry_count, record.proposed.wasted_retry_count) == (4, 2)
    assert record.proposed.recovered_count == 2
    assert (record.present.median_recovery_minutes, record.proposed.median_recovery_minutes) == (15.0, 5.0)
    assert (record.difference.sooner_count, record.difference.sooner_minutes) == (1, 10.0)
    assert record.proposed_policy.retry_delay_minutes == 5
    (row,) = record.provider_summary
    assert (row.provider, row.delivery_count, row.present, row.proposed) == ("siem", 2, record.present, record.proposed)


def test_the_present_policy_beside_itself_changes_nothing(analyst: Actor, siem: Connector) -> None:
    failed(siem)
    failed(siem, 40, kind=FailureKind.ANSWER_TIMEOUT, status_code=None)
    record = back_tested(analyst, DEFAULT_POLICY)
    assert record.present == record.proposed
    assert not any(getattr(record.difference, name) for name in record.difference.__slots__)


def test_nothing_failed_is_no_error(analyst: Actor, siem: Connector) -> None:
    confirmed(siem, 0)
    record = back_tested(analyst)
    assert (record.delivery_count, record.outage_count, record.provider_summary) == (0, 0, [])
    assert record.present.p95_recovery_minutes is None


def test_only_what_first_failed_in_the_time_is_replayed(analyst: Actor, siem: Connector) -> None:
    failed(siem, -61)
    failed(siem)
    assert back_tested(analyst).delivery_count == 1


def test_another_connectors_answers_end_no_outage(analyst: Actor, siem: Connector) -> None:
    other = factories.connector("chat")
    failed(siem)
    confirmed(other, 1)
    failed(other, 2)
    confirmed(other, 3)
    record = back_tested(analyst)
    assert [(row.provider, row.proposed.recovered_count) for row in record.provider_summary] == [
        ("chat", 1),
        ("siem", 0),
    ]
    assert record.present.recovered_count == 1
    assert back_tested(analyst, provider="siem").delivery_count == 1


def test_other_evidence_tells_of_outages_without_being_replayed(analyst: Actor, siem: Connector) -> None:
    failed(siem)
    confirmed(siem, 4)
    failed(siem, 4.5, source=Source.EXECUTIVE_REPORT)
    confirmed(siem, 9)
    record = back_tested(analyst, source=Source.ACKNOWLEDGEMENT_AUDIT)
    assert (record.delivery_count, record.outage_count) == (1, 2)
    assert (record.proposed.retry_count, record.proposed.recovered_count) == (2, 1)
    assert record.source == Source.ACKNOWLEDGEMENT_AUDIT


def test_a_held_connector_and_a_forgetful_one_wait(analyst: Actor) -> None:
    forgetful = factories.connector("chat", drops_repeats=False)
    failed(forgetful, kind=FailureKind.ANSWER_TIMEOUT, status_code=None)
    failed(factories.connector("tickets"), kind=FailureKind.CREDENTIAL_REFUSED, status_code=401)
    record = back_tested(analyst)
    assert (record.present.waiting_count, record.present.retry_count) == (2, 0)


def test_a_confirmed_test_ends_an_outage(
    analyst: Actor,
    people: People,
    receiver: RecordingReceiver,
    configure: Callable[..., None],
    later: Callable[[timedelta], None],
) -> None:
    configure(webhook=receiver.port)
    factories.failed(Connector.objects.get(name="webhook"), at=factories.now() - timedelta(minutes=1))
    later(timedelta(minutes=2))
    assert back_tested(analyst, provider="webhook").outage_count == 1
    connectors.test(actor=people("olga", Role.PLATFORM_OWNER), name="webhook")
    later(timedelta(minutes=20))
    assert back_tested(analyst, provider="webhook").proposed.recovered_count == 1


def test_looking_writes_nothing(analyst: Actor, siem: Connector) -> None:
    failed(siem)
    lines = EvidenceEntry.objects.count()
    with CaptureQueriesContext(connection) as asked:
        back_tested(analyst)
    assert not [query for query in asked if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert EvidenceEntry.objects.count() == lines


def test_an_auditor_may_not(people: People) -> None:
    with pytest.raises(NotAllowed):
        back_tested(people("ann", Role.AUDITOR))


@pytest.mark.parametrize("since", [at(-91 * 1440), factories.now() + timedelta(days=1)])
def test_a_time_out_of_reach_is_refused(analyst: Actor, since: datetime) -> None:
    with pytest.raises(InvalidInput) as refusal:
        back_tested(analyst, since=since)
    assert list(refusal.value.fields) == ["since"]


@pytest.mark.parametrize("wrong", [{"source": "gossip"}, {"provider": "nobody"}])
def test_what_nobody_knows_is_refused(analyst: Actor, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        back_tested(analyst, **wrong)
    assert list(refusal.value.fields) == list(wrong)


def test_more_than_can_be_replayed_at_once_is_refused(
    analyst: Actor, siem: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtests, "MOST_REPLAYED_ATTEMPTS", 6 * 2 - 1)
    failed(siem)
    assert back_tested(analyst).delivery_count == 1
    failed(siem, 1)
    with pytest.raises(InvalidInput, match="refused"):
        back_tested(analyst)


def test_failures_and_confirmations_are_found_by_their_indexes(analyst: Actor, siem: Connector) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL reads small tables whole.")
    failed(siem)
    with CaptureQueriesContext(connection) as asked:
        back_tested(analyst)
    (sql,) = [query["sql"] for query in asked if "retry_after_seconds" in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        steps = " ".join(row[-1] for row in cursor.fetchall())
    assert "attempt_failures" in steps
    assert "delivery_confirmed" in steps
    assert "TEMP B-TREE" not in steps
