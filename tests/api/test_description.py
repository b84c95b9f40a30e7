"""The OpenAPI description and docs/api.md: valid, complete, and true of what the routes answer."""

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from django.urls import get_resolver
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from rest_framework.test import APIClient

from rollback_audit.api import urls
from rollback_audit.api.description import described
from rollback_audit.states import Permission
from tests.api.doors import DOORS, JSON, POSTS, ROOT, WRITES, A, Door, E, World

PARAMETER = re.compile("<[a-z]+:")
DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    described.cache_clear()
    # As it travels: enumerations and lazy texts turned into plain JSON.
    return json.loads(json.dumps(described(), default=str))  # type: ignore[no-any-return]


def operations(description: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    }


def conform(value: Any, schema: dict[str, Any], description: dict[str, Any]) -> None:
    """Fail unless the value is as the schema says, to the last field."""
    whole = {**schema, "components": _closed(description["components"])}
    Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)


def _closed(components: dict[str, Any]) -> dict[str, Any]:
    """The components with no room for a field that is not described."""
    schemas = {
        name: {"additionalProperties": False, **schema} if "properties" in schema else schema
        for name, schema in components["schemas"].items()
    }
    return components | {"schemas": schemas}


def of(door: Door, description: dict[str, Any]) -> dict[str, Any]:
    return operations(description)[(door.method, door.address)]


DESCRIBED = [door for door in DOORS if not door.address.endswith("openapi.json")]


def test_it_is_valid_openapi_and_drawn_without_a_warning() -> None:
    described.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        validate(json.loads(json.dumps(described(), default=str)))


def test_it_is_drawn_without_a_complaint(capfd: pytest.CaptureFixture[str]) -> None:
    described.cache_clear()
    described()
    assert "Warning" not in capfd.readouterr().err


def test_it_describes_every_address_and_no_other(description: dict[str, Any]) -> None:
    served = {f"{ROOT}/{PARAMETER.sub('{', address).replace('>', '}')}" for address, _, _ in urls._VIEWS}
    served.remove(f"{ROOT}/openapi.json")
    assert set(description["paths"]) == served
    assert {(door.method, door.address) for door in DESCRIBED} == set(operations(description))


def test_every_pattern_is_one_of_those_addresses() -> None:
    patterns = [str(entry.pattern) for entry in get_resolver("rollback_audit.api.urls").url_patterns]
    known = {address for address, _, _ in urls._VIEWS}
    assert set(patterns) == known | {f"{address}/" for address in known} | {""}


@pytest.mark.parametrize("door", DESCRIBED, ids=str)
def test_every_operation_says_what_it_needs_and_refuses(door: Door, description: dict[str, Any]) -> None:
    operation = of(door, description)
    assert operation["summary"]
    assert f"`{door.permission}`" in operation["description"]
    assert operation["security"] == [{"token": []}, {"session": []}]
    assert {"400", "401", "403", "429", "503"} <= operation["responses"].keys()
    if "{" in door.address:
        assert "404" in operation["responses"]
    if door.method == "POST":
        assert {"409", "413", "415", "422"} <= operation["responses"].keys()
        assert "Idempotency-Key" in {parameter["name"] for parameter in operation["parameters"]}


@pytest.mark.parametrize("door", WRITES, ids=str)
def test_every_example_of_a_body_is_as_described(door: Door, description: dict[str, Any]) -> None:
    content = of(door, description)["requestBody"]["content"]["application/json"]
    assert content["examples"]
    for example in content["examples"].values():
        conform(example["value"], content["schema"], description)


def test_the_examples_of_answers_are_as_described(description: dict[str, Any]) -> None:
    found = 0
    for operation in operations(description).values():
        for answer in operation["responses"].values():
            content = answer["content"].get(JSON, {})
            for example in content.get("examples", {}).values():
                conform(example["value"], content["schema"], description)
                found += 1
    assert found == 10


@pytest.mark.django_db
@pytest.mark.parametrize("door", DESCRIBED, ids=str)
def test_every_answer_is_as_described(door: Door, world: World, owner: APIClient, description: dict[str, Any]) -> None:
    body = door.body(world)
    answer = owner.generic(door.method, door.at(world), json.dumps(body), content_type="application/json")
    operation = of(door, description)
    content = operation["responses"][str(answer.status_code)]["content"]
    assert content.keys() == {door.media_type}
    if door.media_type == JSON:
        conform(answer.json(), content[JSON]["schema"], description)
    if door.method != "GET":
        conform(body, operation["requestBody"]["content"]["application/json"]["schema"], description)
        refused = owner.generic(door.method, door.at(world), '{"surprise": 1}', content_type="application/json")
        conform(refused.json(), operation["responses"]["400"]["content"]["application/json"]["schema"], description)


@pytest.mark.django_db
def test_a_live_run_is_answered_as_described(live_run: str, owner: APIClient, description: dict[str, Any]) -> None:
    answer = owner.post(f"{A}/worker-run", {"execute": True, "reason": "A test."})
    assert answer.status_code == 202
    operation = operations(description)[("POST", f"{A}/worker-run")]
    conform(answer.json(), operation["responses"]["202"]["content"]["application/json"]["schema"], description)
    assert {"Prefer", "Idempotency-Key"} <= {parameter["name"] for parameter in operation["parameters"]}
    assert "Location" in operation["responses"]["202"]["headers"]


@pytest.mark.django_db
def test_it_is_served_to_whoever_may_look(owner: APIClient, description: dict[str, Any]) -> None:
    answer = owner.get(f"{ROOT}/openapi.json")
    assert answer.status_code == 200
    assert answer.json() == description


def test_the_documents_table_has_every_route_with_its_permission() -> None:
    rows = set(re.findall(r"^\| (GET|POST|PATCH) \| `([^`]+)` \| `(\w+)` \|", DOCUMENT.read_text(), re.MULTILINE))
    short = {(door.method, _shortened(door.address), door.permission.value) for door in DOORS}
    assert rows == short
    assert {permission for _, _, permission in rows} <= {word.value for word in Permission}


def test_the_document_names_every_filter(description: dict[str, Any]) -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \| ([a-z_, ]+) \|$", DOCUMENT.read_text(), re.MULTILINE))
    pages = {"limit", "cursor", "offset"}
    described_filters = {
        _shortened(path): {item["name"] for item in operation["parameters"] if item["in"] == "query"} - pages
        for (_, path), operation in operations(description).items()
        if "limit" in {item["name"] for item in operation.get("parameters", [])}
    }
    assert {address: set(names.split(", ")) for address, names in rows.items()} == described_filters


def test_every_post_of_the_contract_is_idempotent_in_the_description(description: dict[str, Any]) -> None:
    headers = [
        of(door, description)["responses"][str(door.status)]["headers"]["Idempotency-Replayed"] for door in POSTS
    ]
    assert len(headers) == len(POSTS)


def _shortened(address: str) -> str:
    b = f"{ROOT}/rollback-drill-notifications"
    a = f"{b}/acknowledgements/audit-delivery"
    for word, prefix in (("A", a), ("B", b), ("E", E)):
        if address == prefix or address.startswith(f"{prefix}/"):
            return word + address.removeprefix(prefix)
    return address
