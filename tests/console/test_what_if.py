"""The page that replays past failures through another policy."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from rollback_audit.console import back_test_figures
from rollback_audit.engine import backtests, plans
from rollback_audit.engine.actors import actor_for
from rollback_audit.models import EvidenceEntry
from rollback_audit.planning.facts import RetryPolicy
from rollback_audit.states import Role
from tests import factories
from tests.console.conftest import SignedIn

pytestmark = pytest.mark.django_db
ADDRESS = "/console/what-if/"
EAGER = {"max_retry_attempts": "6", "retry_delay_minutes": "5", "backoff_multiplier": "1", "max_delay_minutes": "5"}


@pytest.fixture
def analyst(signed_in: SignedIn) -> Client:
    return signed_in("sam", Role.SOC_ANALYST)


@pytest.fixture
def outage(db: None) -> None:
    """A failure ten hours ago, confirmed again twelve minutes later; another one goes on."""
    siem, began = factories.connector("siem"), factories.now() - timedelta(hours=10)
    factories.failed(siem, at=began)
    factories.delivery(siem, at=began + timedelta(minutes=7))
    factories.failed(factories.connector("chat"), at=began)


def test_without_a_policy_the_page_asks_for_one(analyst: Client) -> None:
    page = analyst.get(ADDRESS).content.decode()
    assert 'value="15"' in page
    assert "Outcome" not in page


@pytest.mark.usefixtures("outage")
def test_the_policies_stand_side_by_side(analyst: Client) -> None:
    lines = EvidenceEntry.objects.count()
    answer = analyst.get(ADDRESS, EAGER)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "sooner, by 5.0 min in all" in page
    rows = {row.label: (row.present, row.proposed, row.change) for row in answer.context["figures"]}
    assert rows["Retries"] == ("3", "7", "+4")
    assert rows["Recovered"] == ("1", "1", "")
    assert rows["Median recovery (min)"] == ("15.0", "10.0", "-5.0")
    assert {row.label: row.proposed for row in answer.context["policies"]}["First delay (min)"] == "5"
    assert page.count('class="share"') == 2
    assert EvidenceEntry.objects.count() == lines


@pytest.mark.usefixtures("outage")
def test_a_connector_may_be_looked_at_alone(analyst: Client) -> None:
    answer = analyst.get(ADDRESS, {"provider": "siem"})
    assert [row.provider for row in answer.context["tested"].provider_summary] == ["siem"]


def test_nothing_failed_is_said(analyst: Client) -> None:
    assert "Nothing first failed in this time" in analyst.get(ADDRESS, {"lookback_days": "90"}).content.decode()


@pytest.mark.parametrize(
    "sent",
    [{"lookback_days": "91"}, {"lookback_days": "0"}, {"retry_delay_minutes": "0"}, {"provider": "nobody"}],
)
def test_what_is_out_of_bounds_is_said_beside_its_field(analyst: Client, sent: dict[str, str]) -> None:
    answer = analyst.get(ADDRESS, sent)
    assert answer.status_code == 400
    assert 'class="wrong"' in answer.content.decode()


def test_more_than_can_be_replayed_is_said(analyst: Client, outage: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtests, "MOST_FAILURES", 1)
    answer = analyst.get(ADDRESS, EAGER)
    assert answer.status_code == 400
    assert "Take a shorter time, one connector or fewer attempts" in answer.content.decode()


def test_an_auditor_is_turned_away(signed_in: SignedIn) -> None:
    assert signed_in("ann", Role.AUDITOR).get(ADDRESS).status_code == 403


@pytest.mark.usefixtures("outage")
def test_plans_lead_there_for_whoever_may(analyst: Client, signed_in: SignedIn) -> None:
    plan, _ = plans.plan_retry(actor=actor_for(factories.person("paul", Role.SOC_ANALYST)))
    address = reverse("console:plan", args=[plan.retry_plan_id])
    assert ADDRESS in analyst.get(address).content.decode()
    assert ADDRESS in analyst.get(reverse("console:plan-retry")).content.decode()
    assert ADDRESS not in signed_in("ann", Role.AUDITOR).get(address).content.decode()


@pytest.mark.usefixtures("outage")
def test_the_bars_share_one_scale(analyst: Client) -> None:
    tested = backtests.back_test(
        actor=actor_for(factories.person("paul", Role.SOC_ANALYST)),
        policy=RetryPolicy(max_retry_attempts=6, retry_delay_minutes=5, backoff_multiplier=1.0),
        since=factories.now() - timedelta(days=1),
    )
    present, proposed = back_test_figures.retries(tested)
    assert [(part.name, part.count) for part in present.bar] == [("delivered", 1), ("open", 2)]
    assert sum(part.width for part in proposed.bar) == pytest.approx(1000, abs=0.1)
    assert sum(part.width for part in present.bar) == pytest.approx(1000 * 3 / 7, abs=0.1)
