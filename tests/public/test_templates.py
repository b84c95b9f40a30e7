"""Templates are made from frozen records, forms and plain words: shown on every page, for every template there is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest
from django.template import engines, loader
from django.test import Client, RequestFactory
from django.test.signals import template_rendered
from django.urls import reverse
from django.views import defaults

from rollback_audit.admin.site import LISTS
from rollback_audit.console.urls import urlpatterns
from rollback_audit.engine import approvals, clock, plans, worker
from rollback_audit.engine.worker import RunRequest
from rollback_audit.models import DrillRoute, EvidenceEntry, EvidencePackage
from rollback_audit.states import Role
from tests import factories
from tests.api.conftest import world  # noqa: F401
from tests.api.doors import World
from tests.engine.conftest import People, configure, later, people, receiver  # noqa: F401
from tests.public.plain import asked_for, impurities

FOLDER = settings.BASE_DIR / "templates"
TEMPLATES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.html"))
# In every context, because Django wants them there; no template may name them.
KEPT_OUT = {"request", "user", "perms", "site", "opts", "cl", "settings", "sql_queries", "debug", "exception"}
PRIVATE = {"notes", "second_notes", "event", "session", "user", "password", "META", "headers", "objects", "pk", "id"}
# Django's own: a loop's counters, a block's parent, the messages of a redirect.
FRAMEWORK = {"forloop", "block", "messages", "message"}


def names_in(template: str) -> set[tuple[str, ...]]:
    return set(asked_for(loader.get_template(template).template.nodelist))  # type: ignore[attr-defined]


def test_the_reader_of_templates_sees_every_way_to_name_something() -> None:
    text = (
        "{% load console %}{{ a.b }}{{ x|default:c }}{% if d and not e.f > g %}{% elif h %}{% endif %}"
        "{% for i in j.k reversed %}{% empty %}{{ l }}{% endfor %}{% with m=n %}{% endwith %}{% url 'o' p q=r %}"
        "{% include s with t=u %}{% list_address 'v' w=y %}{% block z %}{{ inner }}{% endblock %}"
    )
    parsed = engines["django"].from_string(text).template.nodelist  # type: ignore[attr-defined]
    found = {name[0] for name in asked_for(parsed)}
    assert found == {*"axcdeghjlnprsuy", "inner"}


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_template_names_the_request_or_a_private_column(template: str) -> None:
    named = names_in(template)
    assert not KEPT_OUT & {name[0] for name in named}
    steps = {step for root, *rest in named if root != "form" for step in rest}
    assert not PRIVATE & steps


def _ids(world: World) -> dict[str, str]:  # noqa: F811
    return {
        **{name: str(getattr(world, name)) for name in World.__slots__ if name != "receiver"},
        "plan_id": world.escalation_id,
        "route_id": DrillRoute.objects.first().route_id,  # type: ignore[union-attr]
    }


def addresses(world: World) -> Iterator[str]:  # noqa: F811
    """Every page of the console, by its own address, and every list with its records."""
    ids = _ids(world)
    for pattern in urlpatterns:
        wanted = list(pattern.pattern.converters)
        named = {name: ids[name] for name in wanted}
        if pattern.name == "report":
            named = {"run_id": world.report_id}
        yield reverse(f"console:{pattern.name}", kwargs=named)
    for model in LISTS:
        yield reverse(f"admin:rollback_audit_{model.__name__.lower()}_changelist")
    for package in EvidencePackage.objects.all():
        yield reverse("admin:rollback_audit_evidencepackage_record", args=[package.audit_id])
    yield reverse("admin:rollback_audit_evidenceentry_record", args=[EvidenceEntry.objects.latest("id").entry_id])
    yield reverse("admin:password_change")
    yield reverse("admin:password_change_done")
    yield "/console/what-if/?max_retry_attempts=5&retry_delay_minutes=5&backoff_multiplier=2&lookback_days=30"
    yield "/console/deliveries/?nonsense=1"
    yield "/nothing/here"


@contextmanager
def watched(found: list[str], rendered: set[str]) -> Iterator[None]:
    """Judges what each template is given under the names that it asks for."""
    asked: dict[str, set[str]] = {name: {steps[0] for steps in names_in(name)} for name in TEMPLATES}

    def judge(template: Any, context: Any, **_: object) -> None:
        rendered.add(template.name)
        given = context.flatten()
        for name in asked.get(template.name, set()) - FRAMEWORK:
            found.extend(f"{template.name}: {it}" for it in impurities(given.get(name), name))

    template_rendered.connect(judge)
    try:
        yield
    finally:
        template_rendered.disconnect(judge)


@pytest.fixture
def more(world: World, people: People) -> list[str]:  # noqa: F811
    """Pages of what the world has not: an unreviewed plan, a run that left something out, one that waits."""
    manager, owner = people("release_manager", Role.RELEASE_MANAGER), people("platform_owner", Role.PLATFORM_OWNER)
    plan, _ = plans.plan_retry(actor=manager)
    live = RunRequest(dry_run=False, reason="A test.", retry_plan_id=world.retry_plan_id, plan_digest=world.plan_digest)
    left_out = worker.start_run(actor=owner, request=live).run.run_id
    approvals.decide(actor=owner, approval_plan_id=world.approval_plan_id)
    queued = worker.start_run(actor=owner, request=live).run.run_id
    runs = [reverse("console:run", args=[run_id]) for run_id in (left_out, queued)]
    return [reverse("console:plan", args=[plan.retry_plan_id]), *runs]


@pytest.mark.django_db
def test_the_judge_knows_what_is_no_record(rf: RequestFactory) -> None:
    row = factories.package()
    for value in (row, [row], {"a": (row,)}, type(row).objects.all(), type(row).objects, rf.get("/"), object(), int):
        assert list(impurities(value, "value"))


@pytest.mark.django_db
def test_every_template_is_given_records_forms_and_words(
    world: World,  # noqa: F811
    more: list[str],
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[str] = []
    rendered: set[str] = set()
    client.raise_request_exception = False
    with watched(found, rendered):
        assert client.get(reverse("admin:login")).status_code == 200
        for role in (Role.PLATFORM_OWNER, Role.AUDITOR):
            client.force_login(factories.person(f"one-{role}", role))
            for address in [*addresses(world), *more]:
                assert client.get(address).status_code in {200, 302, 303, 400, 403, 404, 405}, address
        _go_wrong(client, monkeypatch)
        assert client.post(reverse("admin:logout")).status_code == 200
    assert found == []
    assert {name for name in rendered if not name.startswith("django/")} >= set(TEMPLATES)


def _go_wrong(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages that only a failure shows."""
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert strict.post(reverse("console:plan-retry")).status_code == 403
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
    defaults.permission_denied(HttpRequest(), PermissionError())
    for error, status in ((OperationalError(), 503), (KeyError(), 500)):

        def broken(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(clock, "now", broken)
            assert client.get(reverse("console:overview")).status_code == status
