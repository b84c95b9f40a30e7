"""Escalations and executive reports in the console: planned, sent, answered, stored, and refused calmly."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from rollback_audit.console import report_figures
from rollback_audit.engine import clock, escalations, executive_reports
from rollback_audit.engine.actors import Actor, actor_for
from rollback_audit.models import (
    Connector,
    Delivery,
    EscalationAcknowledgement,
    EvidenceEntry,
    ExecutiveReport,
    RecoveryEscalation,
)
from rollback_audit.states import Role
from tests import factories
from tests.console.conftest import SignedIn
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db
SEE_OTHER = 303
LIST = "admin:rollback_audit_recoveryescalation_changelist"


@pytest.fixture
def working() -> Iterator[RecordingReceiver]:
    with RecordingReceiver() as running:
        yield running


@pytest.fixture
def manager(signed_in: SignedIn) -> Client:
    return signed_in("rita", Role.RELEASE_MANAGER)


@pytest.fixture
def rita(manager: Client) -> Actor:
    return actor_for(User.objects.get(username="rita"))


@pytest.fixture
def outage(working: RecordingReceiver, configure: Callable[..., None]) -> None:
    """Connector `down` fails for five hours, `up` works."""
    configure(down=9, up=working.port)
    factories.open_recovery(Connector.objects.get(name="down"), first_failure_at=clock.now() - timedelta(hours=5))


def press(client: Client, name: str, *args: str, **fields: object) -> str:
    """Presses a button; the page it leads to, as text."""
    answer = client.post(reverse(f"console:{name}", args=args), fields)
    assert answer.status_code == SEE_OTHER, answer.content.decode()[:2000]
    return client.get(answer["Location"]).content.decode()


@pytest.mark.usefixtures("outage")
def test_an_escalation_is_planned_sent_and_answered(manager: Client, working: RecordingReceiver) -> None:
    page = press(manager, "plan-escalation")
    assert "1 recovery escalated. Nothing is sent yet." in page
    assert working.arrivals == []
    plan_id = RecoveryEscalation.objects.get().plan_id
    page = press(manager, "deliver-escalation", plan_id)
    assert "Delivered to up." in page
    assert "Every connector that works has had it." in page
    assert len(working.arrivals) == 1
    page = press(manager, "acknowledge-escalation", plan_id, acknowledgement_state="resolved", external_ref="INC-7")
    assert "The escalation is resolved." in page
    assert "INC-7" in page
    assert EscalationAcknowledgement.objects.get().actor == "rita"


@pytest.mark.usefixtures("outage")
def test_a_failed_one_says_where_it_goes_on(manager: Client, working: RecordingReceiver) -> None:
    working.reply = Reply(503)
    press(manager, "plan-escalation")
    page = press(manager, "deliver-escalation", RecoveryEscalation.objects.get().plan_id, delivery_provider="up")
    assert "1 of 1 connectors did not confirm it. It is in the next retry plan." in page


@pytest.mark.usefixtures("outage")
def test_a_failing_connector_is_refused_in_the_engines_words(manager: Client, working: RecordingReceiver) -> None:
    press(manager, "plan-escalation")
    page = press(manager, "deliver-escalation", RecoveryEscalation.objects.get().plan_id, delivery_provider="down")
    assert "Choose one that works: up." in page
    assert not Delivery.objects.exists()


@pytest.mark.usefixtures("outage")
def test_choices_narrow_an_escalation_and_nothing_to_escalate_is_said(manager: Client) -> None:
    page = press(manager, "plan-escalation", recovery_slo_minutes="600", provider="down")
    assert "No open recovery is near its objective." in page
    assert RecoveryEscalation.objects.get().recovery_slo_minutes == 600
    assert "Deliver escalation" not in page


@pytest.mark.parametrize("fields", [{"recovery_slo_minutes": "0"}, {"minimum_level": "mild"}, {"at_risk_percent": "x"}])
def test_a_strange_choice_is_shown_again(manager: Client, fields: dict[str, str]) -> None:
    answer = manager.post(reverse("console:plan-escalation"), fields)
    assert answer.status_code == 400
    assert not RecoveryEscalation.objects.exists()


def test_looking_at_the_report_stores_nothing(manager: Client) -> None:
    factories.failed(factories.connector())
    before = EvidenceEntry.objects.count()
    page = manager.get(reverse("console:executive-report"), {"lookback_hours": "24"}).content.decode()
    assert "over the last 24 hours" in page
    assert "Failed evidence is due for a retry" in page
    assert (EvidenceEntry.objects.count(), ExecutiveReport.objects.count()) == (before, 0)
    assert manager.get(reverse("console:executive-report"), {"lookback_hours": "0"}).status_code == 400


@pytest.mark.usefixtures("outage")
def test_a_report_is_stored_once_a_day_and_sent_as_it_was(manager: Client, working: RecordingReceiver) -> None:
    assert "Stored. It can be sent now, and read later as it is." in press(manager, "store-report")
    assert "stored before" in press(manager, "store-report")
    row = ExecutiveReport.objects.get()
    page = press(manager, "deliver-report", row.run_id)
    assert "Delivered to up." in page
    assert row.package.digest[:8] in page
    assert len(working.arrivals) == 1


def test_another_scope_on_the_same_day_is_refused_calmly(manager: Client) -> None:
    press(manager, "store-report")
    assert "The window has its report" in press(manager, "store-report", lookback_hours="24")


@pytest.mark.usefixtures("outage")
def test_each_button_is_shown_to_whom_it_serves(rita: Actor, signed_in: SignedIn) -> None:
    plan, _ = escalations.plan_escalation(actor=rita)
    run_id = executive_reports.store_report(actor=rita).run.run_id
    auditor, analyst = signed_in("ada", Role.AUDITOR), signed_in("sam", Role.SOC_ANALYST)
    addresses = {
        "Plan escalation": reverse(LIST),
        "Deliver escalation": reverse("console:escalation", args=[plan.plan_id]),
        "Store this report": reverse("console:executive-report"),
        "Deliver report": reverse("console:report", args=[run_id]),
    }
    seen = {
        client: [label for label, address in addresses.items() if f">{label}<" in client.get(address).content.decode()]
        for client in (auditor, analyst)
    }
    assert seen == {auditor: [], analyst: ["Plan escalation", "Store this report"]}


@pytest.mark.usefixtures("outage")
def test_each_button_is_refused_to_whoever_lacks_the_permission(
    rita: Actor, signed_in: SignedIn, working: RecordingReceiver
) -> None:
    plan, _ = escalations.plan_escalation(actor=rita)
    run_id = executive_reports.store_report(actor=rita).run.run_id
    before = EvidenceEntry.objects.count()
    auditor = signed_in("ada", Role.AUDITOR)
    assert auditor.post(reverse("console:plan-escalation")).status_code == 403
    for name, key in (("deliver-escalation", plan.plan_id), ("deliver-report", run_id)):
        assert "This needs the permission deliver_evidence." in press(auditor, name, key)
    word = {"acknowledgement_state": "accepted"}
    assert "acknowledge_alert" in press(auditor, "acknowledge-escalation", plan.plan_id, **word)
    assert "open_recovery" in press(auditor, "store-report")
    assert EvidenceEntry.objects.count() == before
    assert working.arrivals == []


@pytest.mark.usefixtures("outage")
def test_an_id_leads_to_its_page_and_a_recovery_to_its_escalation(rita: Actor, manager: Client) -> None:
    plan, _ = escalations.plan_escalation(actor=rita)
    run_id = executive_reports.store_report(actor=rita).run.run_id
    for wanted, name in ((plan.plan_id, "escalation"), (run_id, "report")):
        answer = manager.get(reverse("console:find"), {"id": wanted})
        assert answer["Location"] == reverse(f"console:{name}", args=[wanted])
    page = manager.get(reverse("console:recovery", args=[plan.escalations[0].recovery_id])).content.decode()
    assert "Escalated" in page


@pytest.mark.parametrize("name", ["escalation", "report"])
def test_an_unknown_id_is_said_calmly(manager: Client, name: str) -> None:
    assert manager.get(reverse(f"console:{name}", args=["none"])).status_code == 404


@pytest.mark.parametrize("name", ["store-report", "deliver-escalation", "acknowledge-escalation", "deliver-report"])
def test_a_button_is_a_post(manager: Client, name: str) -> None:
    args = [] if name == "store-report" else ["none"]
    assert manager.get(reverse(f"console:{name}", args=args)).status_code == 405


@pytest.mark.usefixtures("outage")
def test_no_page_carries_inline_script_or_style(rita: Actor, manager: Client) -> None:
    plan, _ = escalations.plan_escalation(actor=rita)
    escalations.deliver_escalation(actor=rita, plan_id=plan.plan_id)
    run_id = executive_reports.store_report(actor=rita).run.run_id
    for name, args in (("escalation", [plan.plan_id]), ("report", [run_id]), ("plan-escalation", [])):
        answer = manager.get(reverse(f"console:{name}", args=args))
        assert answer.status_code == 200
        text = answer.content.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", text), name


def test_the_pictures_say_what_the_report_says(rita: Actor) -> None:
    siem, chat = factories.connector("siem"), factories.connector("chat")
    factories.failed(siem)
    factories.delivery(siem)
    factories.delivery(chat)
    report = executive_reports.executive_report(actor=rita)
    chart = report_figures.deliveries_by_day(report)
    assert (chart.total, chart.names, len(chart.bars)) == (3, ["delivered", "open"], 8)
    assert chart.bars[-1].start.date() == datetime.now(UTC).date()
    (_, of_chat), (row, of_siem) = report_figures.providers_of(report)
    assert row.provider == "siem"
    assert [(part.name, part.width) for part in of_siem] == [("delivered", 500), ("open", 500)]
    assert [(part.name, part.width) for part in of_chat] == [("delivered", 500)]
