"""Fields that take JSON types as they are. REST framework's own turn "5" into 5, "false" into False and 7 into "7".

Their messages say what was expected and never repeat what came.
"""

import math
import re
import unicodedata
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from rest_framework import serializers

from rollback_audit.redaction import MOST_CHECKED, REFUSAL, credential_rule

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([Zz]|[+-]\d\d:\d\d)")
# Far enough from the ends of the calendar for every delay and zone the engine may add.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_LINE_BREAKS = frozenset("\n\r\t")


def has_forbidden(text: str, *, allowed: frozenset[str] = frozenset()) -> bool:
    """Whether a text has control characters (NUL, escapes) or lone surrogates, which no store or page can hold."""
    return any(unicodedata.category(sign) in {"Cc", "Cs"} and sign not in allowed for sign in text)


class Text(serializers.CharField):
    """A string of one line; with `lines`, of several. Kept as sent, spaces included."""

    default_error_messages = {
        "invalid": "Expected a string.",
        "characters": "Control characters and lone surrogates are refused.",
        "credential": REFUSAL,
    }

    def __init__(self, *, max_length: int, lines: bool = False, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, trim_whitespace=False, **kwargs)
        self._allowed = _LINE_BREAKS if lines else frozenset()

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if has_forbidden(data, allowed=self._allowed):
            self.fail("characters")
        rule = credential_rule(data[:MOST_CHECKED])
        if rule is not None:
            self.fail("credential", rule=rule)
        return data


def optional(max_length: int, *, lines: bool = False, help_text: str = "") -> Text:
    """A text that may be left out, empty or null, all of which mean the same."""
    return Text(max_length=max_length, lines=lines, default="", allow_blank=True, allow_null=True, help_text=help_text)


class Whole(serializers.IntegerField):
    """An integer: not "5", not 5.0, not true."""

    default_error_messages = {"invalid": "Expected an integer."}

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


class Number(serializers.FloatField):
    """A finite number: not "5", not true, not 1e999."""

    default_error_messages = {"invalid": "Expected a finite number."}

    def to_internal_value(self, data: Any) -> float:
        if type(data) not in {int, float}:
            self.fail("invalid")
        try:
            value = float(data)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class Switch(serializers.BooleanField):
    """true or false, and nothing that looks like it."""

    default_error_messages = {"invalid": "Expected true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            self.fail("invalid")
        return data


class Moment(serializers.DateTimeField):
    """An ISO 8601 date and time with its offset, from 2000 to 2199, as UTC."""

    default_error_messages = {
        "invalid": "Expected an ISO 8601 date and time with an offset, such as 2026-01-31T12:00:00+00:00.",
        "range": "Expected a moment from 2000 to 2199.",
    }

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str) or not value.isascii() or not _MOMENT.fullmatch(value):
            self.fail("invalid")
        try:
            moment = datetime.fromisoformat(value.upper())
        except ValueError:
            self.fail("invalid")
        try:
            moment = moment.astimezone(UTC)
        except OverflowError:
            self.fail("range")
        if not _EARLIEST <= moment < _LATEST:
            self.fail("range")
        return moment


class Word(serializers.ChoiceField):
    """One word of an enumeration, as its member."""

    default_error_messages = {"invalid_choice": "Expected one of: {words}."}

    def __init__(self, words: type[StrEnum], **kwargs: Any) -> None:
        super().__init__(choices=[(word.value, word.name) for word in words], **kwargs)
        self._words = words

    def to_internal_value(self, data: Any) -> StrEnum:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", words=", ".join(self.choices))
        return self._words(data)


class Names(serializers.ListField):
    """A list of connector names, none twice."""

    default_error_messages = {"not_a_list": "Expected a list of strings.", "twice": "A name is in the list twice."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=Text(max_length=63), max_length=50, **kwargs)

    def to_internal_value(self, data: Any) -> list[str]:
        names: list[str] = super().to_internal_value(data)
        if len(set(names)) != len(names):
            self.fail("twice")
        return names
