"""Recoveries in the console: the playbook's button, what a recovery's page says, closing and reopening it."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from rollback_audit.engine import ledger, recoveries
from rollback_audit.engine.actors import actor_for
from rollback_audit.models import Connector, Recovery, RecoveryClosure
from rollback_audit.records.connectors import ConnectorTestRecord
from rollback_audit.states import ConnectorStanding, FailureKind, MetadataKind, Outcome, RecoveryState, Role
from tests import factories
from tests.console.conftest import SignedIn

pytestmark = pytest.mark.django_db
LIST = "/console/recoveries/"


@pytest.fixture
def siem(db: None) -> Connector:
    """A connector that failed twice, two hours ago and one."""
    siem = factories.connector(
        "siem", hold=ConnectorStanding.CREDENTIAL_REFUSED, held_since=factories.now() - timedelta(hours=2)
    )
    for hours in (2, 1):
        at = factories.now() - timedelta(hours=hours)
        factories.failed(siem, kind=FailureKind.CREDENTIAL_REFUSED, status_code=401, at=at)
    return siem


@pytest.fixture
def recovery(siem: Connector) -> Recovery:
    recoveries.make_playbook(actor=actor_for(factories.person("sam", Role.SOC_ANALYST)))
    return Recovery.objects.get()


def see(client: Client, row: Recovery) -> str:
    answer = client.get(reverse("console:recovery", args=[row.recovery_id]))
    assert answer.status_code == 200
    return answer.content.decode()


def say(client: Client, row: Recovery, word: str, **fields: str) -> str:
    sent = {"closure_state": word, "external_ref": "INC-7"} | fields
    answer = client.post(reverse("console:close-recovery", args=[row.recovery_id]), sent)
    assert answer.status_code == 303
    return client.get(answer["Location"]).content.decode()


def confirm_test(siem: Connector) -> str:
    """A test event's line in the ledger."""
    found = ConnectorTestRecord(
        name=siem.name,
        provider=siem.provider,
        succeeded=True,
        outcome=Outcome.CONFIRMED,
        failure_kind=None,
        status_code=200,
        duration_ms=20,
        tested_at=factories.now(),
    )
    line = ledger.row(
        MetadataKind.CONNECTOR_TESTED,
        session_id=ledger.new_entry_id(),
        signer="olga",
        at=found.tested_at,
        provider=siem.name,
        delivery_success=True,
        record=found,
    )
    ledger.append([line])
    return line.session_id


def test_the_playbook_button_leads_to_the_recovery_and_what_to_do(signed_in: SignedIn, siem: Connector) -> None:
    client = signed_in("sam", Role.SOC_ANALYST)
    assert "Recovery playbook" in client.get(LIST).content.decode()
    answer = client.post(reverse("console:recovery-playbook"))
    row = Recovery.objects.get()
    assert answer["Location"] == reverse("console:recovery", args=[row.recovery_id])
    page = client.get(answer["Location"]).content.decode()
    assert "1 connector wants recovery" in page
    assert "Check that the ingest credential is valid" in page
    assert "of 240 minutes since the first failure" in page
    assert page.count("credential refused</span>") == 3
    assert "Close it" not in page


def test_the_playbook_button_says_when_nothing_fails(signed_in: SignedIn) -> None:
    client = signed_in("sam", Role.SOC_ANALYST)
    answer = client.post(reverse("console:recovery-playbook"), follow=True)
    assert answer.redirect_chain[-1][0] == LIST
    assert "No connector failed twice" in answer.content.decode()


def test_several_recoveries_lead_to_their_list(signed_in: SignedIn, siem: Connector) -> None:
    chat = factories.connector("chat")
    for _ in range(2):
        factories.failed(chat)
    answer = signed_in("sam", Role.SOC_ANALYST).post(reverse("console:recovery-playbook"), follow=True)
    assert answer.redirect_chain[-1][0] == LIST
    assert "2 connectors want recovery" in answer.content.decode()


def test_an_auditor_reads_everything_and_presses_nothing(signed_in: SignedIn, recovery: Recovery) -> None:
    client = signed_in("ada", Role.AUDITOR)
    assert "Recovery playbook</button>" not in client.get(LIST).content.decode()
    assert '<form method="post" action="/console/recoveries' not in see(client, recovery)
    assert "needs the permission" in say(client, recovery, "mitigated")
    assert client.post(reverse("console:recovery-playbook")).status_code == 303
    assert not RecoveryClosure.objects.exists()


def test_resolving_is_refused_calmly_until_it_is_proven(
    signed_in: SignedIn, recovery: Recovery, siem: Connector
) -> None:
    client = signed_in("olga", Role.PLATFORM_OWNER)
    assert "Nothing has been confirmed since the latest failure" in say(client, recovery, "resolved")
    proof = confirm_test(siem)
    page = say(client, recovery, "resolved", verification_refs=f" {proof}\n", notes="Renewed it.")
    assert "Recorded as resolved. The recovery is closed." in page
    assert "Test event confirmed" in page
    assert "Renewed it." not in page
    assert RecoveryClosure.objects.get().verification_refs == [proof]
    assert "Reopen the recovery" in page


def test_a_closed_recovery_is_reopened_with_a_reason(signed_in: SignedIn, recovery: Recovery) -> None:
    client = signed_in("olga", Role.PLATFORM_OWNER)
    say(client, recovery, "mitigated")
    assert "wants a reason" in say(client, recovery, "reopened", external_ref="")
    assert "closure_state" in say(client, recovery, "mitigated")
    assert "The recovery is open." in say(client, recovery, "reopened")
    recovery.refresh_from_db()
    assert recovery.state == RecoveryState.OPEN


def test_a_reference_that_names_nothing_is_refused(signed_in: SignedIn, recovery: Recovery) -> None:
    page = say(signed_in("olga", Role.PLATFORM_OWNER), recovery, "mitigated", verification_refs="gordackworker-0")
    assert "verification_refs.0: No record has this id." in page
    assert not RecoveryClosure.objects.exists()


def test_a_late_recovery_is_shown_as_breached(signed_in: SignedIn, recovery: Recovery) -> None:
    early = factories.now() - timedelta(hours=5)
    Recovery.objects.update(first_failure_at=early)
    assert "breached" in see(signed_in("ada", Role.AUDITOR), recovery)


def test_a_recovery_that_does_not_exist_is_not_found(signed_in: SignedIn) -> None:
    client = signed_in("olga", Role.PLATFORM_OWNER)
    assert client.get(reverse("console:recovery", args=["gordackrecovery-0"])).status_code == 404
    assert client.post(reverse("console:close-recovery", args=["gordackrecovery-0"])).status_code == 404


def test_a_recovery_and_its_words_are_found_in_lists(signed_in: SignedIn, recovery: Recovery) -> None:
    client = signed_in("olga", Role.PLATFORM_OWNER)
    say(client, recovery, "escalated")
    for address in (f"{LIST}?state=open&closure_state=escalated&provider=siem", "/console/recovery-closures/"):
        assert recovery.recovery_id in client.get(address).content.decode().replace('"prefix">', "").replace(
            "</span>", ""
        )
    playbooks = client.get("/console/recovery-playbooks/").content.decode()
    assert reverse("admin:rollback_audit_evidenceentry_record", args=[recovery.playbook_id]) in playbooks
    assert client.get(reverse("console:find"), {"id": recovery.recovery_id})["Location"].endswith(
        f"{recovery.recovery_id}/"
    )


def test_the_page_carries_no_inline_script_or_style(signed_in: SignedIn, recovery: Recovery) -> None:
    page = see(signed_in("olga", Role.PLATFORM_OWNER), recovery)
    assert " style=" not in page
    assert "<script" not in page
