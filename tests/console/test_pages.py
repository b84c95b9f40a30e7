"""Every page of the console, as each role and as a stranger."""

import re

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from rollback_audit.admin.lists import KeysetList
from rollback_audit.engine import clock, plans
from rollback_audit.engine.actors import actor_for
from rollback_audit.states import Role
from tests import factories

pytestmark = pytest.mark.django_db

LISTS = (
    "approvaldecision", "approvalplan", "connector", "delivery", "deliveryattempt", "deliveryplan",
    "drillacknowledgement", "drillroute", "drillschedule", "evidenceentry", "evidencepackage",
    "healthalert", "healthalertacknowledgement", "ledgercheckpoint", "legalhold", "retryacknowledgement",
    "recovery", "recoveryclosure", "recoveryplaybook",
    "escalationacknowledgement", "executivereport", "recoveryescalation",
    "retrydecision", "retryplan", "runlane", "workerresult", "workerrun", "workerschedule",
)  # fmt: skip
PLAIN_PAGES = (
    "console:overview",
    "console:health",
    "console:executive-report",
    *(f"admin:rollback_audit_{model}_changelist" for model in LISTS),
)


@pytest.fixture
def owner(client: Client) -> Client:
    client.force_login(factories.person("olga", Role.PLATFORM_OWNER))
    return client


@pytest.mark.parametrize("name", PLAIN_PAGES)
@pytest.mark.parametrize("is_full", [False, True])
def test_every_page_is_shown_empty_and_full(owner: Client, name: str, is_full: bool) -> None:
    if is_full:
        siem = factories.connector()
        factories.failed(siem)
        factories.suppressed(siem)
        factories.delivery(siem)
        factories.route(factories.schedule())
        plans.plan_retry(actor=actor_for(factories.person("paul", Role.SOC_ANALYST)))
    assert owner.get(reverse(name)).status_code == 200


@pytest.mark.parametrize("name", PLAIN_PAGES)
def test_a_stranger_is_asked_to_sign_in(client: Client, name: str) -> None:
    answer = client.get(reverse(name))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("admin:login"))


@pytest.mark.parametrize("name", PLAIN_PAGES)
def test_somebody_without_a_role_is_asked_to_sign_in(client: Client, name: str) -> None:
    client.force_login(factories.person("nobody", None))
    assert client.get(reverse(name)).status_code == 302


@pytest.mark.parametrize("name", PLAIN_PAGES)
def test_an_auditor_sees_every_page(client: Client, name: str) -> None:
    client.force_login(factories.person("ada", Role.AUDITOR))
    assert client.get(reverse(name)).status_code == 200


@pytest.mark.parametrize("name", ["console:overview", "admin:rollback_audit_delivery_changelist"])
def test_a_database_that_does_not_answer_is_said_calmly(
    owner: Client, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_answer(*_args: object, **_named: object) -> None:
        raise OperationalError

    monkeypatch.setattr(clock, "now", no_answer)
    monkeypatch.setattr(KeysetList, "get_results", no_answer)
    answer = owner.get(reverse(name))
    assert answer.status_code == 503
    assert "nothing is lost" in answer.content.decode()


def test_signing_in_leads_to_the_overview(client: Client) -> None:
    factories.person("ada", Role.AUDITOR)
    sent = {"username": "ada", "password": factories.PASSWORD, "next": reverse("console:overview")}
    answer = client.post(reverse("admin:login"), sent, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("console:overview")
    assert "auditor" in answer.content.decode()


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("nobody", factories.PASSWORD), ("ghost", "x")])
def test_signing_in_is_refused_calmly(client: Client, name: str, password: str) -> None:
    factories.person("ada", Role.AUDITOR)
    factories.person("nobody", None)
    answer = client.post(reverse("admin:login"), {"username": name, "password": password})
    assert answer.status_code == 200
    assert answer.context["form"].non_field_errors()
    assert "_auth_user_id" not in client.session


def test_signing_out_ends_the_session(owner: Client) -> None:
    assert owner.post(reverse("admin:logout")).status_code == 200
    assert owner.get(reverse("console:overview")).status_code == 302


def test_no_page_carries_inline_script_or_style(owner: Client) -> None:
    factories.failed(factories.connector())
    for name in PLAIN_PAGES:
        text = owner.get(reverse(name)).content.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", text), name


def test_what_people_typed_is_escaped(owner: Client) -> None:
    schedule = factories.schedule(owner="<img src=x>")
    text = owner.get(reverse("console:schedule", args=[schedule.schedule_id])).content.decode()
    assert "<img src=x>" not in text
