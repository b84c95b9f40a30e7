"""Descriptions of answers, drawn from the record dataclasses.

They only describe: an answer is made by `engine.ledger.jsonable`, a tenth of the cost of a serializer. That is also why
djangorestframework-dataclasses is not used: it would run every answer through serializer fields to the same end.
"""

from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from rest_framework import serializers

_PLAIN: dict[type, type[serializers.Field[Any, Any, Any, Any]]] = {
    bool: serializers.BooleanField,
    datetime: serializers.DateTimeField,
    float: serializers.FloatField,
    int: serializers.IntegerField,
    str: serializers.CharField,
}


@cache
def shows(record: type) -> type[serializers.Serializer[Any]]:
    """The serializer that describes a record. Its component in the description is named like the record."""
    hints = get_type_hints(record)
    declared: dict[str, Any] = {item.name: _field(hints[item.name]) for item in fields(record)}
    name = record.__name__.removesuffix("Record")
    return type(f"{name}Serializer", (serializers.Serializer,), {**declared, "__doc__": record.__doc__})


def _field(hint: Any, *, nullable: bool = False) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    extra: dict[str, Any] = {"allow_null": True} if nullable else {}
    if origin in {Union, UnionType}:
        (only,) = [part for part in inner if part is not type(None)]
        return _field(only, nullable=True)
    if origin is list:
        return _list(inner[0], extra)
    if origin is dict:
        child = _field(inner[1]) if inner[1] in _PLAIN else serializers.JSONField()
        return serializers.DictField(child=child, **extra)
    if is_dataclass(hint):
        return shows(hint)(**extra)  # type: ignore[arg-type]
    if issubclass(hint, StrEnum):
        return serializers.ChoiceField(choices=[(word.value, word.name) for word in hint], **extra)
    return _PLAIN[hint](**extra)


def _list(hint: Any, extra: dict[str, Any]) -> Any:
    if is_dataclass(hint):
        return shows(hint)(many=True, **extra)  # type: ignore[arg-type]
    return serializers.ListField(child=_field(hint), **extra)
