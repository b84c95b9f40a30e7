"""Lists: filters that combine, paging by id, and nothing that an address could get out of them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from rollback_audit.admin.lists import EvidenceList
from rollback_audit.admin.shown import ListPage
from rollback_audit.engine import approvals, dashboards, plans
from rollback_audit.engine.actors import actor_for
from rollback_audit.engine.reviews import DecisionKey
from rollback_audit.models import Connector
from rollback_audit.states import ConnectorStanding, FailureKind, Role
from tests import factories

pytestmark = pytest.mark.django_db
DELIVERIES = "/console/deliveries/"


@pytest.fixture
def auditor(client: Client) -> Client:
    client.force_login(factories.person("ada", Role.AUDITOR))
    return client


def listed(client: Client, address: str) -> ListPage:
    answer = client.get(address)
    assert answer.status_code == 200
    page: ListPage = answer.context["page"]
    return page


def test_filters_combine(auditor: Client) -> None:
    siem, itsm = factories.connector("siem"), factories.connector("itsm")
    wanted = factories.failed(siem, kind=FailureKind.RATE_LIMITED, status_code=429)
    factories.failed(siem)
    factories.failed(itsm, kind=FailureKind.RATE_LIMITED, status_code=429)
    factories.delivery(siem)
    found = listed(auditor, f"{DELIVERIES}?provider=siem&state=failed&failure_kind=rate_limited&age=24h")
    assert [row.number for row in found.rows] == [wanted.pk]


@pytest.mark.parametrize("column", ["delivery_id", "audit_id"])
def test_a_delivery_is_found_by_its_ids(auditor: Client, column: str) -> None:
    siem = factories.connector()
    wanted = factories.failed(siem)
    factories.failed(siem)
    found = listed(auditor, f"{DELIVERIES}?{column}={getattr(wanted, column)}")
    assert [row.number for row in found.rows] == [wanted.pk]


def test_pages_follow_one_another_without_gap_or_repeat(auditor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EvidenceList, "list_per_page", 3)
    siem = factories.connector()
    everything = [factories.delivery(siem).pk for _ in range(7)][::-1]
    seen: list[int] = []
    page = listed(auditor, DELIVERIES)
    assert page.newer is None
    while True:
        seen += [row.number for row in page.rows]
        if page.older is None:
            break
        page = listed(auditor, f"{DELIVERIES}?before={page.older}")
    assert seen == everything
    back = listed(auditor, f"{DELIVERIES}?after={page.newer}")
    assert [row.number for row in back.rows] == everything[3:6]


@pytest.mark.parametrize(
    "query",
    ["notes__startswith=a", "connector__config_digest__startswith=a", "state=lost", "before=x", "age=1y", "o=1"],
)
def test_what_is_not_a_filter_is_refused_and_said(auditor: Client, query: str) -> None:
    answer = auditor.get(f"{DELIVERIES}?{query}", follow=True)
    assert answer.status_code == 200
    assert "a filter this list does not have" in answer.content.decode()


@pytest.mark.parametrize("query", ["delivery_id=%00", "delivery_id=%27%20OR%201%3D1", "audit_id=" + "a" * 5000])
def test_odd_values_find_nothing_and_break_nothing(auditor: Client, query: str) -> None:
    factories.delivery(factories.connector())
    assert len(listed(auditor, f"{DELIVERIES}?{query}").rows) in {0, 1}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_a_list_can_only_be_looked_at(auditor: Client, method: str) -> None:
    assert getattr(auditor, method)(DELIVERIES).status_code == 405


@pytest.mark.parametrize("path", ["deliveries/add/", "deliveries/1/change/", "deliveries/1/delete/", "auth/user/"])
def test_nothing_of_djangos_own_admin_is_there(auditor: Client, path: str) -> None:
    assert auditor.get(f"/console/{path}").status_code == 404


def test_every_number_on_the_overview_agrees_with_the_list_it_leads_to(auditor: Client) -> None:
    siem = factories.connector("siem")
    held = factories.connector(
        "held", hold=ConnectorStanding.CREDENTIAL_REFUSED, held_since=factories.now() - timedelta(hours=1)
    )
    for _ in range(3):
        factories.failed(siem)
    factories.failed(siem, at=factories.now())
    factories.failed(held)
    factories.suppressed(siem)
    factories.suppressed(held)
    factories.delivery(siem)
    for card in auditor.get(reverse("console:overview")).context["cards"]:
        assert listed(auditor, card.address).count == card.number, card.label


def test_an_approval_takes_a_delivery_off_what_waits_for_one(auditor: Client, configure: Callable[..., None]) -> None:
    configure(siem=9)
    siem = Connector.objects.get()
    factories.failed(siem)
    factories.failed(siem)
    address = f"{DELIVERIES}?standing=waiting_for_approval"
    assert listed(auditor, address).count == 2
    maker = actor_for(factories.person("rita", Role.RELEASE_MANAGER))
    owner = actor_for(factories.person("omar", Role.PLATFORM_OWNER))
    plan, _ = plans.plan_retry(actor=maker)
    one = plan.retry_decisions[0]
    asked, _ = approvals.request_approval(actor=maker, retry_plan_id=plan.retry_plan_id, require_retry_ack=False)
    key = DecisionKey(one.delivery_id, one.audit_id, one.provider)
    approvals.decide(actor=owner, approval_plan_id=asked.approval_plan_id, key=key)
    assert listed(auditor, address).count == 1
    assert dashboards.worker_dashboard(actor=maker).approval_pending_count == 1
