"""What every request body has in common: unknown fields are refused by name, aliases are read once."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.fields import empty

# Words, and numbers at their ends: a key of 32 hexadecimal digits is no name.
_FIELD_NAME = re.compile(r"[a-z]{1,20}[0-9]{0,3}(?:_(?:[a-z]{1,20}[0-9]{0,3}|[0-9]{1,3})){0,5}")
_MOST_NAMED = 20
_IDENTITY = frozenset({"actor_claims", "actor_token"})


def refuse_unknown(names: Iterable[Any], *, whole: str) -> dict[str, list[str]]:
    """Errors for names that are no fields. One that does not look like a field's name is not repeated."""
    refused: dict[str, list[str]] = {}
    for name in list(names)[:_MOST_NAMED]:
        if name in _IDENTITY:
            refused[name] = ["Identity comes from the sign-in, never from the body."]
        elif _FIELD_NAME.fullmatch(name):
            refused[name] = ["Unknown field."]
        else:
            refused[whole] = ["It has an unknown field."]
    return refused


class Body(serializers.Serializer[Any]):
    """A request body, or an object inside one. `ALIASES` maps other names of a field to the field."""

    ALIASES: ClassVar[Mapping[str, str]] = {}
    default_error_messages = {"invalid": "Expected an object."}

    def run_validation(self, data: Any = empty) -> Any:
        """The values, checked. Refusals name a field as it was sent, by its alias where that was used."""
        try:
            return super().run_validation(data)
        except ValidationError as problem:
            detail: Any = problem.detail
            if not isinstance(data, Mapping) or not isinstance(detail, dict):
                raise
            names = {name: alias for alias, name in self.ALIASES.items() if alias in data and name not in data}
            raise ValidationError({names.get(str(name), str(name)): why for name, why in detail.items()}) from None

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            self.fail("invalid")
        refused: dict[str, Any] = refuse_unknown(data.keys() - self.known(), whole="non_field_errors")
        named = self._canonical(data, refused)
        try:
            values: dict[str, Any] = super().to_internal_value(named)
        except ValidationError as problem:
            refused |= problem.detail  # type: ignore[arg-type]
        if refused:
            raise ValidationError(refused)
        return {name: self._filled(name, value) for name, value in values.items()}

    @classmethod
    def known(cls) -> set[str]:
        """Every name that may be sent."""
        return {*cls._declared_fields, *cls.ALIASES}

    def _canonical(self, data: Mapping[str, Any], refused: dict[str, Any]) -> dict[str, Any]:
        """The fields under their own names."""
        named: dict[str, Any] = {}
        for name in data.keys() & self.known():
            field = self.ALIASES.get(name, name)
            if field in named and not _same(named[field], data[name]):
                refused[name] = [f"Another name of {field} has another value."]
            named[field] = data[name]
        return named

    def _filled(self, name: str, value: Any) -> Any:
        """A null means what leaving the field out means."""
        default = self.fields[name].default
        return default if value is None and default is not empty else value


def _same(one: Any, other: Any) -> bool:
    # True == 1 in Python, not in JSON.
    return type(one) is type(other) and one == other
