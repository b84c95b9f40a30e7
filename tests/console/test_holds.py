"""Legal holds in the console: who may place and release them, and what the pages say."""

import pytest
from django.urls import reverse

from rollback_audit.models import LegalHold
from rollback_audit.states import HoldScope, Role
from tests import factories
from tests.console.conftest import SignedIn

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
