"""Legal holds in the console, and what pages say of what was pruned."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.urls import reverse

from rollback_audit.engine import checkpoints, deliveries, plans, retention, signing_keys, worker
from rollback_audit.engine.actors import actor_named
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.engine.worker import RunRequest
from rollback_audit.models import LegalHold, PrunedEntry
from rollback_audit.planning.facts import RetryPolicy
from rollback_audit.states import HoldScope, Role
from tests import factories
from tests.console.conftest import SignedIn
from tests.engine.conftest import later  # noqa: F401
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db

LIST = "/console/holds/"
PLACE = "/console/holds/place/"


def test_a_hold_is_placed_and_released_with_reasons(signed_in: SignedIn) -> None:
    client = signed_in("olga", Role.PLATFORM_OWNER)
    evidence = factories.package()
    assert "Nothing is held." in client.get(LIST).content.decode()
    form = {"scope": "audit", "subject_id": evidence.audit_id, "reason": "Case 4711."}
    placed = client.post(PLACE, form, follow=True).content.decode()
    assert "Held from now on." in placed
    assert "Case 4711." in placed
    hold = LegalHold.objects.get()
    assert (hold.scope, hold.subject_id, hold.placed_by) == (HoldScope.AUDIT, evidence.audit_id, "olga")
    assert reverse("console:hold", args=[hold.hold_id]) in client.get(LIST).content.decode()
    assert reverse("admin:rollback_audit_evidencepackage_record", args=[evidence.audit_id]) in placed
    for wanted in (hold.hold_id, hold.hold_id.rpartition("-")[2]):
        answer = client.get(reverse("console:find"), {"id": wanted})
        assert answer["Location"] == reverse("console:hold", args=[hold.hold_id])
    release = reverse("console:release-hold", args=[hold.hold_id])
    assert "reason" in client.post(release, {}, follow=True).content.decode()
    released = client.post(release, {"reason": "The case is closed."}, follow=True).content.decode()
    assert "Released. What it covered may be pruned again" in released
    assert "Release this hold" not in released
    again = client.post(release, {"reason": "Once more."}, follow=True).content.decode()
    assert "This hold was released already." in again


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"subject_id": "gordackaudit-0"}, "No audit has this id."),
        ({"scope": "everything"}, "A hold on everything names nothing."),
        ({"reason": ""}, "required"),
        ({"reason": "password: hunter2hunter2"}, "looks like a credential"),
    ],
)
def test_what_cannot_be_held_is_refused_calmly(signed_in: SignedIn, change: dict[str, str], said: str) -> None:
    client = signed_in("olga", Role.PLATFORM_OWNER)
    form = {"scope": "audit", "subject_id": factories.package().audit_id, "reason": "Case 4711."}
    answer = client.post(PLACE, form | change)
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert not LegalHold.objects.exists()


def test_an_auditor_reads_holds_and_presses_nothing(signed_in: SignedIn) -> None:
    signed_in("olga", Role.PLATFORM_OWNER).post(PLACE, {"scope": "everything", "reason": "Case 4711."})
    hold = LegalHold.objects.get()
    client = signed_in("ada", Role.AUDITOR)
    assert "Place legal hold" not in client.get(LIST).content.decode()
    page = client.get(reverse("console:hold", args=[hold.hold_id])).content.decode()
    assert "Case 4711." in page
    assert '<form method="post" action="/console/holds' not in page
    assert client.get(PLACE).status_code == 403
    client.post(reverse("console:release-hold", args=[hold.hold_id]), {"reason": "Mine."})
    hold.refresh_from_db()
    assert hold.released_at is None
    assert client.get(reverse("console:hold", args=["gordhold-0"])).status_code == 404


def test_pages_say_what_was_pruned_instead_of_failing(
    signed_in: SignedIn,
    configure: Callable[..., None],
    later: Callable[[timedelta], None],  # noqa: F811
    tmp_path: Path,
    settings: LazySettings,
) -> None:
    settings.CAVRA_LEDGER_KEY_FILE = tmp_path / "ledger_key"
    settings.CAVRA_CHECKPOINT_FILE = tmp_path / "checkpoints.txt"
    signing_keys.ensure(settings.CAVRA_LEDGER_KEY_FILE)
    signed_in("olga", Role.PLATFORM_OWNER)
    owner = actor_named("olga")
    with RecordingReceiver() as receiver:
        configure(webhook=receiver.port)
        sent = deliveries.deliver_audit(actor=owner, filters=AuditFilters())
        receiver.reply = Reply(503)
        deliveries.deliver_audit(actor=owner, filters=AuditFilters())
    policy = RetryPolicy(retry_delay_minutes=0, allow_immediate_retry=True)
    run = worker.start_run(actor=owner, request=RunRequest(policy=policy)).run
    plans.plan_retry(actor=owner)
    checkpoints.sign_everything()
    later(timedelta(days=60))
    found = retention.prune(actor=owner, older_than_days=30, reason="Over.", dry_run=False)
    assert found.rows.decision_count == found.rows.dry_run_result_count == 1
    delivery_id = sent.delivery_plan.delivery_id
    pages = {
        reverse("console:delivery", args=[delivery_id]): "Ledger lines of this delivery were pruned",
        reverse("console:run", args=[run.run_id]): "The results of this dry run were pruned.",
        reverse("console:plan", args=[run.retry_plan.retry_plan_id]): "The decisions of this old plan were pruned",
        reverse("admin:rollback_audit_evidenceentry_record", args=[delivery_id]): "This line was pruned",
    }
    # The session of two months ago went as well.
    client = signed_in("olga", Role.PLATFORM_OWNER)
    # Every page is still there; a line that never was is not.
    for address, words in pages.items():
        answer = client.get(address)
        assert (answer.status_code, words in answer.content.decode()) == (200, True), address
    assert client.get(reverse("admin:rollback_audit_evidenceentry_record", args=["gordledger-0"])).status_code == 404
    gone = PrunedEntry.objects.filter(entry_id__startswith="gordledger-").values_list("entry_id", flat=True)[:1].get()
    for wanted in (gone, gone.removeprefix("gordledger-")):
        answer = client.get(reverse("console:find"), {"id": wanted})
        assert answer["Location"] == reverse("admin:rollback_audit_evidenceentry_record", args=[gone])
