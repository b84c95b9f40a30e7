"""The Health page: what is wrong, telling it, and a word on what was told."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from rollback_audit.console.views import health
from rollback_audit.engine import worker
from rollback_audit.engine.actors import actor_for
from rollback_audit.models import DeliveryAttempt, HealthAlert, HealthAlertAcknowledgement, WorkerSchedule
from rollback_audit.states import AcknowledgementState, ConnectorStanding, HealthCode, Role
from tests import factories
from tests.console.conftest import SignedIn
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db
SEE_OTHER = 303
PAGE, DELIVER = "console:health", "console:deliver-alerts"


@pytest.fixture(autouse=True)
def _no_worker_was_ever_expected(db: None) -> None:
    WorkerSchedule.objects.all().delete()


def text_of(client: Client, name: str, *args: str) -> str:
    answer = client.get(reverse(name, args=args))
    assert answer.status_code == 200
    return answer.content.decode()


def press(client: Client, name: str, *args: str, **fields: object) -> str:
    answer = client.post(reverse(name, args=args), fields)
    assert answer.status_code == SEE_OTHER, answer.content.decode()[:2000]
    return client.get(answer["Location"]).content.decode()


def test_the_page_says_what_is_wrong_and_what_to_do(signed_in: SignedIn) -> None:
    page = text_of(signed_in("ada", Role.AUDITOR), PAGE)
    assert "The retry worker has never run." in page
    assert "Start a worker" in page
    assert "Send health alerts" not in page
    assert not HealthAlert.objects.exists()


def test_each_condition_leads_to_what_it_is_about(signed_in: SignedIn) -> None:
    factories.schedule("payments", next_due_at=factories.now() - timedelta(minutes=1))
    factories.connector("siem", hold=ConnectorStanding.CREDENTIAL_REFUSED, held_since=factories.now())
    page = text_of(signed_in("ada", Role.AUDITOR), PAGE)
    assert f'href="{reverse("console:schedule", args=["payments"])}"' in page
    assert f'href="{reverse("console:connector", args=["siem"])}"' in page
    assert page.index("missed worker run") < page.index("connector failure")


def test_every_condition_has_somewhere_to_look() -> None:
    assert set(health.PAGES) | set(health.LISTS) == set(HealthCode)


def test_the_overview_has_a_mark_while_something_is_wrong(signed_in: SignedIn) -> None:
    client = signed_in("ada", Role.AUDITOR)
    assert "wants a look" in text_of(client, "console:overview")
    worker.start_run(actor=actor_for(factories.person("rita", Role.RELEASE_MANAGER)), request=worker.RunRequest())
    assert "wants a look" not in text_of(client, "console:overview")


def test_alerts_are_told_once_and_the_page_says_so(signed_in: SignedIn, configure: Callable[..., None]) -> None:
    client = signed_in("rita", Role.RELEASE_MANAGER)
    with RecordingReceiver() as receiver:
        configure(webhook=receiver.port)
        assert "Told to webhook: 1 wrong, 0 ended." in press(client, DELIVER)
        assert "nothing new to tell" in press(client, DELIVER)
        assert len(receiver.arrivals) == 1


def test_an_alert_that_did_not_arrive_is_said_calmly(signed_in: SignedIn, configure: Callable[..., None]) -> None:
    with RecordingReceiver(Reply(503)) as receiver:
        configure(webhook=receiver.port)
        assert "that can be retried." in press(signed_in("rita", Role.RELEASE_MANAGER), DELIVER)


def test_without_a_connector_the_refusal_says_what_to_do(signed_in: SignedIn) -> None:
    assert "CAVRA_CONNECTOR_CONFIG" in press(signed_in("rita", Role.RELEASE_MANAGER), DELIVER)
    assert not HealthAlert.objects.exists()


def test_whoever_may_not_tell_is_refused_and_a_get_sends_nothing(
    signed_in: SignedIn, configure: Callable[..., None]
) -> None:
    configure(webhook=9)
    press(signed_in("sam", Role.SOC_ANALYST), DELIVER)
    assert signed_in("rita", Role.RELEASE_MANAGER).get(reverse(DELIVER)).status_code == 405
    assert not DeliveryAttempt.objects.exists()


def test_an_alert_is_acknowledged_and_the_note_never_shown(signed_in: SignedIn) -> None:
    row = factories.health_alert()
    client = signed_in("sam", Role.SOC_ANALYST)
    fields = {"acknowledgement_state": "dismissed", "external_ref": "INC-7", "notes": "Call them."}
    page = press(client, "console:acknowledge-alert", row.alert_id, **fields)
    assert "The alert is dismissed." in page
    assert "INC-7" in page
    assert "Call them." not in page
    row.refresh_from_db()
    assert row.acknowledgement_state == AcknowledgementState.DISMISSED
    assert row.alert_id in text_of(client, PAGE)


def test_a_word_is_refused_to_whoever_lacks_the_permission(signed_in: SignedIn) -> None:
    row = factories.health_alert()
    client = signed_in("ada", Role.AUDITOR)
    assert "Record</button>" not in text_of(client, "console:alert", row.alert_id)
    press(client, "console:acknowledge-alert", row.alert_id, acknowledgement_state="dismissed")
    assert not HealthAlertAcknowledgement.objects.exists()


def test_an_alert_that_is_none_is_not_found(signed_in: SignedIn) -> None:
    client = signed_in("sam", Role.SOC_ANALYST)
    assert client.get(reverse("console:alert", args=["nothing"])).status_code == 404
    answer = client.post(reverse("console:acknowledge-alert", args=["nothing"]), {"acknowledgement_state": "resolved"})
    assert answer.status_code == 404
