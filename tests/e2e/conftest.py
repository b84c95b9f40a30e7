"""A real browser on a real server."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.conf import LazySettings
from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from pytest_django.live_server_helper import LiveServer

from rollback_audit.engine import connectors
from rollback_audit.states import Role
from tests import factories
from tests.e2e.chromium import CHROMIUM

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ARTIFACTS = Path(__file__).parents[2] / "artifacts"

# Playwright's own loop runs in this thread, beside it the database is asked as usual.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/" in str(item.path):
            item.add_marker(pytest.mark.e2e)
            if not CHROMIUM.exists():
                item.add_marker(pytest.mark.skip(reason="Chromium is not installed"))


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
    yield browser
    browser.close()


@pytest.fixture
def configure(tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes the connector file, one webhook for each name given with its port, and makes the rows agree."""
    path = tmp_path / "connectors.json"
    monkeypatch.setenv("TEST_WEBHOOK_SECRET", factories.WEBHOOK_SECRET)
    monkeypatch.setattr(connectors, "_known", connectors._Known())
    settings.CAVRA_CONNECTOR_CONFIG = path

    def write(**ports: int) -> None:
        factories.write_connectors(path, ports)
        connectors.sync()

    return write


@pytest.fixture
def ledger_files(tmp_path: Path, settings: LazySettings) -> None:
    """A key to sign the ledger with."""
    factories.ledger_files(settings, tmp_path)


@dataclass
class Window:
    """One person's browser window, and everything the browser complained about in it."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    def sign_in(self, name: str) -> None:
        self.open("/console/login/")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(factories.PASSWORD)
        self.press("Sign in")

    def press(self, button: str) -> None:
        """Press a button and wait for the page it leads to: a click alone returns before that page is there."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=button, exact=True).click()


Windows = Callable[..., Window]


@pytest.fixture
def windows(browser: Browser, live_server: LiveServer) -> Iterator[Windows]:
    """Opens a window of its own for each person. A test ends with no complaint of any browser."""
    opened: list[Window] = []

    def open_window(
        name: str = "", role: Role | None = None, *, scheme: str = "light", width: int = 1280, scripts: bool = True
    ) -> Window:
        context = browser.new_context(
            color_scheme=scheme,  # type: ignore[arg-type]
            viewport={"width": width, "height": 900},
            java_script_enabled=scripts,
        )
        window = Window(context.new_page(), live_server.url)
        window.page.on("console", lambda said: window.complaints.append(said.text) if said.type == "error" else None)
        window.page.on("pageerror", lambda error: window.complaints.append(str(error)))
        opened.append(window)
        if name:
            factories.person(name, role)
            window.sign_in(name)
        return window

    yield open_window
    for window in opened:
        window.page.context.close()
