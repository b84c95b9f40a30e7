"""Buttons: each works, wants its permission, is a POST, and says calmly why the engine refused."""

from collections.abc import Callable

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse

from rollback_audit.console import flow
from rollback_audit.engine import approvals, plans, worker
from rollback_audit.engine.actors import SYSTEM, Actor, actor_for
from rollback_audit.models import (
    ApprovalDecision,
    ApprovalPlan,
    Connector,
    DrillAcknowledgement,
    DrillSchedule,
    RetryAcknowledgement,
    RetryPlan,
    WorkerRun,
)
from rollback_audit.records.plans import RetryPlanRecord
from rollback_audit.states import ApprovalState, Role, RunState
from tests import factories
from tests.console.conftest import SignedIn

pytestmark = pytest.mark.django_db
SEE_OTHER = 303
BUTTONS = {
    "deliver-audit": Role.RELEASE_MANAGER,
    "plan-retry": Role.SOC_ANALYST,
    "run-worker": Role.RELEASE_MANAGER,
    "notify": Role.RELEASE_MANAGER,
    "recovery-playbook": Role.SOC_ANALYST,
    "new-schedule": Role.PLATFORM_OWNER,
}


@pytest.fixture
def maker(db: None) -> Actor:
    return actor_for(factories.person("rita", Role.RELEASE_MANAGER))


@pytest.fixture
def plan(maker: Actor, configure: Callable[..., None]) -> RetryPlanRecord:
    """A plan with two due decisions, made by rita."""
    configure(siem=9)
    for _ in range(2):
        factories.failed(Connector.objects.get())
    made, _ = plans.plan_retry(actor=maker)
    return made


def press(client: Client, name: str, *args: str, **fields: object) -> str:
    """Presses a button; the page it leads to, as text."""
    answer = client.post(reverse(f"console:{name}", args=args), fields)
    assert answer.status_code == SEE_OTHER, answer.content.decode()[:2000]
    return client.get(answer["Location"]).content.decode()


@pytest.mark.parametrize("name", BUTTONS)
def test_a_button_is_refused_to_whoever_lacks_the_permission(signed_in: SignedIn, name: str) -> None:
    answer = signed_in("ada", Role.AUDITOR).post(reverse(f"console:{name}"))
    assert answer.status_code in {403, SEE_OTHER}
    assert not RetryPlan.objects.exists()
    assert not DrillSchedule.objects.exists()


@pytest.mark.parametrize("name", BUTTONS)
def test_a_button_wants_the_forms_token(name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.person("olga", Role.PLATFORM_OWNER))
    answer = client.post(reverse(f"console:{name}"))
    assert answer.status_code == 403
    assert "expired" in answer.content.decode()


def test_planning_leads_to_the_plan(signed_in: SignedIn, plan: RetryPlanRecord) -> None:
    page = press(signed_in("sam", Role.SOC_ANALYST), "plan-retry")
    assert "2 to retry, 0 wait, 0 suppressed" in page
    assert RetryPlan.objects.count() == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_retry_attempts", "0"),
        ("retry_delay_minutes", "0"),
        ("backoff_multiplier", "nan"),
        ("jitter_ratio", "2"),
        ("max_delay_minutes", "1"),
        ("source", "elsewhere"),
        ("provider", "nobody"),
    ],
)
def test_a_refused_policy_names_its_field(signed_in: SignedIn, field: str, value: str) -> None:
    sent = {"retry_delay_minutes": "15"} | {field: value}
    answer = signed_in("sam", Role.SOC_ANALYST).post(reverse("console:plan-retry"), sent)
    assert answer.status_code == 400
    assert field in answer.context["form"].errors
    assert not RetryPlan.objects.exists()


@pytest.mark.parametrize(
    ("sent", "delays"),
    [
        ({"retry_delay_minutes": "2000"}, (2000, 2000)),
        ({"retry_delay_minutes": "20", "max_delay_minutes": ""}, (20, 1440)),
        ({"retry_delay_minutes": "", "allow_immediate_retry": "on"}, (0, 1440)),
    ],
)
def test_delays_that_are_left_empty_follow_the_others(
    signed_in: SignedIn, plan: RetryPlanRecord, sent: dict[str, object], delays: tuple[int, int]
) -> None:
    press(signed_in("sam", Role.SOC_ANALYST), "plan-retry", **sent)
    made = RetryPlan.objects.latest("pk").policy
    assert (made["retry_delay_minutes"], made["max_delay_minutes"]) == delays


def test_run_audit_worker_runs_dry(signed_in: SignedIn, plan: RetryPlanRecord) -> None:
    page = press(signed_in("rita", Role.RELEASE_MANAGER), "run-worker")
    assert "Nothing was sent" in page
    assert WorkerRun.objects.get().dry_run


def test_a_plan_is_run_dry_as_it_stands(signed_in: SignedIn, plan: RetryPlanRecord) -> None:
    page = press(signed_in("rita", Role.RELEASE_MANAGER), "dry-run", plan.retry_plan_id)
    assert page.count(">would be sent<") == 2
    assert WorkerRun.objects.get().retry_plan.retry_plan_id == plan.retry_plan_id


def test_a_decision_is_reviewed(signed_in: SignedIn, plan: RetryPlanRecord) -> None:
    one = plan.retry_decisions[0]
    fields = {"delivery_id": one.delivery_id, "audit_id": one.audit_id, "provider": one.provider}
    client = signed_in("sam", Role.SOC_ANALYST)
    page = press(client, "review", plan.retry_plan_id, acknowledgement_state="deferred", notes="Call them.", **fields)
    assert "deferred" in page
    assert "Call them." not in page
    assert RetryAcknowledgement.objects.get().notes == "Call them."


def test_a_credential_in_a_note_is_refused_and_not_repeated(signed_in: SignedIn, plan: RetryPlanRecord) -> None:
    one = plan.retry_decisions[0]
    fields = {"delivery_id": one.delivery_id, "audit_id": one.audit_id, "provider": one.provider}
    secret = "AKIA" + "IOSFODNN7EXAMPLE"
    client = signed_in("sam", Role.SOC_ANALYST)
    page = press(client, "review", plan.retry_plan_id, acknowledgement_state="accepted", notes=secret, **fields)
    assert "notes" in page
    assert secret not in page
    assert not RetryAcknowledgement.objects.exists()


def test_all_due_decisions_are_accepted_once(signed_in: SignedIn, plan: RetryPlanRecord) -> None:
    client = signed_in("sam", Role.SOC_ANALYST)
    assert "2 decisions accepted" in press(client, "accept-all", plan.retry_plan_id)
    assert "0 decisions accepted" in press(client, "accept-all", plan.retry_plan_id)
    assert RetryAcknowledgement.objects.count() == 2


def test_an_approval_without_reviews_is_refused_calmly(signed_in: SignedIn, plan: RetryPlanRecord) -> None:
    press(signed_in("rita", Role.RELEASE_MANAGER), "ask-approval", plan.retry_plan_id)
    asked = ApprovalPlan.objects.get()
    page = press(signed_in("omar", Role.PLATFORM_OWNER), "decide", asked.approval_plan_id, approval_state="approved")
    assert "accept the retry decision first" in page
    assert not ApprovalDecision.objects.exists()


def test_the_maker_of_a_plan_cannot_approve_it(signed_in: SignedIn, plan: RetryPlanRecord) -> None:
    client = signed_in("rita", Role.PLATFORM_OWNER)
    press(client, "ask-approval", plan.retry_plan_id, without_review="on")
    asked = ApprovalPlan.objects.get()
    page = press(client, "decide", asked.approval_plan_id, approval_state="approved")
    assert "somebody else has to approve it" in page
    assert not ApprovalDecision.objects.exists()


def test_one_entry_is_denied_and_the_rest_approved(signed_in: SignedIn, plan: RetryPlanRecord) -> None:
    press(signed_in("rita", Role.RELEASE_MANAGER), "ask-approval", plan.retry_plan_id, without_review="on")
    asked = ApprovalPlan.objects.get()
    owner = signed_in("omar", Role.PLATFORM_OWNER)
    one = plan.retry_decisions[0]
    fields = {"delivery_id": one.delivery_id, "audit_id": one.audit_id, "provider": one.provider}
    press(owner, "decide", asked.approval_plan_id, approval_state="approved", expires_in_minutes="30")
    press(owner, "decide", asked.approval_plan_id, approval_state="denied", **fields)
    usable = ApprovalDecision.objects.filter(approval_state=ApprovalState.APPROVED, revoked_at__isnull=True)
    assert usable.count() == 1


def test_many_deliveries_want_two_people(signed_in: SignedIn, plan: RetryPlanRecord, settings: LazySettings) -> None:
    settings.CAVRA_SECOND_APPROVER_ABOVE = 1
    press(signed_in("rita", Role.RELEASE_MANAGER), "ask-approval", plan.retry_plan_id, without_review="on")
    asked = ApprovalPlan.objects.get().approval_plan_id
    omar, olga = signed_in("omar", Role.PLATFORM_OWNER), signed_in("olga", Role.PLATFORM_OWNER)
    page = press(omar, "decide", asked, approval_state="approved")
    assert "2 decisions with 1 of 2 approvals" in page
    assert "The first approval is yours" in page
    assert page.count("<td>1 of 2</td>") == 2
    again = press(omar, "decide", asked, approval_state="approved")
    assert "another person gives the second" in again
    page = press(olga, "decide", asked, approval_state="approved")
    assert "2 decisions now approved" in page
    assert page.count("<td>2 of 2</td>") == 2
    assert "omar, olga" in page


def approved(plan: RetryPlanRecord, *, by: Actor) -> None:
    asked, _ = approvals.request_approval(actor=by, retry_plan_id=plan.retry_plan_id, require_retry_ack=False)
    approvals.decide(actor=by, approval_plan_id=asked.approval_plan_id)


def test_a_live_run_wants_a_reason_and_the_number_that_was_shown(signed_in: SignedIn, plan: RetryPlanRecord) -> None:
    approved(plan, by=actor_for(factories.person("omar", Role.PLATFORM_OWNER)))
    client = signed_in("omar", Role.PLATFORM_OWNER)
    address = reverse("console:execute", args=[plan.retry_plan_id])
    shown = client.get(address).content.decode()
    assert "exactly 2 deliveries" in shown
    assert "<strong>2</strong> to siem" in shown
    sent = {"plan_digest": plan.plan_digest, "max_retry_deliveries": 2, "expected": 2, "reason": "Recovered."}
    for wrong in ({"reason": ""}, {"expected": 1}, {"plan_digest": "0" * 64}, {"max_retry_deliveries": 1}):
        assert client.post(address, sent | wrong).status_code == 400
    assert not WorkerRun.objects.exists()
    assert "queued" in press(client, "execute", plan.retry_plan_id, **sent)
    run = WorkerRun.objects.get()
    assert "under way" in client.get(address).content.decode()
    assert client.post(address, sent).status_code == 400
    assert (run.dry_run, run.reason, run.selected_retry_count, run.state) == (False, "Recovered.", 2, RunState.QUEUED)


def test_the_execute_page_is_not_shown_to_whoever_may_not_execute(signed_in: SignedIn, plan: RetryPlanRecord) -> None:
    address = reverse("console:execute", args=[plan.retry_plan_id])
    assert signed_in("rita", Role.RELEASE_MANAGER).get(address).status_code == 403


def test_a_queued_run_is_aborted_with_a_reason(signed_in: SignedIn, plan: RetryPlanRecord) -> None:
    owner = actor_for(factories.person("omar", Role.PLATFORM_OWNER))
    approved(plan, by=owner)
    request = worker.RunRequest(
        dry_run=False, retry_plan_id=plan.retry_plan_id, plan_digest=plan.plan_digest, reason="Recovered."
    )
    run_id = worker.start_run(actor=owner, request=request).run.run_id
    client = signed_in("omar", Role.PLATFORM_OWNER)
    assert "reason" in press(client, "abort", run_id, reason="")
    assert "Aborted" in press(client, "abort", run_id, reason="Wrong plan.")
    assert "nothing left to stop" in press(client, "abort", run_id, reason="Again.")
    assert WorkerRun.objects.get().state == RunState.ABORTED


def test_a_schedule_is_added_changed_and_its_id_taken_once(signed_in: SignedIn, configure: Callable[..., None]) -> None:
    configure(siem=9)
    client = signed_in("olga", Role.PLATFORM_OWNER)
    fields = {
        "schedule_id": "payments",
        "owner": "payments",
        "providers": ["siem"],
        "interval_days": 30,
        "next_due_at": "2030-01-31T09:30",
        "acknowledgement_minutes": 60,
        "enabled": "on",
    }
    assert "Schedule added" in press(client, "new-schedule", **fields)
    assert client.post(reverse("console:new-schedule"), fields).status_code == 400
    assert "Schedule changed" in press(client, "schedule", "payments", **(fields | {"interval_days": 7}))
    stored = DrillSchedule.objects.get()
    assert (stored.interval_days, stored.next_due_at.isoformat()) == (7, "2030-01-31T09:30:00+00:00")


def test_a_schedule_can_only_be_read_by_an_auditor(signed_in: SignedIn) -> None:
    schedule = factories.schedule()
    client = signed_in("ada", Role.AUDITOR)
    address = reverse("console:schedule", args=[schedule.schedule_id])
    assert "Save changes" not in client.get(address).content.decode()
    client.post(address, {"owner": "eve", "interval_days": 1})
    assert DrillSchedule.objects.get().owner == "payments"


def test_a_route_is_acknowledged_without_showing_the_note(signed_in: SignedIn) -> None:
    route = factories.route(factories.schedule())
    client = signed_in("rita", Role.RELEASE_MANAGER)
    page = press(client, "acknowledge", route.route_id, acknowledgement_state="acknowledged", notes="Seen it.")
    assert "acknowledged" in page
    assert "Seen it." not in page
    assert DrillAcknowledgement.objects.get().route == route


def test_any_id_leads_to_its_page(signed_in: SignedIn, plan: RetryPlanRecord) -> None:
    client = signed_in("ada", Role.AUDITOR)
    for wanted in (plan.retry_plan_id, plan.retry_plan_id.rpartition("-")[2], f" {plan.retry_plan_id} "):
        answer = client.get(reverse("console:find"), {"id": wanted})
        assert answer["Location"] == reverse("console:plan", args=[plan.retry_plan_id])
    answer = client.get(reverse("console:find"), {"id": "gordackretry-0"}, follow=True)
    assert "No record has that id" in answer.content.decode()


@pytest.mark.parametrize("name", ["delivery", "plan", "approval-plan", "run", "connector", "schedule", "route"])
@pytest.mark.parametrize("key", ["unknown-0", "a\x00b", "'; --"])
def test_an_unknown_id_is_a_calm_404(signed_in: SignedIn, name: str, key: str) -> None:
    answer = signed_in("ada", Role.AUDITOR).get(reverse(f"console:{name}", args=[key]))
    assert answer.status_code == 404
    assert "Nothing was changed" in answer.content.decode()


def test_the_recurring_dry_run_does_not_move_the_overview_back(signed_in: SignedIn, plan: RetryPlanRecord) -> None:
    client = signed_in("omar", Role.PLATFORM_OWNER)
    approved(plan, by=actor_for(factories.person("olga", Role.PLATFORM_OWNER)))
    press(signed_in("rita", Role.RELEASE_MANAGER), "dry-run", plan.retry_plan_id)
    worker.start_run(actor=SYSTEM, request=worker.RunRequest())
    steps = client.get(reverse("console:overview")).context["steps"]
    assert flow.here(steps) == "Execute"
