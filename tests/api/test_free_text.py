"""Every text that a body may hold is looked at: a credential in it is refused, by field and rule."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework import serializers
from rest_framework.test import APIClient

from rollback_audit.api import urls
from rollback_audit.api.serializers.body import Body
from rollback_audit.api.serializers.fields import Moment, Text
from rollback_audit.models import EvidenceEntry
from tests import credentials
from tests.api.doors import WRITES, A, Door, World

# Types that hold nothing anybody could write freely: words of ours, numbers, moments, switches.
_NO_TEXT = (
    serializers.BooleanField,
    serializers.ChoiceField,
    serializers.DateTimeField,
    serializers.FloatField,
    serializers.IntegerField,
    Moment,
)


def bodies() -> Iterator[type[Body]]:
    """Every body of a route: importing the routes imports them all."""
    assert urls.urlpatterns
    waiting = [Body]
    while waiting:
        body = waiting.pop()
        waiting += body.__subclasses__()
        yield body


def texts(field: Any) -> Iterator[Any]:
    """The fields of a body that take text, however deep."""
    if isinstance(field, serializers.BaseSerializer | serializers.ListField):
        inner = field.child if hasattr(field, "child") else None
        for part in [inner] if inner is not None else field.fields.values():
            yield from texts(part)
    elif not isinstance(field, _NO_TEXT):
        yield field


@pytest.mark.parametrize("body", list(bodies()), ids=lambda body: body.__name__)
def test_every_text_of_a_body_is_read_by_the_field_that_refuses_credentials(body: type[Body]) -> None:
    for field in texts(body()):
        assert isinstance(field, Text), field.field_name


def test_the_field_names_the_rule_and_not_what_it_saw() -> None:
    draw = random.Random(random.getrandbits(64))
    for kind, make in {**credentials.TOKENS, **credentials.PHRASES}.items():
        secret = make(draw)
        with pytest.raises(serializers.ValidationError) as refused:
            Text(max_length=4000, lines=True).run_validation(secret)
        said = str(refused.value.detail)
        assert "looks like a credential (rule " in said, kind
        assert secret not in said


def _leaves(body: type[Body]) -> list[str]:
    return [name for name, field in body().fields.items() if isinstance(field, Text)]


@pytest.mark.django_db
@pytest.mark.parametrize("door", [door for door in WRITES if door.method == "POST"], ids=str)
def test_a_credential_in_any_text_of_a_request_is_refused_by_name(door: Door, world: World, owner: APIClient) -> None:
    secret = credentials.TOKENS["github token"](random.Random(random.getrandbits(64)))
    names = {name for body in bodies() for name in _leaves(body)}
    before = EvidenceEntry.objects.count()
    struck = set()
    for name in sorted(names):
        sent = json.dumps(door.body(world) | {name: secret})
        answer = owner.generic("POST", door.at(world), sent, content_type="application/json")
        said = answer.content.decode()
        assert answer.status_code == 400, said
        assert secret not in said
        refused = answer.json()["errors"][name]
        assert "(rule service_token)" in str(refused) or refused == ["Unknown field."], said
        if refused != ["Unknown field."]:
            struck.add(name)
    assert EvidenceEntry.objects.count() == before
    # Testing a connector takes no text.
    assert bool(struck) is (door.address != f"{A}/connectors/{{name}}/test")
