"""Nothing is sent that nobody ordered: every door without an explicit execute, and every way to flip the mode."""

import inspect
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from cavra_site import env
from rollback_audit import tasks
from rollback_audit.engine import schedules, tokens
from rollback_audit.models import Connector, DeliveryAttempt, WorkerResult, WorkerRun
from rollback_audit.records.plans import RetryPlanRecord
from rollback_audit.states import Role, RunState, SkipReason
from tests.api.doors import A
from tests.engine.conftest import People, configure, later, people, receiver  # noqa: F401
from tests.engine.loop import Loop, failed_rows
from tests.engine.test_worker import sockets_opened_by
from tests.receivers import RecordingReceiver

pytestmark = pytest.mark.django_db

BODIES: list[dict[str, Any]] = [
    {},
    {"dry_run": True},
    {"dry_run": False},
    {"dry_run": None},
    {"execute": False},
    {"execute": None},
    {"execute": "true"},
    {"execute": 1},
    {"execute": [True]},
    {"dry_run": True, "execute": True},
    {"dry_run": False, "execute": False},
    {"dry_run": False, "execute": "true"},
    {"dry_run": 0},
    {"exceute": True},
    {"Execute": True},
    {"mode": "live"},
    {"schedule": {"execute": True}},
    {"schedule": {"enabled": True}, "retry_policy": {"allow_immediate_retry": True}},
]


@pytest.fixture
def loop(people: People) -> Loop:  # noqa: F811
    return Loop(people)


@pytest.fixture
def plan(loop: Loop, configure: Callable[..., None], receiver: RecordingReceiver) -> RetryPlanRecord:  # noqa: F811
    """A plan whose two retries are due and approved: an order is all that is missing."""
    configure(webhook=receiver.port)
    failed_rows(2, Connector.objects.get())
    made = loop.plan()
    loop.approve(made)
    return made


@pytest.fixture
def owner(loop: Loop) -> APIClient:
    client = APIClient(raise_request_exception=False)
    token = tokens.create(username="owner", role=Role.PLATFORM_OWNER.value)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


@pytest.fixture
def console(loop: Loop) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.get(username="owner"))
    return client


def assert_nothing_is_sent(work: Callable[[], object], at: RecordingReceiver) -> None:
    """Do it, and whatever a worker would do afterwards."""

    def and_then_the_worker() -> None:
        work()
        tasks.sweep()

    assert sockets_opened_by(and_then_the_worker) == []
    assert at.connection_count == 0
    assert not WorkerRun.objects.filter(dry_run=False).exists()
    assert not DeliveryAttempt.objects.filter(number__gt=1).exists()


# --- Doors ----------------------------------------------------------------------------------------------------------


def test_with_an_order_it_is_sent_and_the_watch_sees_it(
    plan: RetryPlanRecord,
    owner: APIClient,
    receiver: RecordingReceiver,  # noqa: F811
) -> None:
    named = {"retry_plan_id": plan.retry_plan_id, "plan_digest": plan.plan_digest}
    answer = owner.post(f"{A}/worker-run", {"execute": True, "dry_run": False, "reason": "It is back."} | named)
    assert answer.status_code == 202
    assert "socket.__new__" in sockets_opened_by(tasks.sweep)
    assert len(receiver.arrivals) == 2


@pytest.mark.parametrize("body", BODIES, ids=json.dumps)
@pytest.mark.parametrize("named", [False, True], ids=["any plan", "a named plan"])
def test_no_body_without_execute_sends(
    plan: RetryPlanRecord,
    owner: APIClient,
    receiver: RecordingReceiver,  # noqa: F811
    body: dict[str, Any],
    named: bool,
) -> None:
    plan_named = {"retry_plan_id": plan.retry_plan_id, "plan_digest": plan.plan_digest} if named else {}
    sent = {"reason": "It is back."} | plan_named | body
    assert_nothing_is_sent(lambda: owner.post(f"{A}/worker-run", sent, HTTP_PREFER="wait=1"), receiver)


@pytest.mark.parametrize("query", ["execute=true", "dry_run=false", "execute=1&reason=back"])
def test_no_query_sends(plan: RetryPlanRecord, owner: APIClient, receiver: RecordingReceiver, query: str) -> None:  # noqa: F811
    assert_nothing_is_sent(lambda: owner.post(f"{A}/worker-run?{query}", {}), receiver)


def test_no_form_and_no_header_sends(plan: RetryPlanRecord, owner: APIClient, receiver: RecordingReceiver) -> None:  # noqa: F811
    form = "execute=true&dry_run=false&reason=back"
    kind = "application/x-www-form-urlencoded"
    assert_nothing_is_sent(lambda: owner.generic("POST", f"{A}/worker-run", form, content_type=kind), receiver)
    assert_nothing_is_sent(lambda: owner.post(f"{A}/worker-run", {}, HTTP_X_EXECUTE="true"), receiver)


@pytest.mark.parametrize("route", ["retry-plan", "retry-execution-approval-plan"])
def test_planning_and_asking_send_nothing(
    plan: RetryPlanRecord,
    owner: APIClient,
    receiver: RecordingReceiver,  # noqa: F811
    route: str,
) -> None:
    assert_nothing_is_sent(lambda: owner.post(f"{A}/{route}", {}), receiver)


@pytest.mark.parametrize(
    "arguments", [["run"], ["run", "--reason", "It is back."], ["run", "--limit", "10", "--user", "owner"], ["plan"]]
)
def test_no_command_without_execute_sends(
    plan: RetryPlanRecord,
    receiver: RecordingReceiver,  # noqa: F811
    arguments: list[str],
) -> None:
    assert_nothing_is_sent(lambda: call_command(*arguments, stdout=io.StringIO()), receiver)


def test_no_button_but_execute_sends(plan: RetryPlanRecord, console: Client, receiver: RecordingReceiver) -> None:  # noqa: F811
    dry, execute = (reverse(f"console:{name}", args=[plan.retry_plan_id]) for name in ("dry-run", "execute"))
    order = {"execute": "on", "dry_run": "off", "reason": "It is back."}
    assert_nothing_is_sent(lambda: console.post(reverse("console:run-worker"), order), receiver)
    assert_nothing_is_sent(lambda: console.post(dry, order), receiver)
    assert_nothing_is_sent(lambda: console.get(execute, order), receiver)
    # The page's own form, without the number that was shown.
    assert_nothing_is_sent(lambda: console.post(execute, order), receiver)


def test_no_schedule_and_no_task_sends(plan: RetryPlanRecord, loop: Loop, receiver: RecordingReceiver) -> None:  # noqa: F811
    schedules.install(interval_minutes=30)
    assert_nothing_is_sent(tasks.run_schedules, receiver)
    (run,) = WorkerRun.objects.all()
    assert_nothing_is_sent(lambda: tasks.drain(run.run_id), receiver)
    assert_nothing_is_sent(lambda: tasks.drain("gordackworker-0000000000000000"), receiver)


# --- Flipping the mode ----------------------------------------------------------------------------------------------


def dry_run_of(plan: RetryPlanRecord, loop: Loop) -> WorkerRun:
    started = loop.start(plan, dry_run=True)
    return WorkerRun.objects.get(run_id=started.run.run_id)


def test_the_database_refuses_to_make_a_dry_run_live(plan: RetryPlanRecord, loop: Loop) -> None:
    run = dry_run_of(plan, loop)
    for changes in ({"dry_run": False}, {"dry_run": False, "state": "queued", "completed_at": None}):
        with pytest.raises(IntegrityError, match="worker_run_mode_is_kept"), transaction.atomic():
            WorkerRun.objects.filter(pk=run.pk).update(**changes)
    for state in ("remaining", "sending", "delivered"):
        with pytest.raises(IntegrityError, match="worker_result_live_needs_an_approval"), transaction.atomic():
            WorkerResult.objects.filter(run=run).update(state=state, skipped=None)


def test_the_database_refuses_to_make_a_live_run_dry(plan: RetryPlanRecord, loop: Loop) -> None:
    run_id = loop.start(plan).run.run_id
    with pytest.raises(IntegrityError, match="worker_run_mode_is_kept"), transaction.atomic():
        WorkerRun.objects.filter(run_id=run_id).update(dry_run=True)


def test_a_dry_run_whose_row_was_flipped_sends_nothing(
    plan: RetryPlanRecord,
    loop: Loop,
    receiver: RecordingReceiver,  # noqa: F811
) -> None:
    run = dry_run_of(plan, loop)
    # Somebody who knows what the constraint looks at.
    WorkerRun.objects.filter(pk=run.pk).update(dry_run=False, waves="rest", state=RunState.QUEUED, completed_at=None)
    # Its receipt is in the ledger, which takes no second one: the task gives up.
    # The client's own bell is a socket too, so here it is connections that count.
    assert "socket.connect" not in sockets_opened_by(lambda: tasks.drain(run.run_id))
    assert receiver.connection_count == 0


def test_a_live_run_whose_row_was_made_dry_sends_nothing(
    plan: RetryPlanRecord,
    loop: Loop,
    receiver: RecordingReceiver,  # noqa: F811
) -> None:
    started = loop.start(plan)
    WorkerRun.objects.filter(run_id=started.run.run_id).update(dry_run=True, waves="")
    assert "socket.connect" not in sockets_opened_by(lambda: tasks.drain(started.run.run_id))
    assert receiver.connection_count == 0
    skipped = WorkerResult.objects.filter(run__run_id=started.run.run_id).values_list("skipped", flat=True)
    assert set(skipped) <= {SkipReason.DRIFTED, None}


@pytest.mark.parametrize("task", [tasks.drain, tasks.sweep, tasks.run_schedules])
def test_no_task_takes_a_mode(task: Callable[..., None]) -> None:
    assert set(inspect.signature(task).parameters) <= {"run_id"}


def test_the_command_wants_a_reason_and_an_approval(plan: RetryPlanRecord, loop: Loop) -> None:
    with pytest.raises(CommandError, match="reason"):
        call_command("run", "--execute", stdout=io.StringIO())
    out = io.StringIO()
    # Under the default policy, which nobody has approved.
    call_command("run", "--execute", "--reason", "It is back.", stdout=out)
    assert json.loads(out.getvalue())["summary"]["selected_retry_count"] == 0


@pytest.mark.parametrize("name", ["CAVRA_EXECUTE", "CAVRA_DRY_RUN", "CAVRA_LIVE", "CAVRA_MODE"])
def test_no_variable_of_the_environment_sets_the_mode(name: str) -> None:
    with pytest.raises(env.EnvironmentProblem, match=name):
        env.read({name: "on"})
