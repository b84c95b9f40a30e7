"""Recoveries: opened by failures, one for each connector, closed with a proof or a reason."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from rollback_audit.engine import clock, connectors, dashboards, ledger, recoveries, recovery_reports
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.recoveries import Closing
from rollback_audit.errors import InvalidInput, NotAllowed, StateForbids, UnknownRecord
from rollback_audit.models import (
    Connector,
    EvidenceEntry,
    Recovery,
    RecoveryClosure,
    RecoveryPlaybook,
    RecoveryPlaybookEntry,
)
from rollback_audit.records.recoveries import RecoveryPlaybookRecord
from rollback_audit.states import Category, ClosureState, FailureKind, MetadataKind, RecoveryState, Role
from tests import factories
from tests.engine.conftest import People
from tests.engine.loop import Loop, entries
from tests.engine.threads import at_once
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db
Later = Callable[[timedelta], None]
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def analyst(people: People) -> Actor:
    return people("sam", Role.SOC_ANALYST)


@pytest.fixture
def owner(people: People) -> Actor:
    return people("olga", Role.PLATFORM_OWNER)


@pytest.fixture
def siem(db: None) -> Connector:
    return factories.connector("siem")


def ago(by: timedelta) -> dict[str, Any]:
    return {"at": factories.now() - by}


def playbook(actor: Actor, **changes: Any) -> RecoveryPlaybookRecord:
    return recoveries.make_playbook(actor=actor, **changes)[0]


def say(actor: Actor, asked: RecoveryPlaybookRecord, word: ClosureState, **changes: Any) -> Any:
    """A word on the recovery of the playbook's first connector."""
    provider = asked.provider_playbooks[0].provider
    closing = Closing(closure_state=word, **({"external_ref": "INC-7"} | changes))
    return recoveries.close(actor=actor, playbook_id=asked.playbook_id, provider=provider, closing=closing)


def refusal(actor: Actor, asked: RecoveryPlaybookRecord, word: ClosureState) -> str:
    with pytest.raises(StateForbids) as refused:
        say(actor, asked, word)
    return refused.value.code


# --- Playbooks ------------------------------------------------------------------------------------------------------


def test_a_connector_that_failed_twice_gets_a_recovery_with_fitting_steps(analyst: Actor, siem: Connector) -> None:
    factories.failed(siem, kind=FailureKind.CREDENTIAL_REFUSED, status_code=401, **ago(2 * HOUR))
    latest = factories.failed(siem, **ago(HOUR))
    answer, line = recoveries.make_playbook(actor=analyst, generated_by="nightly")
    (entry,) = answer.provider_playbooks
    row = Recovery.objects.get()
    assert answer.playbook_id.startswith("gordackplaybook-")
    assert (entry.provider, entry.category, entry.failure_count) == ("siem", Category.SIEM, 2)
    assert entry.status_codes == [401, 503]
    assert entry.failure_kinds == [FailureKind.CREDENTIAL_REFUSED, FailureKind.UNAVAILABLE]
    assert entry.latest_failure_at == latest.attempts.get().settled_at
    assert [step.code for step in entry.recovery_steps][:2] == ["renew_credential", "lower_rate"]
    assert (row.recovery_id, row.state, row.playbook_id) == (entry.recovery_id, RecoveryState.OPEN, answer.playbook_id)
    assert line.metadata_kind is MetadataKind.RECOVERY_PLAYBOOK
    assert ledger.read(EvidenceEntry.objects.get(entry_id=answer.playbook_id))["failed_providers"] == ["siem"]
    assert recoveries.read_playbook(actor=analyst, playbook_id=answer.playbook_id) == answer


@pytest.mark.parametrize(
    ("failures", "asked", "found"),
    [
        ([1], {}, 0),
        ([1, 1], {}, 1),
        ([1], {"min_failure_count": 1}, 1),
        ([25, 25], {}, 0),
        ([25, 1], {}, 0),
        ([25, 25], {"lookback_hours": 26}, 1),
        ([1, 1, 1], {"min_failure_count": 4}, 0),
    ],
)
def test_the_count_and_the_lookback_decide(
    analyst: Actor, siem: Connector, failures: list[int], asked: dict[str, int], found: int
) -> None:
    for hours in failures:
        factories.failed(siem, **ago(hours * HOUR))
    factories.delivery(siem, **ago(2 * HOUR))
    assert playbook(analyst, **asked).provider_count == found
    assert Recovery.objects.count() == found
    assert RecoveryPlaybook.objects.get().provider_count == found


def test_a_repeat_updates_the_open_recovery(analyst: Actor, siem: Connector) -> None:
    factories.failed(siem, **ago(3 * HOUR))
    factories.failed(siem, **ago(2 * HOUR))
    first = playbook(analyst)
    factories.failed(siem, kind=FailureKind.RATE_LIMITED, status_code=429, **ago(HOUR))
    second = playbook(analyst)
    row = Recovery.objects.get()
    assert (row.failure_count, row.status_codes, row.playbook_id) == (3, [429, 503], second.playbook_id)
    assert row.first_failure_at == first.provider_playbooks[0].first_failure_at
    assert (
        recoveries.read_playbook(actor=analyst, playbook_id=first.playbook_id).provider_playbooks[0].failure_count == 2
    )


def test_an_outage_older_than_the_lookback_keeps_its_beginning(analyst: Actor, siem: Connector) -> None:
    factories.delivery(siem, **ago(60 * HOUR))
    first = factories.failed(siem, **ago(50 * HOUR))
    for _ in range(2):
        factories.failed(siem, **ago(HOUR))
    (entry,) = playbook(analyst).provider_playbooks
    assert (entry.first_failure_at, entry.failure_count) == (first.attempts.get().settled_at, 3)


def test_an_outage_begins_after_what_was_confirmed_before_it(analyst: Actor, siem: Connector) -> None:
    factories.failed(siem, **ago(50 * HOUR))
    factories.delivery(siem, **ago(40 * HOUR))
    first = factories.failed(siem, **ago(2 * HOUR))
    factories.delivery(siem, **ago(1.5 * HOUR))
    factories.failed(siem, **ago(HOUR))
    (entry,) = playbook(analyst).provider_playbooks
    assert (entry.first_failure_at, entry.failure_count) == (first.attempts.get().settled_at, 2)


def test_what_was_closed_does_not_open_again_by_itself(analyst: Actor, owner: Actor, siem: Connector) -> None:
    for _ in range(2):
        factories.failed(siem, **ago(HOUR))
    say(owner, playbook(analyst), ClosureState.MITIGATED)
    assert playbook(analyst).provider_playbooks == []
    for _ in range(2):
        factories.failed(siem, at=factories.now())
    (entry,) = playbook(analyst).provider_playbooks
    assert entry.failure_count == 2
    assert Recovery.objects.count() == 2
    assert Recovery.objects.filter(state=RecoveryState.OPEN.value).count() == 1


def test_each_connector_has_its_own(analyst: Actor, siem: Connector) -> None:
    chat = factories.connector("chat", provider="slack", category=Category.CHATOPS)
    for to in (siem, chat):
        for _ in range(2):
            factories.failed(to, kind=FailureKind.PAYLOAD_REFUSED, status_code=422, **ago(HOUR))
    found = playbook(analyst).provider_playbooks
    assert [entry.provider for entry in found] == ["chat", "siem"]
    assert found[0].recovery_steps[0].text != found[1].recovery_steps[0].text


@pytest.mark.parametrize(("name", "value"), [("min_failure_count", 0), ("lookback_hours", 0), ("lookback_hours", 721)])
def test_bounds_are_named(analyst: Actor, name: str, value: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        playbook(analyst, **{name: value})
    assert list(refused.value.fields) == [name]
    assert not RecoveryPlaybook.objects.exists()


def test_a_playbook_wants_the_permission(people: People) -> None:
    with pytest.raises(NotAllowed):
        playbook(people("ada", Role.AUDITOR))


@pytest.mark.django_db(transaction=True)
def test_playbooks_at_once_open_one_recovery(people: People) -> None:
    siem, actor = factories.connector("siem"), people("sam", Role.SOC_ANALYST)
    for _ in range(2):
        factories.failed(siem, **ago(HOUR))
    at_once(lambda: playbook(actor), times=4)
    assert Recovery.objects.count() == 1
    assert RecoveryPlaybookEntry.objects.count() == 4
    assert entries(MetadataKind.RECOVERY_PLAYBOOK) == 4


def test_the_database_lets_a_connector_have_one_open_recovery(analyst: Actor, siem: Connector) -> None:
    for _ in range(2):
        factories.failed(siem, **ago(HOUR))
    playbook(analyst)
    twin = Recovery.objects.get()
    twin.pk, twin.recovery_id = None, "gordackrecovery-twin"
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save(force_insert=True)


# --- Words ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(analyst: Actor, siem: Connector) -> RecoveryPlaybookRecord:
    """A playbook with one open recovery, of a connector that failed twice an hour ago."""
    for _ in range(2):
        factories.failed(siem, **ago(HOUR))
    return playbook(analyst)


def test_resolved_wants_a_confirmation_since_the_latest_failure(
    owner: Actor, siem: Connector, asked: RecoveryPlaybookRecord
) -> None:
    factories.delivery(siem, **ago(2 * HOUR))
    assert refusal(owner, asked, ClosureState.RESOLVED) == "recovery_unproven"
    proof = factories.delivery(siem, **ago(30 * MINUTE))
    factories.failed(siem, **ago(20 * MINUTE))
    assert refusal(owner, asked, ClosureState.RESOLVED) == "recovery_unproven"
    factories.delivery(siem, **ago(10 * MINUTE))
    closure, recovery, line = say(owner, asked, ClosureState.RESOLVED, notes="Somebody turned it off.", external_ref="")
    assert proof.delivered_at < recovery.latest_failure_at
    assert (recovery.state, recovery.failure_count, recovery.slo_state) == (RecoveryState.CLOSED, 3, "closed")
    assert (closure.closed_by, closure.actor, closure.closed_at) == ("olga", "olga", recovery.closed_at)
    assert (line.provider, line.acknowledgement_state) == ("siem", "resolved")
    assert "turned it off" not in EvidenceEntry.objects.get(entry_id=closure.closure_id).body


def test_a_confirmed_test_is_a_proof_and_a_later_failed_one_is_none(
    people: People, configure: Callable[..., None], receiver: RecordingReceiver
) -> None:
    configure(webhook=receiver.port)
    loop = Loop(people)
    loop.fail(receiver)
    loop.fail(receiver)
    asked = playbook(loop.owner)
    assert refusal(loop.owner, asked, ClosureState.RESOLVED) == "recovery_unproven"
    assert connectors.test(actor=loop.owner, name="webhook").succeeded
    receiver.reply = Reply(503)
    assert not connectors.test(actor=loop.owner, name="webhook").succeeded
    assert refusal(loop.owner, asked, ClosureState.RESOLVED) == "recovery_unproven"
    receiver.reply = Reply(200)
    connectors.test(actor=loop.owner, name="webhook")
    line = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.CONNECTOR_TESTED).latest("id")
    closure, recovery, _ = say(loop.owner, asked, ClosureState.RESOLVED, verification_refs=[line.entry_id])
    assert closure.verification_refs == [line.entry_id]
    assert recovery.state is RecoveryState.CLOSED


def test_a_retried_delivery_is_a_proof_and_can_be_named(
    people: People, configure: Callable[..., None], receiver: RecordingReceiver
) -> None:
    configure(webhook=receiver.port)
    loop = Loop(people)
    loop.fail(receiver)
    asked = playbook(loop.owner, min_failure_count=1)
    run = loop.drained(loop.approved_run())
    (result,) = run.retry_results
    assert result.execution_record is not None
    refs = [run.run.run_id, result.execution_record.execution_id, result.execution_record.delivery_id]
    closure, recovery, _ = say(loop.owner, asked, ClosureState.RESOLVED, verification_refs=refs)
    assert closure.verification_refs == refs
    assert recovery.closure_state is ClosureState.RESOLVED


def test_a_reference_that_names_nothing_is_refused_by_its_place(owner: Actor, asked: RecoveryPlaybookRecord) -> None:
    with pytest.raises(InvalidInput) as refused:
        say(owner, asked, ClosureState.MITIGATED, verification_refs=[asked.playbook_id, "gordackworker-0"])
    assert list(refused.value.fields) == ["verification_refs.1"]
    assert not RecoveryClosure.objects.exists()


@pytest.mark.parametrize("word", [word for word in ClosureState if word is not ClosureState.RESOLVED])
def test_a_word_without_a_proof_wants_a_reason(owner: Actor, asked: RecoveryPlaybookRecord, word: ClosureState) -> None:
    with pytest.raises(InvalidInput):
        say(owner, asked, word, external_ref="", notes=" ")


@pytest.mark.parametrize("word", [ClosureState.DEFERRED, ClosureState.ESCALATED])
def test_some_words_leave_it_open(owner: Actor, asked: RecoveryPlaybookRecord, word: ClosureState) -> None:
    _, recovery, _ = say(owner, asked, word)
    assert (recovery.state, recovery.closure_state, recovery.closed_at) == (RecoveryState.OPEN, word, None)


def test_it_is_closed_once_and_may_be_reopened(owner: Actor, asked: RecoveryPlaybookRecord) -> None:
    assert refusal(owner, asked, ClosureState.REOPENED) == "recovery_open"
    say(owner, asked, ClosureState.MITIGATED)
    assert refusal(owner, asked, ClosureState.MITIGATED) == "recovery_closed"
    _, recovery, _ = say(owner, asked, ClosureState.REOPENED)
    assert (recovery.state, recovery.closed_at) == (RecoveryState.OPEN, None)
    say(owner, asked, ClosureState.MITIGATED)
    assert RecoveryClosure.objects.count() == entries(MetadataKind.RECOVERY_CLOSURE) == 3


def test_a_recovery_stays_closed_while_the_connector_has_another(
    analyst: Actor, owner: Actor, siem: Connector, asked: RecoveryPlaybookRecord
) -> None:
    say(owner, asked, ClosureState.MITIGATED)
    for _ in range(2):
        factories.failed(siem, at=factories.now())
    playbook(analyst)
    assert refusal(owner, asked, ClosureState.REOPENED) == "recovery_open_elsewhere"


def test_what_the_playbook_does_not_list_is_unknown(owner: Actor, asked: RecoveryPlaybookRecord) -> None:
    factories.connector("itsm")
    for playbook_id, provider in (
        (asked.playbook_id, "itsm"),
        (asked.playbook_id, "none"),
        ("gordackplaybook-0", "siem"),
    ):
        with pytest.raises(UnknownRecord):
            recoveries.close(
                actor=owner,
                playbook_id=playbook_id,
                provider=provider,
                closing=Closing(closure_state=ClosureState.MITIGATED, external_ref="INC-7"),
            )


def test_closing_wants_the_permission(analyst: Actor, asked: RecoveryPlaybookRecord) -> None:
    with pytest.raises(NotAllowed):
        say(analyst, asked, ClosureState.MITIGATED)


@pytest.mark.parametrize("field", ["external_ref", "notes", "closed_by"])
def test_a_word_that_holds_a_credential_is_refused_and_not_stored(
    owner: Actor, asked: RecoveryPlaybookRecord, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        say(owner, asked, ClosureState.MITIGATED, **{field: "token: ghp_0123456789abcdefghij0123456789abcdef"})
    assert list(refused.value.fields) == [field]
    assert not RecoveryClosure.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_closings_at_once_close_it_once(people: People) -> None:
    siem, actor = factories.connector("siem"), people("olga", Role.PLATFORM_OWNER)
    for _ in range(2):
        factories.failed(siem, **ago(HOUR))
    asked = playbook(actor)

    def close() -> bool:
        try:
            say(actor, asked, ClosureState.MITIGATED)
        except StateForbids:
            return False
        return True

    assert at_once(close, times=4).count(True) == 1
    assert entries(MetadataKind.RECOVERY_CLOSURE) == 1


# --- The report -----------------------------------------------------------------------------------------------------


def test_a_late_closing_stays_breached(owner: Actor, asked: RecoveryPlaybookRecord, later: Later) -> None:
    before = recovery_reports.retry_recovery_report(actor=owner)
    assert (before.recovery_open_count, before.recovery_slo_breached_count) == (1, 0)
    later(3 * HOUR + MINUTE)
    assert recovery_reports.retry_recovery_report(actor=owner).recovery_slo_breached_count == 1
    say(owner, asked, ClosureState.MITIGATED)
    later(240 * HOUR)
    report = recovery_reports.retry_recovery_report(actor=owner)
    assert (report.recovery_open_count, report.recovery_closed_count, report.recovery_slo_breached_count) == (0, 1, 1)
    (recovery,) = report.recovery_rows
    assert recovery.slo_state == "breached"
    assert recovery.slo_due_at == recovery.first_failure_at + timedelta(minutes=240)
    generous = recovery_reports.retry_recovery_report(actor=owner, recovery_slo_minutes=300)
    assert generous.recovery_slo_breached_count == 0


def test_the_report_counts_by_connector_and_by_day(
    owner: Actor, siem: Connector, asked: RecoveryPlaybookRecord
) -> None:
    chat = factories.connector("chat", provider="slack", category=Category.CHATOPS)
    for _ in range(3):
        factories.failed(chat, **ago(5 * HOUR))
    playbook(owner)
    say(owner, asked, ClosureState.DEFERRED)
    say(owner, asked, ClosureState.MITIGATED)
    before = EvidenceEntry.objects.count()
    report = recovery_reports.retry_recovery_report(actor=owner, generated_by="weekly")
    assert EvidenceEntry.objects.count() == before
    assert [
        (item.provider, item.open_count, item.closed_count, item.breached_count) for item in report.provider_summary
    ] == [
        ("chat", 1, 0, 1),
        ("siem", 0, 1, 0),
    ]
    (day,) = report.closure_trends
    assert (report.recovery_playbook_provider_count, report.closure_state_counts["deferred"]) == (2, 1)
    assert day.date == clock.now().date().isoformat()
    assert (day.closed_count, day.mitigated_count, day.deferred_count, day.resolved_count) == (1, 1, 1, 0)
    assert [item.provider for item in report.recovery_rows] == ["chat", "siem"]
    assert report.generated_by == "weekly"


def test_the_report_counts_live_retries(
    people: People, configure: Callable[..., None], receiver: RecordingReceiver
) -> None:
    configure(webhook=receiver.port)
    loop = Loop(people)
    loop.fail(receiver)
    assert recovery_reports.retry_recovery_report(actor=loop.owner).execution_success_rate == 0
    receiver.reply = Reply(503)
    loop.drained(loop.approved_run())
    receiver.reply = Reply(200)
    loop.drained(loop.approved_run())
    report = recovery_reports.retry_recovery_report(actor=loop.owner)
    assert (report.execution_count, report.execution_success_count, report.execution_failed_count) == (2, 1, 1)
    assert report.execution_success_rate == 0.5
    assert report.execution_status_counts == {"delivered": 1, "failed": 1, "skipped": 0, "unknown": 0}
    assert [item.execution_status for item in report.latest_executions] == ["delivered", "failed"]


@pytest.mark.parametrize("minutes", [0, 43_201])
def test_how_long_a_recovery_may_take_is_bounded(owner: Actor, minutes: int) -> None:
    with pytest.raises(InvalidInput):
        recovery_reports.retry_recovery_report(actor=owner, recovery_slo_minutes=minutes)


def test_a_report_of_nothing_is_all_zero(owner: Actor) -> None:
    report = recovery_reports.retry_recovery_report(actor=owner)
    assert (report.execution_count, report.recovery_count, report.recovery_rows, report.closure_trends) == (
        0,
        0,
        [],
        [],
    )


def test_the_dashboard_counts_playbooks_closures_and_what_is_closed(
    owner: Actor, siem: Connector, asked: RecoveryPlaybookRecord
) -> None:
    for word in (ClosureState.DEFERRED, ClosureState.MITIGATED, ClosureState.REOPENED, ClosureState.MITIGATED):
        say(owner, asked, word)
    found = dashboards.drill_dashboard(actor=owner)
    assert found.acknowledgement_audit_delivery_connector_recovery_playbook_count == 1
    assert found.acknowledgement_audit_delivery_connector_recovery_closure_count == 4
    assert found.acknowledgement_audit_delivery_connector_recovery_closed_count == 1
