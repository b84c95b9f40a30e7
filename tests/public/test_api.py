"""The API answers with frozen records and nothing else, and describes itself from the same records."""

import ast
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from importlib import import_module
from pkgutil import iter_modules
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from rest_framework import serializers
from rest_framework.test import APIClient

from rollback_audit import records
from rollback_audit.api import answers
from rollback_audit.api.serializers.body import Body
from rollback_audit.api.urls import urlpatterns
from rollback_audit.api.viewsets import base
from rollback_audit.engine.dispatch import PackageDelivery
from rollback_audit.engine.ledger import jsonable
from tests.api.conftest import _nothing_counted_before, client_for, live_run, owner, world  # noqa: F401
from tests.api.doors import DOORS, World
from tests.engine.conftest import configure, later, people, receiver  # noqa: F401
from tests.public.plain import impurities, is_record
from tests.test_house import MODULES, tree

# Where answers leave; whatever they hold was made elsewhere.
MAKE_ANSWERS = {"errors", "pagination", "idempotency", "base", "description"}
PLAIN = {bool, int, float, str, datetime, type(None)}
# A line holds the record that it is about, as it was stored: canonical JSON, made of a record by the ledger.
STORED = {("HistoryRow", "record"), ("DrillDashboardRecord", "latest")}

MODULES_OF_RECORDS = [
    answers,
    *(import_module(f"{records.__name__}.{module.name}") for module in iter_modules(records.__path__)),
]
RECORDS = sorted(
    {
        kind
        for module in MODULES_OF_RECORDS
        for kind in vars(module).values()
        if isinstance(kind, type) and is_dataclass(kind)
    }
    - {PackageDelivery},
    key=lambda kind: kind.__name__,
)


def parts(hint: Any) -> Iterator[Any]:
    """The types that a hint is made of."""
    if get_origin(hint) in {Union, UnionType, list, tuple, dict}:
        for inner in get_args(hint):
            yield from parts(inner)
    elif hint is not Ellipsis:
        yield hint


@pytest.mark.parametrize("record", RECORDS, ids=lambda kind: kind.__name__)
def test_a_record_is_frozen_and_made_of_plain_words_and_records(record: type) -> None:
    assert is_record(record)
    hints = get_type_hints(record)
    for item in fields(record):
        odd = [
            part
            for part in parts(hints[item.name])
            if part not in PLAIN and not (isinstance(part, type) and (issubclass(part, Enum) or is_record(part)))
        ]
        assert not odd or (record.__name__, item.name) in STORED, item.name


def test_no_record_has_a_private_column() -> None:
    private = {
        "notes",
        "second_notes",
        "event",
        "token_digest",
        "config_digest",
        "password",
        "answer",
        "session",
        "maker",
    }
    assert not {item.name for record in RECORDS for item in fields(record)} & private


def _kinds(kind: Any) -> Iterator[Any]:
    for inner in kind.__subclasses__():
        yield inner
        yield from _kinds(inner)


def test_serializers_read_bodies_and_describe_records() -> None:
    assert urlpatterns
    ours = [kind for kind in _kinds(serializers.BaseSerializer) if kind.__module__.startswith("rollback_audit")]
    assert not [kind for kind in ours if issubclass(kind, serializers.ModelSerializer)]
    bodies = {kind for kind in ours if issubclass(kind, Body)}
    described = {kind.__name__ for kind in ours if kind not in bodies and not kind.__name__.startswith("Refusal")}
    assert described <= {f"{record.__name__.removesuffix('Record')}Serializer" for record in RECORDS}


@pytest.mark.parametrize("module", [module for module in MODULES if "api" in module.parts], ids=str)
def test_only_a_few_modules_make_answers(module: Any) -> None:
    called = {
        node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call)
    }
    makes = called & {"Response", "JsonResponse", "HttpResponse", "StreamingHttpResponse", "FileResponse"}
    assert not makes or module.stem in MAKE_ANSWERS


@pytest.mark.django_db
def test_every_answer_is_a_record(world: World, owner: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    found: list[str] = []
    counted = 0

    def judged(value: Any) -> Any:
        nonlocal counted
        counted += 1
        is_page = isinstance(value, list)
        odd = [kind for kind in map(type, value if is_page else [value]) if not is_record(kind) and kind is not dict]
        found.extend(f"{door}: {kind}" for kind in odd)
        # A line of the ledger is read as it was stored.
        found.extend(f"{door}: {it}" for it in impurities(value, "answer"))
        return jsonable(value)

    monkeypatch.setattr(base, "jsonable", judged)
    for door in DOORS:
        owner.generic(door.method, door.at(world), json.dumps(door.body(world)), content_type="application/json")
    assert counted > len(DOORS) / 2
    assert found == []
