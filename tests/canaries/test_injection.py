"""What an operator types is text, on every page and in every answer, whatever a browser might make of it."""

import json
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser

import pytest
from django.contrib.auth import get_user_model

from rollback_audit.states import Role
from tests.api.doors import READS, A, B
from tests.canaries import places
from tests.canaries.injections import EVALUATED, FORMULAS, INJECTIONS, MARK, inert_cell
from tests.canaries.scene import Scene

pytestmark = pytest.mark.django_db

_NEVER_RUN = ("application/zip", "text/x-python", "text/plain")
_ADDRESSES = ("href", "src", "action", "formaction", "data")


class Elements(HTMLParser):
    """Whatever of a page is not text and bears the mark."""

    def __init__(self) -> None:
        super().__init__()
        self.marked: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.marked += [tag] if MARK in tag else []
        for name, value in attrs:
            if MARK in name or (name in _ADDRESSES and (value or "").strip().lower().startswith("javascript:")):
                self.marked.append(f"{tag} {name}")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def type_everywhere(scene: Scene) -> None:
    """Each injection into every text that is shown to somebody: by the API, whose fields the console's forms share."""
    world = scene.world
    for number, text in enumerate(INJECTIONS):
        schedule = {
            "schedule_id": f"drill-{number}",
            "owner": text,
            "escalation_owner": text,
            "providers": ["webhook"],
            "interval_days": 30,
            "next_due_at": "2030-01-01T00:00:00+00:00",
        }
        said = {"external_ref": text, "acknowledged_by": text, "notes": text}
        closed = {"provider": "webhook", "closure_state": "deferred", "external_ref": text, "closed_by": text}
        bodies = {
            f"{B}/schedules": schedule,
            f"{B}/deliver": {"schedule_id": f"drill-{number}", "force": True, "generated_by": text},
            f"{B}/drill-{number}/acknowledgements": {"provider": "webhook", **said},
            A: {"schedule_id": f"drill-{number}", "generated_by": text, "cadence": text, "schedule_ref": text},
            f"{A}/retry-plan": {"generated_by": text},
            f"{A}/worker-run": {"generated_by": text, "reason": text, "schedule": {"cadence": text}},
            f"{A}/retry-plans/{world.retry_plan_id}/acknowledgements": {**world.key, **said},
            f"{A}/retry-execution-approval-plan": {"generated_by": text},
            f"{A}/connector-recovery-playbooks/{world.playbook_id}/closures": closed,
            f"{A}/recovery-escalations/{world.escalation_id}/acknowledgements": said,
            f"{A}/recovery-executive-report/schedule-run": {
                "generated_by": text,
                "schedule": {"interval_minutes": number + 1, "cadence": text},
            },
            f"{A}/worker-health-alerts/{world.alert_id}/acknowledgements": said,
            f"{A}/connectors/webhook/release": {"reason": text},
        }
        for address, body in bodies.items():
            answer = scene.api.post(address, body)
            assert answer.status_code < 300, (address, text, answer.content)


def all_pages(scene: Scene) -> Iterator[tuple[str, str]]:
    for path, page in places.pages(scene.browser()):
        if page.headers.get("Content-Type", "").startswith("text/html"):
            yield path, page.content.decode()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_that_is_typed_becomes_part_of_a_page(scene: Scene) -> None:
    type_everywhere(scene)
    shown: set[str] = set()
    for path, page in all_pages(scene):
        elements = Elements()
        elements.feed(page)
        assert not elements.marked, (path, elements.marked)
        assert EVALUATED not in page.replace("{% widthratio 31348", "").replace("%(31348)s", ""), path
        text = "".join(elements.text) + unescape(page)
        shown |= {injection for injection in INJECTIONS if injection in text}
    # The pages did show them: else nothing was tried.
    assert shown == set(INJECTIONS)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_answer_with_what_was_typed_is_nothing_that_a_browser_runs(scene: Scene) -> None:
    type_everywhere(scene)
    assert get_user_model().objects.filter(groups__name=Role.PLATFORM_OWNER).exists()
    for door in READS:
        answer = scene.api.get(door.at(scene.world))
        assert answer["X-Content-Type-Options"] == "nosniff"
        kind = answer["Content-Type"].partition(";")[0]
        if kind == "application/json":
            json.loads(answer.content)
        else:
            assert kind in _NEVER_RUN, door
            assert answer["Content-Disposition"].startswith("attachment"), door


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_cell_with_a_formula_is_told_from_text(formula: str) -> None:
    assert formula.startswith('"') or not inert_cell(formula)
    assert inert_cell(f"'{formula}")
