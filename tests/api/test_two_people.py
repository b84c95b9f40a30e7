"""A second person's approval, and words that come too late, over HTTP."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from rollback_audit.engine import drain, tokens
from rollback_audit.states import Role
from tests.api.doors import A, World

pytestmark = pytest.mark.django_db
PLANS = f"{A}/retry-execution-approval-plans"


@pytest.fixture
def asked(world: World, owner: APIClient, settings: Any) -> dict[str, Any]:
    """An approval plan on a site where one entry is many."""
    settings.CAVRA_SECOND_APPROVER_ABOVE = 0
    body = {"retry_plan_id": world.retry_plan_id, "approval_policy": {"require_retry_ack": False}}
    answer = owner.post(f"{A}/retry-execution-approval-plan", body)
    assert answer.status_code == 200
    plan: dict[str, Any] = answer.json()["plan"]
    return plan


@pytest.fixture
def second() -> APIClient:
    client = APIClient()
    token = tokens.create(username="second_owner", role=Role.PLATFORM_OWNER.value)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def decide(client: APIClient, asked: dict[str, Any], **body: Any) -> tuple[int, dict[str, Any]]:
    answer = client.post(f"{PLANS}/{asked['approval_plan_id']}/decisions", body)
    return answer.status_code, answer.json()


def given(client: APIClient, asked: dict[str, Any]) -> list[tuple[int, int]]:
    items = client.get(f"{PLANS}/{asked['approval_plan_id']}/entries").json()["items"]
    read = client.get(f"{PLANS}/{asked['approval_plan_id']}").json()["entries"]
    assert read == items
    return [(item["approvals_given"], item["approvals_needed"]) for item in items]


def test_two_people_approve_and_everybody_sees_how_far_it_is(
    world: World, owner: APIClient, second: APIClient, asked: dict[str, Any]
) -> None:
    assert (asked["approvals_needed"], given(owner, asked)) == (2, [(0, 2)])
    status, first = decide(owner, asked, **world.key)
    assert (status, first["decision"]["approvals_given"], first["decision"]["approvals_needed"]) == (200, 1, 2)
    assert given(owner, asked) == [(1, 2)]

    status, answer = decide(owner, asked, **world.key)
    assert (status, answer["code"]) == (403, "four_eyes")

    status, answer = decide(second, asked, **world.key, decided_by="day shift")
    assert (status, answer["decision"]["approvals_given"]) == (200, 2)
    assert answer["decision"]["approval_decision_id"] == first["decision"]["approval_decision_id"]
    assert answer["decision"]["second_approver"] == "second_owner"
    assert answer["decision"]["seconded_by"] == "day shift"
    assert given(owner, asked) == [(2, 2)]

    status, answer = decide(second, asked, decisions="all")
    assert (status, answer["code"]) == (409, "nothing_to_approve")


def test_an_approval_of_somebody_retired_is_none(
    world: World, owner: APIClient, second: APIClient, asked: dict[str, Any]
) -> None:
    decide(second, asked, decisions="all")
    get_user_model().objects.filter(username="second_owner").update(is_active=False)
    assert given(owner, asked) == [(0, 2)]
    status, answer = decide(owner, asked, decisions="all")
    assert (status, answer["decisions"][0]["approver"], answer["decisions"][0]["approvals_given"]) == (
        200,
        "platform_owner",
        1,
    )


@pytest.mark.parametrize("state", ["denied", "deferred", "expired"])
def test_what_has_been_sent_cannot_be_taken_back(live_run: str, world: World, owner: APIClient, state: str) -> None:
    drain.drain(live_run)
    asked = {"approval_plan_id": world.approval_plan_id}
    for named in (world.key, {"decisions": "all"}):
        status, answer = decide(owner, asked, **named, approval_state=state)
        assert (status, answer["code"]) == (409, "approval_used")
        assert "has been sent" in answer["detail"]
