"""A run's page: the receipt of each connector, expected beside happened, and the buttons that hold a run back."""

import re
from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from django.urls import reverse

from rollback_audit.engine import approvals, drain, plans, worker
from rollback_audit.engine.actors import Actor, actor_for
from rollback_audit.engine.reviews import DecisionKey
from rollback_audit.engine.worker import RunRequest
from rollback_audit.models import Connector, RunLane, WorkerRun
from rollback_audit.records.plans import RetryPlanRecord
from rollback_audit.states import CircuitState, ConnectorStanding, Role, StopReason
from tests import factories
from tests.console.conftest import SignedIn
from tests.console.test_buttons import press
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver() -> Iterator[RecordingReceiver]:
    with RecordingReceiver(Reply(200)) as running:
        yield running


@pytest.fixture
def maker(db: None) -> Actor:
    return actor_for(factories.person("rita", Role.RELEASE_MANAGER))


@pytest.fixture
def owner(db: None) -> Actor:
    return actor_for(factories.person("omar", Role.PLATFORM_OWNER))


@pytest.fixture
def plan(maker: Actor, configure: Callable[..., None], receiver: RecordingReceiver) -> RetryPlanRecord:
    """A plan with three due decisions."""
    configure(siem=receiver.port)
    for _ in range(3):
        factories.failed(Connector.objects.get())
    return plans.plan_retry(actor=maker)[0]


def approve(plan: RetryPlanRecord, maker: Actor, owner: Actor, *, count: int) -> None:
    asked, _ = approvals.request_approval(actor=maker, retry_plan_id=plan.retry_plan_id, require_retry_ack=False)
    for item in plan.retry_decisions[:count]:
        key = DecisionKey(item.delivery_id, item.audit_id, item.provider)
        approvals.decide(actor=owner, approval_plan_id=asked.approval_plan_id, key=key)


def start(plan: RetryPlanRecord, actor: Actor, **changes: object) -> str:
    wanted: dict[str, object] = {"dry_run": False, "reason": "It is back.", "max_retry_deliveries": 10} | changes
    named = {"retry_plan_id": plan.retry_plan_id, "plan_digest": plan.plan_digest}
    return worker.start_run(actor=actor, request=RunRequest(**(named | wanted))).run.run_id  # type: ignore[arg-type]


def seen(client: Client, run_id: str) -> str:
    text = client.get(reverse("console:run", args=[run_id])).content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_a_run_is_paused_resumed_and_says_by_whom(
    signed_in: SignedIn, plan: RetryPlanRecord, maker: Actor, owner: Actor
) -> None:
    approve(plan, maker, owner, count=3)
    run_id = start(plan, owner)
    client = signed_in("omar", Role.PLATFORM_OWNER)
    assert "reason" in press(client, "pause", run_id, reason="")
    page = press(client, "pause", run_id, reason="They asked us to wait.")
    assert "Nothing more is sent" in page
    assert "Paused by omar since" in seen(client, run_id)
    assert "They asked us to wait." in page
    assert "Resume run" in page
    assert "paused already" in press(client, "pause", run_id, reason="Again.")
    assert "Resumed" in press(client, "resume", run_id, reason="They say go on.")
    assert "Paused by" not in seen(client, run_id)
    assert "not paused" in press(client, "resume", run_id, reason="Again.")


def test_an_auditor_sees_that_a_run_waits_and_no_button(
    signed_in: SignedIn, plan: RetryPlanRecord, maker: Actor, owner: Actor
) -> None:
    approve(plan, maker, owner, count=1)
    run_id = start(plan, owner)
    worker.pause_run(actor=owner, run_id=run_id, reason="They asked us to wait.")
    client = signed_in("ada", Role.AUDITOR)
    assert "Paused by omar" in seen(client, run_id)
    assert "Resume run" not in seen(client, run_id)
    for name in ("pause", "resume", "abort"):
        assert "permission" in press(client, name, run_id, reason="I would like to.")
    assert WorkerRun.objects.get().paused_by == "omar"


def test_expected_stands_beside_what_happened_and_why_the_rest_did_not(
    signed_in: SignedIn, plan: RetryPlanRecord, maker: Actor, owner: Actor
) -> None:
    approve(plan, maker, owner, count=2)
    dry, live = start(plan, maker, dry_run=True, reason=""), start(plan, owner, max_retry_deliveries=1)
    drain.drain(live)
    client = signed_in("ada", Role.AUDITOR)
    page = seen(client, live)
    assert "Expected by the dry run" in page
    assert page.count("would be sent") == 1
    _, _, left = page.partition("Due, but not selected")
    assert left.count("over limit") == 1
    assert left.count("approval missing") == 1

    page = seen(client, dry)
    assert page.count("would be sent") == 3
    assert "Happened in the live run" in page
    for word in ("delivered", "over limit", "approval missing"):
        assert word in page


def test_an_approval_taken_back_in_time_is_why(
    signed_in: SignedIn, plan: RetryPlanRecord, maker: Actor, owner: Actor
) -> None:
    approve(plan, maker, owner, count=1)
    factories.person("omar", Role.PLATFORM_OWNER).groups.clear()
    other = actor_for(factories.person("paul", Role.PLATFORM_OWNER))
    page = seen(signed_in("ada", Role.AUDITOR), start(plan, other))
    assert page.count("approval revoked") == 1
    assert page.count("approval missing") == 2


def test_what_moved_is_shown_as_approved_and_as_it_is_now(
    signed_in: SignedIn, plan: RetryPlanRecord, maker: Actor, owner: Actor, receiver: RecordingReceiver
) -> None:
    approve(plan, maker, owner, count=3)
    live = start(plan, owner)
    was = Connector.objects.get().revision
    Connector.objects.update(revision="f" * 32)
    drain.drain(live)
    page = seen(signed_in("ada", Role.AUDITOR), live)
    assert f"configuration: approved {was[:8]}, now ffffffff" in page
    assert "3 drifted" in page
    assert receiver.arrivals == []


def test_a_stopped_connector_says_why(
    signed_in: SignedIn, plan: RetryPlanRecord, maker: Actor, owner: Actor, receiver: RecordingReceiver
) -> None:
    receiver.reply = Reply(503)
    approve(plan, maker, owner, count=3)
    live = start(plan, owner)
    drain.drain(live)
    assert RunLane.objects.get().stop_reason == StopReason.FAILURE_RATE
    page = seen(signed_in("ada", Role.AUDITOR), live)
    assert "1 of 2 stopped failure rate" in page
    assert "2 run aborted" in page


def test_a_connector_says_how_its_circuit_stands(signed_in: SignedIn, plan: RetryPlanRecord) -> None:
    client = signed_in("olga", Role.PLATFORM_OWNER)
    address = reverse("console:connector", args=["siem"])
    assert "circuit closed" in client.get(address).content.decode()
    Connector.objects.update(
        circuit=CircuitState.OPEN,
        circuit_until=factories.now(),
        hold=ConnectorStanding.CIRCUIT_OPEN,
        held_since=factories.now(),
    )
    page = client.get(address).content.decode()
    assert "then one delivery may ask" in page
    assert "The receiver failed too often" in page
