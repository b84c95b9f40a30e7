"""List filters. All are drawn as fields of one form, so that they combine and stay in the address."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from rollback_audit.engine import clock
from rollback_audit.models import Connector

Choices = list[tuple[str, str]]


class Field(SimpleListFilter):
    """One field of the filter form; an empty value filters nothing."""

    kind = "choice"
    column = ""

    def has_output(self) -> bool:
        return True

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> Choices:
        return []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return self.narrow(queryset, value) if value else queryset

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(**{self.column: value})


class Choice(Field):
    """One of a few words; any other is refused."""

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value not in {word for word, _ in self.lookup_choices}:
            raise IncorrectLookupParameters
        return super().narrow(queryset, value)


class Exact(Field):
    """An id, whole."""

    kind = "text"

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return super().narrow(queryset, value.replace("\0", "").strip())


class YesNo(Choice):
    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> Choices:
        return [("yes", "yes"), ("no", "no")]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(**{self.column: value == "yes"})


class ProviderField(Choice):
    title = "connector"
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> Choices:
        return [(name, name) for name in Connector.objects.order_by("name").values_list("name", flat=True)]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(**{self.column: value})


AGES = {
    "1h": ("last hour", 1),
    "24h": ("last 24 hours", 24),
    "7d": ("last 7 days", 7 * 24),
    "30d": ("last 30 days", 720),
}


class AgeField(Choice):
    title = "time"
    parameter_name = "age"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> Choices:
        return [(key, label) for key, (label, _) in AGES.items()]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value not in AGES:
            raise IncorrectLookupParameters
        return queryset.filter(**{f"{self.column}__gte": since(value)})


def since(age: str) -> datetime:
    """The moment from which on an age counts."""
    return clock.now() - timedelta(hours=AGES[age][1])


def _field(base: type[Field], name: str, title: str, column: str, **more: Any) -> type[Field]:
    return type(f"{name}_field", (base,), {"parameter_name": name, "title": title, "column": column, **more})


def choice(name: str, title: str, words: Iterable[StrEnum], *, column: str = "") -> type[Field]:
    """One word of an enumeration. Templates draw the word as people say it."""
    choices = [(word.value, word.value) for word in words]
    return _field(Choice, name, title, column or name, lookups=lambda *_: choices)


def exact(name: str, title: str, *, column: str = "") -> type[Field]:
    return _field(Exact, name, title, column or name)


def yes_no(name: str, title: str, *, column: str = "") -> type[Field]:
    return _field(YesNo, name, title, column or name)


def provider(column: str = "provider") -> type[Field]:
    return _field(ProviderField, "provider", "connector", column)


def age(column: str) -> type[Field]:
    return _field(AgeField, "age", "time", column)


def cases(name: str, title: str, conditions: dict[str, Callable[[], Q]]) -> type[Field]:
    """One of several named conditions."""
    choices = [(key, key) for key in conditions]

    def narrow(self: Choice, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value not in conditions:
            raise IncorrectLookupParameters
        return queryset.filter(conditions[value]())

    return _field(Choice, name, title, name, lookups=lambda *_: choices, narrow=narrow)
