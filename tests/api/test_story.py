"""The whole story over HTTP by two people: from a failed delivery to a closed recovery, and each refusal on the way."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from rollback_audit import tasks
from rollback_audit.engine import tokens
from rollback_audit.states import MetadataKind, Role
from tests.api.doors import A, B
from tests.engine.conftest import People
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db

Answer = dict[str, Any]


class Person:
    """Somebody with a token, who says what answer they expect."""

    def __init__(self, name: str, role: Role) -> None:
        self._client = APIClient(raise_request_exception=False)
        self._client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.create(username=name, role=role.value)}")

    def post(self, path: str, body: Answer | None = None, *, expect: int = 200, code: str = "") -> Answer:
        answer = self._client.post(f"{A}{path}", body or {})
        found: Answer = answer.json()
        assert (answer.status_code, found.get("code", "")) == (expect, code), found
        return found

    def get(self, path: str, *, expect: int = 200) -> Answer:
        answer = self._client.get(path)
        assert answer.status_code == expect, answer.content
        found: Answer = answer.json()
        return found


class Story:
    """What has come of it so far: the ids that later steps name."""

    def __init__(self, alice: Person, bob: Person, later: Callable[[timedelta], None]) -> None:
        self.alice, self.bob, self.later = alice, bob, later
        self.key: Answer = {}
        self.plan: Answer = {}
        self.approval_plan_id = ""

    def deliver(self) -> None:
        """Alice's delivery fails, which is an answer."""
        answer = self.alice.post("")
        assert answer["success"] is False
        plan = answer["delivery_plan"]
        self.key = {"delivery_id": plan["delivery_id"], "audit_id": plan["audit_id"], "provider": "webhook"}

    def plan_when_due(self, minutes: int) -> None:
        """Alice plans too early, then when it is due."""
        (early,) = self.alice.post("/retry-plan")["plan"]["retry_decisions"]
        assert (early["action"], early["reason_code"]) == ("wait", "backoff")
        self.later(timedelta(minutes=minutes))
        self.plan = self.alice.post("/retry-plan")["plan"]
        (due,) = self.plan["retry_decisions"]
        assert (due["action"], due["reason_code"]) == ("retry", "due")

    def order(self, **changes: Any) -> Answer:
        """The body of a live run of exactly this plan."""
        named = {"retry_plan_id": self.plan["retry_plan_id"], "plan_digest": self.plan["plan_digest"]}
        return {"execute": True, "reason": "The receiver is back, CHG-1042."} | named | changes

    def review(self) -> None:
        """Nothing is approved that nobody reviewed; nothing is reviewed that the plan does not hold."""
        path = f"/retry-plans/{self.plan['retry_plan_id']}/acknowledgements"
        asked = self.alice.post("/retry-execution-approval-plan", {"retry_plan_id": self.plan["retry_plan_id"]})["plan"]
        self.approval_plan_id = asked["approval_plan_id"]
        assert [entry["action"] for entry in asked["entries"]] == ["wait_for_retry_ack"]
        self.decide(self.bob, expect=409, code="retry_ack_missing")
        self.alice.post(path, self.key | {"delivery_id": "gordackdelivery-0"}, expect=404, code="not_found")
        self.alice.post("/retry-plans/gordackretry-0/acknowledgements", self.key, expect=404, code="not_found")
        said = self.alice.post(path, self.key | {"external_ref": "CHG-1042"})["acknowledgement"]
        assert said["acknowledgement_state"] == "accepted"
        asked = self.alice.post("/retry-execution-approval-plan", {"retry_plan_id": self.plan["retry_plan_id"]})["plan"]
        self.approval_plan_id = asked["approval_plan_id"]
        assert [entry["action"] for entry in asked["entries"]] == ["request_approval"]

    def decide(self, person: Person, *, expect: int = 200, code: str = "", **body: Any) -> Answer:
        path = f"/retry-execution-approval-plans/{self.approval_plan_id}/decisions"
        return person.post(path, self.key | body, expect=expect, code=code)

    def approve(self) -> None:
        """Not by who planned it, and not what nobody asked for."""
        self.decide(self.alice, expect=403, code="four_eyes")
        path = "/retry-execution-approval-plans/gordackapproval-0/decisions"
        self.bob.post(path, self.key, expect=404, code="not_found")
        decision = self.decide(self.bob, external_ref="CHG-1042")["decision"]
        assert (decision["approval_state"], decision["approver"]) == ("approved", "bob")
        assert decision["plan_digest"] == self.plan["plan_digest"]
        # Said again, it takes the place of the first: there is still one to spend.
        again = self.decide(self.bob, expires_in_minutes=60)["decision"]
        assert again["approval_decision_id"] != decision["approval_decision_id"]

    def refuse_to_execute(self) -> None:
        """Before anybody approved: a run that selects nothing; and orders that are none."""
        run = self.bob.post("/worker-run", self.order(), expect=202)["run"]
        assert run["summary"]["selected_retry_count"] == 0
        assert run["summary"]["approval_pending_count"] == 1
        assert [item["approval_state"] for item in run["follow_up_actions"]] == ["approval_required"]
        self.bob.post("/worker-run", self.order(reason=""), expect=400, code="invalid")
        self.bob.post("/worker-run", self.order(plan_digest="0" * 64), expect=409, code="plan_digest_mismatch")
        self.bob.post("/worker-run", self.order(retry_plan_id="gordackretry-0"), expect=404, code="not_found")

    def execute(self) -> Answer:
        """The run as a worker left it: its one execution record."""
        run_id = self.bob.post("/worker-run", self.order(), expect=202)["run"]["run_id"]
        tasks.drain(run_id)
        answer = self.bob.get(f"{A}/worker-runs/{run_id}")
        assert answer["run"]["summary"]["selected_retry_count"] == 1
        (result,) = answer["retry_results"]
        record: Answer = result["execution_record"]
        assert (record["run_id"], record["retry_plan_id"]) == (run_id, self.plan["retry_plan_id"])
        assert record["approval_plan_id"] == self.approval_plan_id
        self.decide(self.bob, approval_state="denied", expect=409, code="approval_used")
        self.decide(self.bob, expect=409, code="nothing_to_approve")
        self.bob.post(f"/worker-runs/{run_id}/abort", {"reason": "Too late."}, expect=409, code="run_finished")
        again = self.bob.post("/worker-run", self.order(), expect=202)["run"]
        assert again["summary"]["selected_retry_count"] == 0
        return record


@pytest.fixture
def story(people: People, later: Callable[[timedelta], None]) -> Story:
    return Story(Person("alice", Role.PLATFORM_OWNER), Person("bob", Role.PLATFORM_OWNER), later)


def test_a_failed_delivery_is_retried_by_two_people_until_its_recovery_is_closed(
    story: Story, receiver: RecordingReceiver, configure: Callable[..., None]
) -> None:
    alice, bob = story.alice, story.bob
    configure(webhook=receiver.port)
    receiver.reply = Reply(503)

    # It fails, is planned, reviewed and approved by somebody else; sent once, it fails again.
    story.deliver()
    story.plan_when_due(minutes=15)
    story.refuse_to_execute()
    story.review()
    story.approve()
    assert len(receiver.arrivals) == 1
    assert story.execute()["execution_status"] == "failed"
    assert len(receiver.arrivals) == 2

    # Two failures open a recovery, which nobody can call resolved yet.
    playbook = alice.post("/connector-recovery-playbook")["playbook"]
    (entry,) = playbook["provider_playbooks"]
    assert (entry["provider"], entry["failure_count"], entry["status_codes"]) == ("webhook", 2, [503])
    closures = f"/connector-recovery-playbooks/{playbook['playbook_id']}/closures"
    resolved = {"provider": "webhook", "closure_state": "resolved", "external_ref": "INC-7"}
    bob.post(closures, resolved, expect=409, code="recovery_unproven")
    bob.post("/connector-recovery-playbooks/gordackplaybook-0/closures", resolved, expect=404, code="not_found")
    assert alice.get(f"{A}/retry-recovery-report")["report"]["recovery_open_count"] == 1

    # The receiver is back. The spent approval is good for nothing more: another plan, another approval.
    receiver.reply = Reply(200)
    story.plan_when_due(minutes=30)
    story.refuse_to_execute()
    story.review()
    story.approve()
    record = story.execute()
    assert (record["execution_status"], record["delivery_success"]) == ("delivered", True)
    assert len(receiver.arrivals) == 3
    assert len({(arrival.headers["webhook-id"], arrival.body) for arrival in receiver.arrivals}) == 1

    # Now it can be resolved, by a proof that exists, and once.
    wrong = resolved | {"verification_refs": ["gordackretryexec-0"]}
    refused = bob.post(closures, wrong, expect=400, code="invalid")
    assert "verification_refs.0" in refused["errors"]
    closed = bob.post(closures, resolved | {"verification_refs": [record["execution_id"]]})
    assert (closed["recovery"]["state"], closed["recovery"]["slo_state"]) == ("closed", "closed")
    bob.post(closures, resolved, expect=409, code="recovery_closed")

    # What everybody can read: closed, in time, and each execution on record.
    report = alice.get(f"{A}/retry-recovery-report")["report"]
    assert (report["recovery_open_count"], report["recovery_closed_count"]) == (0, 1)
    assert report["recovery_slo_breached_count"] == 0
    assert report["execution_status_counts"] == {"delivered": 1, "failed": 1, "skipped": 0, "unknown": 0}
    for kind, count in {
        MetadataKind.RETRY_ACK: 2,
        MetadataKind.APPROVAL_DECISION: 4,
        MetadataKind.EXECUTION_RECORD: 2,
        MetadataKind.RECOVERY_CLOSURE: 1,
    }.items():
        assert alice.get(f"{B}?metadata_kind={kind}")["total"] == count, kind
    (destination,) = alice.get(f"{A}/deliveries/{story.key['delivery_id']}")["destinations"]
    assert destination["delivery"]["state"] == "delivered"
    assert [attempt["outcome"] for attempt in destination["attempts"]] == ["answered_5xx", "answered_5xx", "confirmed"]
