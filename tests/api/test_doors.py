"""Every route is asked: does it work, and does it turn away whoever it should."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.http import HttpResponse
from rest_framework.test import APIClient

from rollback_audit.models import EvidenceEntry, IdempotentRequest
from rollback_audit.states import ROLE_PERMISSIONS, Role
from tests.api.conftest import ClientFor
from tests.api.doors import CHANGES, DOORS, JSON, POSTS, READS, WRITES, A, B, Door, World

pytestmark = pytest.mark.django_db

every_door = pytest.mark.parametrize("door", DOORS, ids=str)
every_write = pytest.mark.parametrize("door", WRITES, ids=str)


def ask(client: APIClient, door: Door, world: World, **extra: object) -> HttpResponse:
    return client.generic(
        door.method, door.at(world), json.dumps(door.body(world)), content_type="application/json", **extra
    )


@every_door
def test_it_works_for_whoever_may_with_and_without_a_trailing_slash(door: Door, world: World, owner: APIClient) -> None:
    answer = ask(owner, door, world)
    assert answer.status_code == door.status, answer.content
    assert answer["Content-Type"].partition(";")[0] == door.media_type
    assert answer["Cache-Control"] == "no-store"
    if door.method == "GET":
        assert owner.head(door.at(world)).status_code == door.status
        again = owner.get(f"{door.at(world)}/")
        assert again.status_code == door.status
        if door.media_type == JSON:
            assert again.json().keys() == answer.json().keys()


@every_door
def test_it_wants_a_sign_in(door: Door, world: World) -> None:
    answer = ask(APIClient(), door, world)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "not_authenticated"


@every_door
def test_it_wants_its_permission(door: Door, world: World, client_for: ClientFor) -> None:
    before = EvidenceEntry.objects.count()
    without = [role for role in Role if door.permission not in ROLE_PERMISSIONS[role]]
    for role in [None, *without]:
        answer = ask(client_for(role), door, world)
        assert answer.status_code == 403, (role, answer.content)
        assert answer.json()["code"] == "permission_denied"
    assert EvidenceEntry.objects.count() == before


@every_door
def test_it_is_open_to_every_role_that_holds_its_permission(door: Door, world: World, client_for: ClientFor) -> None:
    for role in Role:
        if door.permission in ROLE_PERMISSIONS[role]:
            assert ask(client_for(role), door, world).status_code not in {401, 403}
            if door in WRITES:
                return


@every_door
def test_it_takes_no_other_method(door: Door, world: World, owner: APIClient) -> None:
    for method in ("DELETE", "PUT", "OPTIONS", "TRACE", "BREW"):
        answer = owner.generic(method, door.at(world))
        assert answer.status_code == 405
        assert answer.json()["code"] == "method_not_allowed"
        assert door.method in answer["Allow"]


@pytest.mark.parametrize("door", [door for door in DOORS if "{" in door.address], ids=str)
def test_an_id_that_does_not_exist_is_not_found(door: Door, world: World, owner: APIClient) -> None:
    before = EvidenceEntry.objects.count()
    for strange in ("no-such-id", "x" * 64, "x" * 65, "%00", "a%2Fb", "%F0%9F%92%A3", "..", "1' OR '1'='1"):
        address = door.address.partition("{")[0] + strange + door.address.partition("}")[2]
        answer = owner.generic(door.method, address, json.dumps(door.body(world)), content_type="application/json")
        assert answer.status_code == 404, (strange, answer.content)
        assert answer.json()["code"] == "not_found"
    assert EvidenceEntry.objects.count() == before


@every_door
def test_an_unknown_query_parameter_is_refused_by_name(door: Door, world: World, owner: APIClient) -> None:
    address = f"{door.at(world)}?surprise=1"
    answer = owner.generic(door.method, address, json.dumps(door.body(world)), content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["errors"] == {"surprise": ["Unknown field."]}


@pytest.mark.parametrize("door", POSTS, ids=str)
def test_the_same_key_and_body_get_the_first_answer_and_do_nothing_again(
    door: Door, world: World, owner: APIClient
) -> None:
    first = ask(owner, door, world, HTTP_IDEMPOTENCY_KEY="once")
    lines = EvidenceEntry.objects.count()
    second = ask(owner, door, world, HTTP_IDEMPOTENCY_KEY="once")
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert second.headers.get("Location") == first.headers.get("Location")
    assert "Idempotency-Replayed" not in first.headers
    assert second["Idempotency-Replayed"] == "true"
    assert EvidenceEntry.objects.count() == lines
    assert IdempotentRequest.objects.count() == 1


@every_write
def test_a_session_wants_its_csrf_token(door: Door, world: World, owner: APIClient) -> None:
    session = APIClient(enforce_csrf_checks=True)
    session.force_login(_person("platform_owner"))
    answer = ask(session, door, world)
    assert answer.status_code == 403
    assert answer.json()["code"] == "csrf_failed"


def test_a_session_may_look_without_a_csrf_token(world: World, owner: APIClient) -> None:
    session = APIClient(enforce_csrf_checks=True)
    session.force_login(_person("platform_owner"))
    assert session.get(f"{A}/worker-runs").status_code == 200


def test_a_refused_origin_is_not_repeated(world: World, owner: APIClient) -> None:
    session = APIClient(enforce_csrf_checks=True)
    session.force_login(_person("platform_owner"))
    answer = session.post(f"{A}/retry-plan", {}, HTTP_ORIGIN="https://evil.example")
    assert answer.status_code == 403
    assert b"evil" not in answer.content


@pytest.mark.parametrize("address", ["/runtime/go-pilot", f"{B}/nothing/here", f"{A}/retry-plans/x/y/z"])
def test_an_address_that_is_none_answers_json(address: str, owner: APIClient) -> None:
    for method in ("GET", "POST"):
        answer = owner.generic(method, address)
        assert answer.status_code == 404
        assert answer.json() == {
            "detail": "Nothing is here.",
            "code": "not_found",
            "correlation_id": answer["Correlation-Id"],
        }


def test_a_live_run_that_waits_can_be_aborted_once(live_run: str, world: World, owner: APIClient) -> None:
    address = f"{A}/worker-runs/{live_run}/abort"
    answer = owner.post(address, {"reason": "The receiver fails again."})
    assert answer.status_code == 200
    assert answer.json()["run"]["state"] == "aborted"
    assert [item["skipped"] for item in answer.json()["retry_results"]] == ["run_aborted"]
    again = owner.post(address, {"reason": "Once more."})
    assert (again.status_code, again.json()["code"]) == (409, "run_finished")


def test_lists_of_doors_cover_each_other() -> None:
    assert set(map(str, CHANGES)) <= set(map(str, WRITES))
    assert len({str(door) for door in DOORS}) == len(DOORS) == len(READS) + len(WRITES)


def _person(name: str) -> AbstractUser:
    return get_user_model().objects.get(username=name)
