"""Every answer has an id that was made here, and by which the log knows of it."""

import json
import logging
import re

import pytest
from django.db import OperationalError
from django.test import Client, RequestFactory
from django.urls import reverse

from cavra_site.logs import JsonLines
from rollback_audit import correlation
from rollback_audit.api import errors
from rollback_audit.states import Role
from tests import factories

pytestmark = pytest.mark.django_db

API = "/runtime/go-pilot/rollback-drill-notifications"
ID = re.compile(r"[0-9a-f]{32}")


def lines(caplog: pytest.LogCaptureFixture, correlation_id: str) -> list[dict[str, object]]:
    """The lines that a process would have written, of those that carry the id."""
    written = [json.loads(line) for line in caplog.handler.stream.getvalue().splitlines()]
    return [line for line in written if line.get("correlation_id") == correlation_id]


@pytest.fixture(autouse=True)
def _in_our_form(caplog: pytest.LogCaptureFixture) -> None:
    # Formatted while the request lasts, as by the real handler.
    caplog.handler.setFormatter(JsonLines())
    caplog.set_level(logging.INFO)


@pytest.fixture
def client() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(factories.person("ada", Role.AUDITOR))
    return client


def break_down(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*_args: object, **_named: object) -> None:
        raise error

    monkeypatch.setattr("rollback_audit.engine.dashboards.worker_dashboard", broken)
    monkeypatch.setattr("rollback_audit.console.figures.newest_plan", broken)


def test_an_answer_that_succeeds_has_an_id_of_its_own(client: Client) -> None:
    found = {client.get(reverse("console:overview"))["Correlation-Id"] for _ in range(3)}
    assert len(found) == 3
    assert all(ID.fullmatch(one) for one in found)


@pytest.mark.parametrize("header", ["Correlation-Id", "X-Correlation-Id", "X-Request-Id", "Traceparent"])
def test_an_id_from_outside_is_not_believed(client: Client, header: str) -> None:
    sent = "0123456789abcdef0123456789abcdef"
    answer = client.get(f"{API}/none", headers={header: sent})
    assert sent not in answer["Correlation-Id"] + answer.content.decode()


REFUSED = {
    ("GET", "/console/", "evil.example"): 400,
    ("POST", "/console/plan-retry/", "testserver"): 403,
    ("GET", "/console/runs/unknown/", "testserver"): 404,
    ("GET", "/console/ledger/unknown/", "testserver"): 404,
    ("GET", "/nothing/here", "testserver"): 404,
}


@pytest.mark.parametrize("asked", REFUSED, ids=" ".join)
def test_a_page_of_refusal_names_its_line_in_the_log(
    client: Client, caplog: pytest.LogCaptureFixture, asked: tuple[str, str, str]
) -> None:
    method, address, host = asked
    answer = client.generic(method, address, headers={"Host": host})
    assert answer.status_code == REFUSED[asked]
    assert answer["Correlation-Id"] in answer.content.decode()
    line = lines(caplog, answer["Correlation-Id"])[-1]
    assert (line["event"], line["status_code"]) == ("request_refused", answer.status_code)


def test_an_expired_form_names_its_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.person("ada", Role.AUDITOR))
    answer = client.post(reverse("console:plan-retry"))
    assert answer.status_code == 403
    assert answer["Correlation-Id"] in answer.content.decode()
    assert lines(caplog, answer["Correlation-Id"])


@pytest.mark.parametrize("error", [KeyError("hunter2"), OperationalError("hunter2")], ids=["defect", "database"])
def test_a_page_that_fails_names_its_lines_in_the_log(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    break_down(monkeypatch, error)
    answer = client.get(reverse("console:overview"))
    assert answer.status_code == (503 if isinstance(error, OperationalError) else 500)
    assert answer["Correlation-Id"] in answer.content.decode()
    found = lines(caplog, answer["Correlation-Id"])
    assert {"event": "request_failed", "route": "console:overview"}.items() <= found[-1].items()
    assert "hunter2" not in caplog.handler.stream.getvalue() + answer.content.decode()


@pytest.mark.parametrize("error", [KeyError("hunter2"), OperationalError("hunter2")], ids=["defect", "database"])
def test_an_api_error_holds_the_id_of_its_lines(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    break_down(monkeypatch, error)
    answer = client.get(f"{API}/acknowledgements/audit-delivery/worker-dashboard")
    assert answer.status_code in {500, 503}
    assert answer.json()["correlation_id"] == answer["Correlation-Id"]
    found = lines(caplog, answer["Correlation-Id"])
    assert found[0]["error"] == type(error).__name__
    assert found[-1]["event"] == "request_failed"
    assert "hunter2" not in caplog.handler.stream.getvalue() + answer.content.decode()


@pytest.mark.parametrize("address", ["/worker-runs", "/none", "/retry-plans/unknown"])
def test_every_refusal_of_the_api_holds_the_id(address: str) -> None:
    answer = Client().get(f"{API}/acknowledgements/audit-delivery{address}")
    assert answer.json()["correlation_id"] == answer["Correlation-Id"]


@pytest.mark.parametrize("path", ["/runtime/go-pilot/x", "/console/x"])
def test_the_last_resort_holds_the_id_too(rf: RequestFactory, path: str) -> None:
    with correlation.fresh() as correlation_id:
        assert correlation_id in errors.server_error(rf.get(path)).content.decode()
    assert correlation.current() == ""


def test_the_log_says_route_and_method_and_nothing_that_was_sent(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.generic("HUNTER2", f"{API}/hunter2?hunter2=hunter2", headers={"User-Agent": "hunter2", "Cookie": "hunter2"})
    client.get("/console/hunter2/hunter2?hunter2", headers={"Referer": "https://hunter2.example"})
    text = caplog.handler.stream.getvalue()
    assert "hunter2" not in text.lower()
    assert '"method": "other"' in text
