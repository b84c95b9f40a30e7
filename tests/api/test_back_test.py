"""The back-test of a retry policy over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from rollback_audit.models import EvidenceEntry, RetryPlan
from tests import factories
from tests.api.doors import A

pytestmark = pytest.mark.django_db
ADDRESS = f"{A}/retry-policy-back-test"


@pytest.fixture(autouse=True)
def _outage(db: None) -> None:
    """A failure ten hours ago, confirmed again seven minutes later."""
    siem, began = factories.connector("siem"), factories.now() - timedelta(hours=10)
    factories.failed(siem, at=began)
    factories.delivery(siem, at=began + timedelta(minutes=7))


def body(**changes: Any) -> dict[str, Any]:
    return {"since": (factories.now() - timedelta(days=1)).isoformat(), **changes}


def test_two_policies_are_answered_side_by_side_and_nothing_is_written(owner: APIClient) -> None:
    lines = EvidenceEntry.objects.count()
    answer = owner.post(ADDRESS, body(retry_policy={"delay_minutes": 5, "multiplier": 1.0}))
    assert answer.status_code == 200, answer.content
    tested = answer.json()["back_test"]
    assert answer.json()["metadata"] is None
    assert tested["schema_version"].endswith("-retry-policy-back-test.v1")
    assert (tested["present_policy"]["retry_delay_minutes"], tested["proposed_policy"]["retry_delay_minutes"]) == (
        15,
        5,
    )
    assert (tested["present"]["retry_count"], tested["proposed"]["retry_count"]) == (1, 2)
    assert (tested["difference"]["sooner_count"], tested["difference"]["sooner_minutes"]) == (1, 5.0)
    assert [row["provider"] for row in tested["provider_summary"]] == ["siem"]
    assert tested["assumptions"]
    assert (EvidenceEntry.objects.count(), RetryPlan.objects.count()) == (lines, 0)


def test_without_a_policy_the_present_one_stands_beside_itself(owner: APIClient) -> None:
    tested = owner.post(ADDRESS, body()).json()["back_test"]
    assert tested["present"] == tested["proposed"]
    assert set(tested["difference"].values()) == {0}


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"since": None}, "since"),
        ({"since": "7d"}, "since"),
        ({"since": "2020-01-01T00:00:00+00:00"}, "since"),
        ({"source": "gossip"}, "source"),
        ({"provider": "nobody"}, "provider"),
        ({"generated_by": "me"}, "generated_by"),
        ({"retry_policy": {"max_retry_attempts": 51}}, "retry_policy.max_retry_attempts"),
    ],
)
def test_what_cannot_be_replayed_is_refused_by_name(owner: APIClient, sent: dict[str, Any], field: str) -> None:
    answer = owner.post(ADDRESS, body(**sent))
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_a_time_is_wanted(owner: APIClient) -> None:
    assert owner.post(ADDRESS, {}).status_code == 400
