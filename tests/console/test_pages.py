"""Every page of the console, as each role and as a stranger."""

import pytest
from django.test import Client
from django.urls import reverse

from rollback_audit.engine import plans
from rollback_audit.engine.actors import actor_for
from rollback_audit.states import Role
from tests import factories

pytestmark = pytest.mark.django_db

LISTS = (
    "approvaldecision", "approvalplan", "connector", "delivery", "deliveryattempt", "deliveryplan",
    "drillacknowledgement", "drillroute", "drillschedule", "evidenceentry", "evidencepackage", "retryacknowledgement",
    "retrydecision", "retryplan", "workerresult", "workerrun", "workerschedule",
)  # fmt: skip
PLAIN_PAGES = ("console:overview", *(f"admin:rollback_audit_{model}_changelist" for model in LISTS))


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
