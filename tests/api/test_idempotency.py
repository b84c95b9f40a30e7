"""An Idempotency-Key does its work once, whatever happens in between."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import OperationalError, connections
from rest_framework.test import APIClient

from rollback_audit.engine import clock, idempotency, plans, worker
from rollback_audit.errors import StoreUnavailable
from rollback_audit.models import IdempotentRequest, WorkerRun
from rollback_audit.states import Role
from tests.api.conftest import ClientFor
from tests.api.doors import A, B, World

pytestmark = pytest.mark.django_db(transaction=True)

PLAN = f"{A}/retry-plan"
RUN = f"{A}/worker-run"


def post(client: APIClient, address: str, body: object, key: str = "once"):  # type: ignore[no-untyped-def]
    return client.post(address, body, HTTP_IDEMPOTENCY_KEY=key)


def test_the_order_of_a_bodys_keys_does_not_matter(owner: APIClient) -> None:
    first = post(owner, PLAN, {"generated_by": "me", "source": ""})
    assert post(owner, f"{PLAN}/", {"source": "", "generated_by": "me"}).json() == first.json()


def test_another_body_or_address_is_refused(owner: APIClient) -> None:
    post(owner, PLAN, {})
    for address, body in [(PLAN, {"generated_by": "me"}), (RUN, {}), (PLAN, {"retry_policy": {}})]:
        answer = post(owner, address, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_true_and_one_are_different_bodies(owner: APIClient) -> None:
    post(owner, RUN, {"retries": 1})
    assert post(owner, RUN, {"retries": 1.0}).status_code == 400


def test_a_key_belongs_to_one_person(owner: APIClient, client_for: ClientFor) -> None:
    first = post(owner, PLAN, {}).json()
    second = post(client_for(Role.RELEASE_MANAGER), PLAN, {})
    assert second.json()["plan"]["retry_plan_id"] != first["plan"]["retry_plan_id"]


def test_a_refused_request_leaves_its_key_free(owner: APIClient) -> None:
    assert post(owner, PLAN, {"provider": "nonsense"}).status_code == 400
    assert post(owner, PLAN, {"provider": ["x"]}).status_code == 400
    assert post(owner, f"{B}/nothing/acknowledgements", {"provider": "x"}).status_code == 404
    assert post(owner, RUN, {"schedule": {"enabled": False}}).status_code == 409
    assert IdempotentRequest.objects.count() == 0
    assert post(owner, PLAN, {}).status_code == 200


def test_a_first_answer_keeps_its_status_and_location(owner: APIClient, world: World) -> None:
    body = {"execute": True, "reason": "A test."}
    first, second = post(owner, RUN, body), post(owner, RUN, body)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first["Location"] == second["Location"] == f"{A}/worker-runs/{first.json()['run']['run_id']}"
    assert WorkerRun.objects.filter(dry_run=False).count() == 1


def test_a_request_that_is_being_worked_on_is_a_conflict(owner: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.0)
    post(owner, PLAN, {})
    IdempotentRequest.objects.update(status_code=None)
    answer = post(owner, PLAN, {})
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")


def test_a_request_that_died_says_so_for_good(owner: APIClient) -> None:
    post(owner, PLAN, {})
    IdempotentRequest.objects.update(
        status_code=None, created_at=clock.now() - idempotency.GIVEN_UP_AFTER - timedelta(seconds=1)
    )
    answer = post(owner, PLAN, {})
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_outcome_unknown")
    assert "new key" in answer.json()["detail"]


def test_a_database_that_took_nothing_leaves_the_key_free(owner: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise StoreUnavailable("The database does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(plans, "plan_retry", refuse)
        answer = post(owner, PLAN, {})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert IdempotentRequest.objects.count() == 0


def test_a_database_that_fell_silent_half_way_keeps_the_claim(
    owner: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall_silent(**_: object) -> None:
        raise OperationalError("gone, with a host in the text")

    with monkeypatch.context() as patched:
        patched.setattr(plans, "plan_retry", fall_silent)
        answer = post(owner, PLAN, {})
    assert answer.status_code == 503
    assert b"host" not in answer.content
    assert IdempotentRequest.objects.get().status_code is None


def test_an_unexpected_error_says_nothing_and_keeps_the_claim(
    owner: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(**_: object) -> None:
        raise RuntimeError("secret")

    with monkeypatch.context() as patched:
        patched.setattr(plans, "plan_retry", break_down)
        answer = post(owner, PLAN, {})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert b"secret" not in answer.content
    assert IdempotentRequest.objects.get().status_code is None


def test_old_keys_are_forgotten(owner: APIClient) -> None:
    post(owner, PLAN, {}, "old")
    IdempotentRequest.objects.update(created_at=clock.now() - idempotency.KEPT_FOR - timedelta(seconds=1))
    post(owner, PLAN, {}, "new")
    assert idempotency.forget() == 1
    assert IdempotentRequest.objects.count() == 1


def test_two_hundred_parallel_equal_starts_make_one_run(
    world: World, owner: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = WorkerRun.objects.count()
    together = threading.Barrier(20)
    # SQLite's writers queue for seconds when twenty of them come at once.
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 30.0)
    authorization = owner._credentials["HTTP_AUTHORIZATION"]

    def start(number: int) -> tuple[int, str]:
        if number < together.parties:
            together.wait()
        try:
            client = APIClient(HTTP_AUTHORIZATION=authorization)
            answer = post(client, RUN, {})
            return answer.status_code, answer.json()["run"]["run_id"]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=together.parties) as pool:
        answers = set(pool.map(start, range(200)))
    assert len(answers) == 1
    assert WorkerRun.objects.count() == before + 1


def test_a_wait_is_heeded_and_the_run_is_still_queued_when_it_ends(
    owner: APIClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def wait(*, actor: object, run_id: str, timeout_seconds: float) -> object:
        waited.append(timeout_seconds)
        return worker.read_run(actor=actor, run_id=run_id)  # type: ignore[arg-type]

    monkeypatch.setattr(worker, "wait_for_run", wait)
    body = {"execute": True, "reason": "A test."}
    for prefer in ("wait=7", "respond-async, wait=7", 'WAIT = "7"; x=1', "wait=9999", "wait=x", "await=7", ""):
        assert owner.post(RUN, body, HTTP_PREFER=prefer).status_code in {200, 202}
    assert waited == [7, 7, 7, 60]
