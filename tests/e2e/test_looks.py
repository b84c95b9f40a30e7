"""Every page, light and dark: no complaint of the browser, nothing that keeps anybody out, a picture to look at."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from django.urls import reverse
from playwright.sync_api import Page

from rollback_audit.engine import (
    approvals,
    checkpoints,
    escalation_words,
    escalations,
    executive_reports,
    holds,
    plans,
    recoveries,
    reviews,
    worker,
)
from rollback_audit.engine.actors import Actor, actor_for
from rollback_audit.engine.recoveries import Closing
from rollback_audit.models import Connector, EvidencePackage
from rollback_audit.planning.escalation import EscalationPolicy
from rollback_audit.records.plans import RetryPlanRecord
from rollback_audit.states import ClosureState, ConnectorStanding, DeliveryState, FailureKind, HoldScope, Role
from tests import factories
from tests.console.test_pages import LISTS
from tests.e2e.conftest import ARTIFACTS, Windows

pytestmark = pytest.mark.django_db(transaction=True)
MODELS = {name: f"admin:rollback_audit_{name}_changelist" for name in LISTS}
# What README.md and docs/console.md show of the full, light console: as one sees it, not the whole length.
PICTURES = frozenset({"overview", "plan", "execute", "delivery"})
FAILURES: tuple[dict[str, object], ...] = (
    {},
    {"kind": FailureKind.RATE_LIMITED, "status_code": 429},
    {"kind": FailureKind.CONNECT_REFUSED, "status_code": None},
    {"kind": FailureKind.GATEWAY_FAILED, "status_code": 502},
)


def fill() -> dict[str, str]:
    """A day at work: addresses of the pages it leaves, by the name of their picture."""
    receivers = list(Connector.objects.order_by("-name"))
    Connector.objects.filter(name="splunk-soc").update(
        hold=ConnectorStanding.CREDENTIAL_REFUSED, held_since=factories.now() - timedelta(hours=3)
    )
    for number in reversed(range(90)):
        to = receivers[number % 7 % len(receivers)]
        at = factories.now() - timedelta(minutes=13 * number + 7)
        if number % 3:
            factories.delivery(to, at=at, state=DeliveryState.DELIVERED)
        elif number % 12 == 3:
            factories.suppressed(to, at=at)
        else:
            factories.failed(to, at=at, **FAILURES[number // 3 % len(FAILURES)])
    route = factories.route(factories.schedule())
    return (
        _govern()
        | _recover()
        | _report()
        | _hold()
        | _sign()
        | {
            "route": reverse("console:route", args=[route.route_id]),
            "schedule": reverse("console:schedule", args=[route.schedule.schedule_id]),
            "connector": reverse("console:connector", args=["splunk-soc"]),
            "health": reverse("console:health"),
            "alert": reverse("console:alert", args=[factories.health_alert().alert_id]),
        }
    )


def _govern() -> dict[str, str]:
    """A live run under way, and a newer plan that is reviewed, approved and waits to be executed."""
    maker, other = _actor("rita", Role.RELEASE_MANAGER), _actor("paul", Role.PLATFORM_OWNER)
    live_run_id = _live_run(maker, other)
    plan, _ = plans.plan_retry(actor=maker)
    dry = worker.start_run(actor=maker, request=_run_of(plan))
    due = [item for item in plan.retry_decisions if item.action == "retry"]
    for item in due[:12]:
        key = reviews.DecisionKey(item.delivery_id, item.audit_id, item.provider)
        reviews.acknowledge_retry(actor=maker, retry_plan_id=plan.retry_plan_id, key=key)
    asked, _ = approvals.request_approval(actor=maker, retry_plan_id=plan.retry_plan_id)
    approvals.decide(actor=other, approval_plan_id=asked.approval_plan_id)
    return {
        "plan": reverse("console:plan", args=[plan.retry_plan_id]),
        "execute": reverse("console:execute", args=[plan.retry_plan_id]),
        "approval-plan": reverse("console:approval-plan", args=[asked.approval_plan_id]),
        "dry-run": reverse("console:run", args=[dry.run.run_id]),
        "live-run": reverse("console:run", args=[live_run_id]),
        "delivery": reverse("console:delivery", args=[due[0].delivery_id]),
        "package": reverse("admin:rollback_audit_evidencepackage_record", args=[due[0].audit_id]),
        "ledger-line": reverse("admin:rollback_audit_evidenceentry_record", args=[dry.run.run_id]),
    }


def _recover() -> dict[str, str]:
    """Two recoveries, one of them closed."""
    owner = _actor("paul", Role.PLATFORM_OWNER)
    playbook, _ = recoveries.make_playbook(actor=owner)
    still_open, closed = playbook.provider_playbooks[:2]
    for entry, word in ((still_open, ClosureState.ESCALATED), (closed, ClosureState.MITIGATED)):
        closing = Closing(closure_state=word, external_ref="INC-4711")
        recoveries.close(actor=owner, playbook_id=playbook.playbook_id, provider=entry.provider, closing=closing)
    return {
        "recovery": reverse("console:recovery", args=[still_open.recovery_id]),
        "recovery-closed": reverse("console:recovery", args=[closed.recovery_id]),
    }


def _report() -> dict[str, str]:
    """What is open, escalated and answered, and a stored report that warns of it."""
    analyst = _actor("sam", Role.SOC_ANALYST)
    escalation, _ = escalations.plan_escalation(actor=analyst, policy=EscalationPolicy(recovery_slo_minutes=60))
    escalation_words.acknowledge_escalation(actor=analyst, plan_id=escalation.plan_id, external_ref="INC-4711")
    stored = executive_reports.store_report(actor=analyst)
    return {
        "escalation": reverse("console:escalation", args=[escalation.plan_id]),
        "report": reverse("console:report", args=[stored.run.run_id]),
    }


def _hold() -> dict[str, str]:
    """One hold in force, and one that was released."""
    owner = _actor("paul", Role.PLATFORM_OWNER)
    audit_id = EvidencePackage.objects.latest("pk").audit_id
    held, _ = holds.place(
        actor=owner, scope=HoldScope.AUDIT, subject_id=audit_id, reason="Case 4711, until the verdict."
    )
    over, _ = holds.place(actor=owner, scope=HoldScope.EVERYTHING, reason="Restored the backup of 31 January.")
    holds.release(actor=owner, hold_id=over.hold_id, reason="The restore was looked at.")
    return {
        "hold": reverse("console:hold", args=[held.hold_id]),
        "hold-released": reverse("console:hold", args=[over.hold_id]),
    }


def _sign() -> dict[str, str]:
    """All of it signed, but for a line that waits."""
    newest = checkpoints.sign_everything()
    recoveries.make_playbook(actor=_actor("paul", Role.PLATFORM_OWNER))
    return {"checkpoint": reverse("console:checkpoint", args=[newest.tree_size])}


def _live_run(maker: Actor, other: Actor) -> str:
    plan, _ = plans.plan_retry(actor=maker, provider="webhook-tickets")
    asked, _ = approvals.request_approval(actor=maker, retry_plan_id=plan.retry_plan_id, require_retry_ack=False)
    approvals.decide(actor=other, approval_plan_id=asked.approval_plan_id)
    request = replace(_run_of(plan), dry_run=False, reason="The receiver has recovered.")
    return worker.start_run(actor=other, request=request).run.run_id


def _run_of(plan: RetryPlanRecord) -> worker.RunRequest:
    return worker.RunRequest(retry_plan_id=plan.retry_plan_id, plan_digest=plan.plan_digest, max_retry_deliveries=20)


def _actor(name: str, role: Role) -> Actor:
    return actor_for(factories.person(name, role))


FIXED = {
    "overview": reverse("console:overview"),
    "deliver": reverse("console:deliver-audit"),
    "plan-form": reverse("console:plan-retry"),
    "what-if": reverse("console:what-if", query={"retry_delay_minutes": 5, "max_retry_attempts": 6}),
    "run-form": reverse("console:run-worker"),
    "new-schedule": reverse("console:new-schedule"),
    "escalation-form": reverse("console:plan-escalation"),
    "executive-report": reverse("console:executive-report"),
    "place-hold": reverse("console:place-hold"),
    "password": reverse("admin:password_change"),
    "missing": reverse("console:plan", args=["gordackretry-0"]),
    **{f"list-{name}": reverse(address) for name, address in MODELS.items()},
}


@pytest.mark.parametrize(
    ("state", "scheme", "width"),
    [
        ("empty", "light", 1280),
        ("empty", "dark", 360),
        ("full", "light", 360),
        ("full", "light", 1280),
        ("full", "dark", 1280),
        ("full", "dark", 1920),
    ],
)
@pytest.mark.usefixtures("ledger_files")
@pytest.mark.timeout(300)
def test_every_page_is_fit_to_be_seen(
    windows: Windows, configure: Callable[..., None], state: str, scheme: str, width: int
) -> None:
    window = windows("olga", Role.PLATFORM_OWNER, scheme=scheme, width=width)
    if state == "full":
        configure(**dict.fromkeys(["webhook-tickets", "webhook-audit", "splunk-soc", "splunk-archive"], 9))
    pages = FIXED | (fill() if state == "full" else {})
    folder = ARTIFACTS / f"{state}-{scheme}-{width}"
    folder.mkdir(parents=True, exist_ok=True)
    wrong: list[str] = []
    for name, address in pages.items():
        page = window.open(address)
        page.screenshot(path=folder / f"{name}.png", full_page=True)
        if name in PICTURES:
            page.screenshot(path=folder / f"{name}-picture.png")
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        wrong += [f"{name}: {overflow} px wider than the window"] if overflow > 0 else []
        if width != 1920:
            wrong += [f"{name}: {found['id']} {found['nodes'][0]['html'][:200]}" for found in _faults(page)]
        wrong += [f"{name}: {said}" for said in window.complaints if "404" not in said]
        window.complaints.clear()
    assert wrong == []


def _faults(page: Page) -> list[dict[str, Any]]:
    return list(Axe().run(page).response["violations"])
