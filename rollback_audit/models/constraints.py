"""Constraints that several tables share."""

from enum import StrEnum

from django.db.models import CheckConstraint, Q


def choices(words: type[StrEnum]) -> list[tuple[str, str]]:
    """Django choices for an enumeration of stored words."""
    return [(word.value, word.value.replace("_", " ")) for word in words]


def one_of(field: str, words: type[StrEnum], *, name: str) -> CheckConstraint:
    """The column holds one of the enumeration's words, or NULL where it may."""
    return CheckConstraint(condition=Q(**{f"{field}__in": [word.value for word in words]}), name=name)
