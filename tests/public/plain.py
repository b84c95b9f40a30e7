"""What may be shown: frozen records, forms and plain words. And what a template asks its context for."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from enum import Enum

from django import forms
from django.forms.boundfield import BoundField
from django.forms.utils import ErrorDict, ErrorList
from django.template.base import NodeList, Variable
from django.utils.functional import Promise

PLAIN = (type(None), bool, int, float, str, datetime, date, timedelta, Enum, Promise)
# Whose records may be shown; `planning` has none of its own that is.
PUBLIC_MODULES = (
    "rollback_audit.records",
    "rollback_audit.api.answers",
    "rollback_audit.console",
    "rollback_audit.admin",
)
ACTOR = "rollback_audit.engine.actors"
_TEMPLATE_MODULES = ("django.template", "django.templatetags", "django.contrib.staticfiles.templatetags")
_BACKGROUND = {"Engine", "Library", "Origin", "Parser", "Template", "Token"}


def impurities(value: object, path: str) -> Iterator[str]:
    """Where something hides in the value that is none of the above."""
    if isinstance(value, PLAIN) or _is_form(value):
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from impurities(inner, f"{path}.{key}")
    elif isinstance(value, list | tuple | set | frozenset) or type(value).__name__ in {"dict_items", "dict_values"}:
        for inner in value:  # type: ignore[attr-defined]
            yield from impurities(inner, f"{path}[]")
    elif is_record(type(value)):
        for item in fields(value):  # type: ignore[arg-type]
            yield from impurities(getattr(value, item.name), f"{path}.{item.name}")
    else:
        yield f"{path} is a {type(value).__module__}.{type(value).__qualname__}"


def is_record(kind: type) -> bool:
    """Whether it is a frozen dataclass of a module whose records may be shown."""
    if not is_dataclass(kind) or not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return False
    return kind.__module__ == ACTOR or kind.__module__.startswith(PUBLIC_MODULES)


def _is_form(value: object) -> bool:
    is_ours = isinstance(value, forms.Form) and not isinstance(value, forms.BaseModelForm)
    return is_ours or isinstance(value, BoundField | ErrorDict | ErrorList | forms.Field)


def asked_for(node: object, seen: dict[int, object] | None = None) -> Iterator[tuple[str, ...]]:
    """Every variable that a parsed template names, as its dotted steps."""
    seen = {} if seen is None else seen
    if id(node) in seen or isinstance(node, str | int | float | None):
        return
    # Kept as well as counted: the id of what is gone is given again.
    seen[id(node)] = node
    if isinstance(node, Variable):
        if node.lookups:
            yield tuple(map(str, node.lookups))
    elif isinstance(node, Mapping):
        yield from (found for inner in node.values() for found in asked_for(inner, seen))
    elif isinstance(node, list | tuple | NodeList):
        yield from (found for inner in node for found in asked_for(inner, seen))
    elif type(node).__module__.startswith(_TEMPLATE_MODULES) and type(node).__name__ not in _BACKGROUND:
        yield from asked_for(list(vars(node).values()) if hasattr(node, "__dict__") else _slots(node), seen)


def _slots(node: object) -> list[object]:
    names = (name for kind in type(node).__mro__ for name in getattr(kind, "__slots__", ()))
    return [getattr(node, name, None) for name in names]
