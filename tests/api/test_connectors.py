"""Connectors over HTTP: a harmless test of one, and the end of a hold."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from rollback_audit.engine import clock
from rollback_audit.models import Connector, EvidenceEntry
from rollback_audit.states import ConnectorStanding, MetadataKind
from tests.api.doors import A, World
from tests.receivers import Reply

pytestmark = pytest.mark.django_db
TEST = f"{A}/connectors/webhook/test"
RELEASE = f"{A}/connectors/webhook/release"


def hold() -> None:
    Connector.objects.update(hold=ConnectorStanding.CREDENTIAL_REFUSED, held_since=clock.now())


def standing(owner: APIClient) -> str:
    (item,) = owner.get(f"{A}/connectors").json()["items"]
    return str(item["standing"])


def test_a_confirmed_test_ends_the_hold_and_leaves_a_line(world: World, owner: APIClient) -> None:
    hold()
    answer = owner.post(TEST, {"timeout_seconds": 5}).json()
    assert (answer["success"], answer["test"]["outcome"], answer["test"]["status_code"]) == (True, "confirmed", 200)
    assert standing(owner) == "ready"
    assert EvidenceEntry.objects.filter(metadata_kind=MetadataKind.CONNECTOR_TESTED).count() == 1


def test_a_test_that_fails_is_an_answer_and_keeps_the_hold(world: World, owner: APIClient) -> None:
    hold()
    world.receiver.reply = Reply(401)
    answer = owner.post(TEST, {})
    assert answer.status_code == 200
    assert (answer.json()["success"], answer.json()["test"]["failure_kind"]) == (False, "credential_refused")
    assert standing(owner) == "credential_refused"


@pytest.mark.parametrize("body", [{"timeout_seconds": 0}, {"timeout_seconds": 61}, {"timeout_seconds": "5"}])
def test_a_test_has_a_deadline_within_bounds(world: World, owner: APIClient, body: dict[str, object]) -> None:
    before = world.receiver.connection_count
    answer = owner.post(TEST, body)
    assert (answer.status_code, answer.json()["errors"].keys()) == (400, {"timeout_seconds"})
    assert world.receiver.connection_count == before


def test_what_is_not_configured_cannot_be_tested(
    world: World, owner: APIClient, configure: Callable[..., None]
) -> None:
    configure()
    answer = owner.post(TEST, {})
    assert (answer.status_code, answer.json()["code"]) == (409, "connector_unavailable")
    assert owner.post(f"{A}/connectors/nobody/test", {}).status_code == 404


def test_a_hold_ends_with_a_reason_and_once(world: World, owner: APIClient) -> None:
    hold()
    refused = owner.post(RELEASE, {})
    assert (refused.status_code, refused.json()["errors"].keys()) == (400, {"reason"})
    assert standing(owner) == "credential_refused"
    answer = owner.post(RELEASE, {"reason": "The credential was replaced, INC-7."})
    assert (answer.status_code, answer.json()["connector"]["standing"]) == (200, "ready")
    lines = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.CONNECTOR_CHANGED)
    before = lines.count()
    again = owner.post(RELEASE, {"reason": "Once more."})
    assert (again.status_code, again.json()["connector"]["standing"]) == (200, "ready")
    assert lines.count() == before
