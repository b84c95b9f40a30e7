"""Tokens, sessions, throttles, and answers when something below is broken."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.exceptions import DisallowedHost
from django.db import InterfaceError, OperationalError, connections
from django.test import RequestFactory
from redis.exceptions import ConnectionError as RedisGone
from rest_framework.settings import api_settings
from rest_framework.test import APIClient

from rollback_audit.api import errors, throttling
from rollback_audit.engine import queries, tokens
from rollback_audit.models import ApiToken
from rollback_audit.states import Role
from tests.api.conftest import ClientFor
from tests.api.doors import A, B
from tests.engine.conftest import People

pytestmark = pytest.mark.django_db(transaction=True)

RUNS = f"{A}/worker-runs"


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The rates in force, to be changed."""
    chosen = {"anon": "5/day", "user": "100/day"}
    monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", chosen)
    return chosen


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer cavra_",
        "Bearer cavra_" + "x" * 43,
        "Bearer cavra_" + "x" * 10_000,
        "Bearer \u00fc",
        "Bearer a b c",
    ],
    ids=lambda value: value[:30],
)
def test_a_token_that_is_none_is_refused(header: str, people: People) -> None:
    answer = APIClient(HTTP_AUTHORIZATION=header).get(RUNS)
    assert (answer.status_code, answer.json()["code"]) == (401, "authentication_failed")
    assert answer["WWW-Authenticate"] == 'Bearer realm="cavra"'


@pytest.mark.parametrize("header", ["Basic YTpi", "Token abc", "", "Negotiate"])
def test_another_scheme_is_no_sign_in(header: str, people: People) -> None:
    answer = APIClient(HTTP_AUTHORIZATION=header).get(RUNS)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_a_token_ends_when_it_expires_is_revoked_or_its_person_is_retired(people: People) -> None:
    def asked() -> int:
        return APIClient(HTTP_AUTHORIZATION=f"bearer {token}").get(RUNS).status_code

    people("auditor", Role.AUDITOR)
    token = tokens.create(username="auditor", role=Role.AUDITOR.value)
    assert asked() == 200
    row = ApiToken.objects.get()
    ApiToken.objects.update(
        created_at=row.created_at - timedelta(days=91), expires_at=row.created_at - timedelta(seconds=1)
    )
    assert asked() == 401
    ApiToken.objects.update(expires_at=row.expires_at)
    assert asked() == 200
    get_user_model().objects.update(is_active=False)
    assert asked() == 401
    get_user_model().objects.update(is_active=True)
    tokens.revoke(token=token)
    assert asked() == 401


def test_an_answer_is_json_whatever_is_asked_for(owner: APIClient) -> None:
    for accept in ("text/html", "image/png", "*/*", "nonsense", "application/xml;q=1"):
        answer = owner.get(RUNS, HTTP_ACCEPT=accept)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


def test_exactly_as_many_requests_pass_as_the_rate_allows(
    owner: APIClient, rates: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates["user"] = "10/day"
    authorization = owner._credentials["HTTP_AUTHORIZATION"]

    def ask(_: int) -> int:
        try:
            return APIClient(HTTP_AUTHORIZATION=authorization).get(f"{A}/connectors").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(40)))
    assert sorted(answers) == [200] * 10 + [429] * 30


def test_a_throttled_request_says_when_to_come_back(owner: APIClient, rates: dict[str, str]) -> None:
    rates["user"] = "1/minute"
    owner.get(RUNS)
    answer = owner.get(RUNS)
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert 1 <= int(answer["Retry-After"]) <= 60


def test_a_second_token_gives_no_second_allowance(client_for: ClientFor, rates: dict[str, str]) -> None:
    rates["user"] = "2/day"
    first, second = client_for(Role.AUDITOR), client_for(Role.AUDITOR)
    assert [client.get(RUNS).status_code for client in (first, second, first, second)] == [200, 200, 429, 429]


def test_wrong_tokens_are_counted_by_address(people: People, rates: dict[str, str]) -> None:
    wrong = APIClient(HTTP_AUTHORIZATION="Bearer cavra_" + "x" * 43)
    assert [wrong.get(RUNS).status_code for _ in range(7)] == [401] * 5 + [429] * 2
    assert APIClient().get(RUNS).status_code == 429
    assert wrong.get(RUNS, REMOTE_ADDR="127.0.0.2").status_code == 401


def test_a_broken_cache_lets_everybody_in(
    owner: APIClient, rates: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise RedisGone("a host in the text")

    rates["user"] = "1/day"
    monkeypatch.setattr(throttling.cache, "add", gone)
    assert [owner.get(RUNS).status_code for _ in range(3)] == [200, 200, 200]


def test_a_counter_that_was_thrown_out_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling.cache, "add", lambda *_, **__: False)
    cache.clear()
    assert throttling._count("gone", seconds=1) == 1


@pytest.mark.parametrize("problem", [OperationalError, InterfaceError])
def test_a_database_that_is_down_answers_503_and_when_to_come_back(
    problem: type[Exception], owner: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise problem('connection to server at "10.0.0.7" failed')

    for module, name, address in ((tokens, "user_for", RUNS), (queries, "history", B)):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, down)
            answer = owner.get(address)
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert answer["Retry-After"] == "5"
        assert b"10.0.0.7" not in answer.content


def test_django_handlers_answer_json_below_runtime_and_pages_elsewhere(rf: RequestFactory) -> None:
    ours, other = rf.get("/runtime/nothing"), rf.get("/nothing")
    for status, answer, page in [
        (404, errors.not_found(ours), errors.not_found(other)),
        (400, errors.bad_request(ours, DisallowedHost("evil")), errors.bad_request(other, DisallowedHost("evil"))),
        (500, errors.server_error(ours), errors.server_error(other)),
    ]:
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")
        assert b"evil" not in answer.content
        assert page.status_code == status
        assert page["Content-Type"].startswith("text/html")
