"""The whole loop, with the interpreter telling who opens a socket: the way out, and nobody else."""

from collections.abc import Callable

import pytest

from rollback_audit.delivery.client import Client
from rollback_audit.engine import connectors, worker
from rollback_audit.engine.sweep import sweep
from rollback_audit.engine.worker import RunRequest
from rollback_audit.states import RunState
from tests.engine.conftest import People
from tests.engine.loop import Loop
from tests.engine.sockets import watched
from tests.receivers import RecordingReceiver

pytestmark = pytest.mark.django_db(transaction=True)

WAY_OUT = "rollback_audit/delivery/"


def test_nothing_but_the_way_out_opens_a_socket_in_a_whole_loop(
    receiver: RecordingReceiver, people: People, configure: Callable[..., None]
) -> None:
    loop = Loop(people)
    with watched() as seen:
        configure(webhook=receiver.port)
        loop.fail(receiver)
        started = loop.approved_run()
        assert loop.drained(started).run.summary.delivered_count == 1
        connectors.test(actor=loop.owner, name="webhook")
        sweep()
    assert len(receiver.arrivals) == 3
    assert {(module, event) for module, event in seen if not module.startswith(WAY_OUT)} == set()
    # The hook hears: libcurl's sockets are made by the callback that judges their addresses.
    assert (f"{WAY_OUT}exchange.py", "socket.__new__") in seen


def test_planning_and_dry_runs_open_no_socket_and_hold_no_client(
    receiver: RecordingReceiver, people: People, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(webhook=receiver.port)
    loop = Loop(people)
    loop.fail(receiver)
    monkeypatch.setattr(Client, "__init__", _must_not_be_made)
    with watched() as seen:
        plan = loop.plan()
        loop.approve(plan)
        dry = worker.start_run(
            actor=loop.owner, request=RunRequest(retry_plan_id=plan.retry_plan_id, plan_digest=plan.plan_digest)
        )
        sweep()
    assert dry.run.state is RunState.COMPLETED
    assert dry.run.summary.selected_retry_count == 1
    assert seen == set()
    assert len(receiver.arrivals) == 1


def _must_not_be_made(client: object, **changes: object) -> None:
    raise AssertionError("a client was made")
