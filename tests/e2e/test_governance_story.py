"""The story walked in the browser by two people, from failed deliveries to a closed recovery, light and dark."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page

from rollback_audit.engine import clock, sweep
from rollback_audit.states import Role
from tests.e2e.conftest import ARTIFACTS, Window, Windows
from tests.receivers import RecordingReceiver, Reply

pytestmark = pytest.mark.django_db(transaction=True)
FOLDER = ARTIFACTS / "governance"


class Clock:
    """The engine's clock, which can be moved on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        database_now = clock.now
        self._moved = timedelta()
        monkeypatch.setattr(clock, "now", lambda: database_now() + self._moved)

    def move(self, *, minutes: int) -> None:
        self._moved += timedelta(minutes=minutes)


def picture(page: Page, name: str) -> None:
    """The page as it is, light and dark, on a desk and in a hand; wider than the window it must not be."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 900})
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{name} is {overflow} px too wide at {width}"
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=FOLDER / f"{name}-{scheme}-{width}.png", full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})


def said(window: Window) -> str:
    return window.page.inner_text("main")


def plan_approve_and_order(rita: Window, omar: Window) -> None:
    """Rita plans, reviews and asks; Omar approves and orders it to be sent. Omar's window shows the run."""
    rita.open("/console/")
    rita.press("Plan Audit Retry")
    assert "3 to retry, 0 wait, 0 suppressed" in said(rita)
    plan_page = rita.page.url
    rita.press("Dry run")
    assert "would be sent" in said(rita)
    rita.page.goto(plan_page)
    rita.press("Accept all due")
    rita.press("Ask for approval")
    assert rita.page.get_by_role("button", name="Approve all").is_disabled()
    omar.page.goto(rita.page.url)
    omar.press("Approve all")
    omar.page.goto(plan_page)
    omar.page.get_by_role("link", name="Execute live…").click()
    omar.page.get_by_label("Reason").fill("The receiver has recovered.")
    omar.press("Send 3 now")


def close(omar: Window, word: str) -> None:
    omar.page.get_by_label("Word", exact=True).select_option(word)
    omar.page.get_by_label("Reference").fill("INC-7")
    omar.press("Record the word")


def test_two_people_retry_deliveries_and_close_the_recovery(
    windows: Windows, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Clock(monkeypatch)
    with RecordingReceiver(Reply(status=503)) as receiver:
        configure(siem=receiver.port)
        rita, omar = windows("rita", Role.PLATFORM_OWNER), windows("omar", Role.PLATFORM_OWNER)
        for _ in range(3):
            rita.open("/console/")
            rita.press("Deliver Ack Audit")
        time.move(minutes=16)

        # Held back and let go again, with who and why on the page; the receiver still fails.
        plan_approve_and_order(rita, omar)
        omar.page.locator("#pause_reason").fill("Its owner asked us to wait.")
        omar.press("Pause run")
        assert "Paused by omar" in said(omar)
        sweep.sweep()
        assert len(receiver.arrivals) == 3
        picture(omar.page, "run-paused")
        omar.page.locator("#pause_reason").fill("Its owner says go on.")
        omar.press("Resume run")
        assert "Paused by" not in said(omar)
        sweep.sweep()
        omar.page.reload()
        assert "stopped failure rate" in said(omar)
        assert len(receiver.arrivals) == 4
        picture(omar.page, "run-stopped")

        # A recovery is opened; nobody can call it resolved yet.
        rita.open("/console/recoveries/")
        rita.press("Recovery playbook")
        recovery_page = rita.page.url
        omar.page.goto(recovery_page)
        close(omar, "resolved")
        assert "confirmed" in omar.page.inner_text(".messages .error")
        picture(omar.page, "recovery-open")

        # What management sees meanwhile.
        rita.open("/console/plan-escalation/")
        assert rita.page.get_by_role("heading", level=1).count() == 1
        picture(rita.page, "plan-escalation")
        rita.open("/console/executive-report/")
        assert "siem" in said(rita)
        picture(rita.page, "executive-report")

        # The receiver is back: another plan, another approval, delivered once.
        receiver.reply = Reply(status=200)
        time.move(minutes=31)
        plan_approve_and_order(rita, omar)
        sweep.sweep()
        omar.page.reload()
        assert "3\ndelivered" in omar.page.inner_text(".receipt").replace(" ", "")
        assert "Expected by the dry run".lower() in said(omar).lower()
        picture(omar.page, "run-delivered")
        assert len(receiver.arrivals) == 7

        omar.page.goto(recovery_page)
        close(omar, "resolved")
        assert omar.page.inner_text("h1 .word") == "closed"
        picture(omar.page, "recovery-closed")
        omar.open("/console/connectors/siem/")
        assert "circuit closed" in said(omar)
        picture(omar.page, "connector")
        omar.open("/console/run-connectors/")
        assert omar.page.locator("table.rows tbody tr").count() == 2
        assert rita.complaints == omar.complaints == []
