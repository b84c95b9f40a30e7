"""The operator's way by two people in two windows, against a receiver that keeps its own record."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from rollback_audit.engine import clock, schedules, sweep
from rollback_audit.states import Role
from tests.e2e.conftest import ARTIFACTS, Windows
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_failed_delivery_is_delivered_by_two_people(
    windows: Windows, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with RecordingReceiver(Reply(status=503)) as receiver:
        configure(siem=receiver.port)
        rita = windows("rita", Role.PLATFORM_OWNER)

        # Delivered into an outage.
        rita.press("Deliver Ack Audit")
        assert "1 of 1 connectors did not confirm it" in rita.page.inner_text("main")
        delivery_id = rita.page.inner_text("h1")

        # The failure is found with filters that combine.
        rita.open("/console/deliveries/")
        rita.page.get_by_label("State").select_option("failed")
        rita.page.get_by_label("Failure kind").select_option("unavailable")
        rita.page.get_by_label("Connector").select_option("siem")
        rita.press("Filter")
        rows = rita.page.locator("table.rows tbody tr")
        assert rows.count() == 1
        rows.get_by_role("link").first.click()
        assert rita.page.inner_text("h1") == delivery_id

        # Not due yet: planned again a quarter of an hour later.
        rita.press("Plan Audit Retry")
        assert "0 to retry, 1 wait, 0 suppressed" in rita.page.inner_text("main")
        database_now = clock.now
        monkeypatch.setattr(clock, "now", lambda: database_now() + timedelta(minutes=16))
        rita.open("/console/")
        rita.press("Plan Audit Retry")
        assert "1 to retry, 0 wait, 0 suppressed" in rita.page.inner_text("main")
        plan_page = rita.page.url

        # A dry run opens no connection.
        rita.press("Dry run")
        assert "would be sent" in rita.page.inner_text("main")
        assert len(receiver.arrivals) == 1

        # Reviewed, asked for, and one's own approval refused: by the page, and by the engine behind it.
        rita.page.goto(plan_page)
        rita.page.get_by_text("Review", exact=True).last.click()
        rita.press("Record review")
        rita.press("Ask for approval")
        approval_page = rita.page.url
        assert "somebody else has to approve it" in rita.page.inner_text("main")
        assert rita.page.get_by_role("button", name="Approve all").is_disabled()
        rita.page.eval_on_selector("fieldset[disabled]", "fields => fields.disabled = false")
        rita.press("Approve all")
        assert "somebody else has to approve it" in rita.page.inner_text(".messages .error")

        # A second person approves.
        omar = windows("omar", Role.PLATFORM_OWNER)
        omar.page.goto(approval_page)
        omar.page.get_by_label("Reference").first.fill("CHG-1042")
        omar.press("Approve all")
        assert "1 decision now approved" in omar.page.inner_text("main")

        # The receiver recovers; the page states what is sent where and wants a reason.
        receiver.reply = Reply(status=200)
        omar.page.goto(plan_page)
        omar.page.get_by_role("link", name="Execute live…").click()
        stated = omar.page.inner_text("main")
        assert "exactly 1 delivery" in stated
        assert "1 to siem" in stated
        omar.page.get_by_label("Reason").fill("The receiver has recovered.")
        omar.press("Send 1 now")
        assert "queued" in omar.page.inner_text("main")
        sweep.sweep()
        omar.page.reload()
        assert "1\ndelivered" in omar.page.inner_text(".receipt").replace(" ", "")
        omar.page.screenshot(path=ARTIFACTS / "flow-run.png", full_page=True)

        # Everybody's record agrees: one delivery, two tries, one idempotency key.
        omar.open(f"/console/find/?id={delivery_id}")
        omar.page.screenshot(path=ARTIFACTS / "flow-delivery.png", full_page=True)
        assert omar.page.inner_text("h2 .word") == "delivered"
        assert omar.page.locator(".timeline li").count() == 2
        tries = receiver.wait_for(2)
        assert len(tries) == 2
        assert len({arrival.headers["webhook-id"] for arrival in tries}) == 1
        assert tries[0].body == tries[1].body
        assert rita.complaints == omar.complaints == []


def test_buttons_work_without_scripts(windows: Windows, configure: Callable[..., None]) -> None:
    with RecordingReceiver(Reply(status=503)) as receiver:
        configure(siem=receiver.port)
        window = windows("rita", Role.PLATFORM_OWNER, scripts=False)
        window.press("Deliver Ack Audit")
        assert "1 of 1 connectors did not confirm it" in window.page.inner_text("main")
        window.open("/console/")
        window.press("Run Audit Worker")
        assert "Nothing was sent" in window.page.inner_text("main")
        window.press("Sign out")
        assert window.page.inner_text("h1") == "Signed out"


def test_the_keyboard_alone_reaches_the_content_and_the_first_button(windows: Windows) -> None:
    # A healthy worker: else the page begins with a link to what is wrong, and whether it does would hang on test order.
    schedules.install(interval_minutes=30)
    window = windows("rita", Role.PLATFORM_OWNER)
    page = window.open("/console/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Deliver Ack Audit")).to_be_focused()
