"""How the console draws words, moments, ids and numbers. `{% load console %}`."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.http import QueryDict
from django.template.context import RequestContext
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from rollback_audit import correlation
from rollback_audit.console import navigation, words

register = template.Library()
EMPTY = mark_safe('<span class="none" aria-label="none">\N{EN DASH}</span>')
# Our own ids; a schedule's id is its owner's and is shown whole.
_PREFIX = re.compile(r"\Agord[a-z]*-")
_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


@register.filter
def human(value: object) -> str:
    """A stored word as people say it."""
    return words.name(str(value))


@register.filter
def meaning(value: object) -> str:
    """The one sentence about a stored word, or nothing."""
    return words.meaning(str(value))


@register.filter
def tone(value: object) -> str:
    return words.tone(str(value))


@register.filter
def word(value: object) -> SafeString:
    """A stored word with its tone; its meaning is said on hover."""
    if not value:
        return EMPTY
    text = str(value)
    return format_html(
        '<span class="word {}" title="{}">{}</span>', words.tone(text), words.meaning(text), words.name(text)
    )


@register.filter
def number(value: int | str | None) -> SafeString:
    """Digits in groups of three. A template gives an empty string where a path leads nowhere."""
    return format_html("{}", f"{value:,}") if isinstance(value, int) else EMPTY


@register.filter
def percent(share: float) -> str:
    """A share from 0 to 1, as whole percent."""
    return f"{share:.0%}"


@register.filter
def identity(value: object) -> SafeString:
    """An id: its prefix quiet, the rest plain, so that it can be read and still copied whole."""
    text = str(value or "")
    if not text:
        return EMPTY
    prefix = "".join(_PREFIX.findall(text))
    return format_html('<span class="id"><span class="prefix">{}</span>{}</span>', prefix, text[len(prefix) :])


@register.filter
def digest(value: object) -> SafeString:
    """A hash: its beginning is seen, the whole is there on hover and where it is copied."""
    return format_html('<span class="id short" title="{}">{}</span>', value, value) if value else EMPTY


@register.filter
def when(moment: datetime | str | None) -> SafeString:
    """A moment as the time from now; the exact one in UTC on hover."""
    if not isinstance(moment, datetime):
        return EMPTY
    exact = moment.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        exact.isoformat(),
        exact.strftime("%Y-%m-%d %H:%M:%S"),
        from_now(exact, datetime.now(UTC)),
    )


def from_now(moment: datetime, now: datetime) -> str:
    """`3 min ago`, `in 2 h`: whole units, rounded down; `now` under a second."""
    seconds = round((moment - now).total_seconds())
    span = abs(seconds)
    if span < 1:
        return "now"
    text = _span(span)
    return f"in {text}" if seconds > 0 else f"{text} ago"


def _span(seconds: int) -> str:
    size, unit = next((size, unit) for size, unit in _SPANS if seconds >= size)
    return f"{seconds // size} {unit}"


@register.filter
def cell(item: Any) -> SafeString:
    """One value of a list, drawn as its kind says (`rollback_audit.admin.columns.Cell`)."""
    if item.value is None:
        return EMPTY
    drawn = _DRAW[str(item.kind)](item.value)
    return format_html('<a href="{}">{}</a>', item.address, drawn) if item.address else drawn


def _text(value: object) -> SafeString:
    return format_html("{}", value)


def _name(value: object) -> SafeString:
    return format_html("{}", human(value))


def _flag(value: object) -> SafeString:
    return format_html("{}", "yes" if value else "no")


_DRAW = {"id": identity, "word": word, "name": _name, "number": number, "time": when, "flag": _flag, "text": _text}


@register.inclusion_tag("console/partials/navigation.html", takes_context=True)
def navigation_links(context: RequestContext) -> dict[str, Any]:
    """Every place of the console; the one whose address begins the page's is marked."""
    here, front = context["request"].path, reverse("console:overview")
    groups = []
    for label, places in navigation.PLACES:
        links = [(place.label, reverse(place.name)) for place in places]
        marked = [(text, url, here == url or (url != front and here.startswith(url))) for text, url in links]
        groups.append((label, marked))
    return {"groups": groups}


@register.inclusion_tag("console/partials/person.html", takes_context=True)
def person(context: RequestContext) -> dict[str, Any]:
    """Who is signed in, by name and roles; their forms need the page's token."""
    user = context["request"].user
    roles = list(user.groups.order_by("name").values_list("name", flat=True))
    return {"name": user.get_username(), "roles": roles, "csrf_token": context.get("csrf_token")}


@register.simple_tag(takes_context=True)
def address_with(context: RequestContext, **changes: object) -> str:
    """The page's own address with some parameters changed; None takes one away."""
    query: QueryDict = context["request"].GET.copy()
    for name in ("before", "after", "e"):
        query.pop(name, None)
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = str(value)
    return f"?{query.urlencode()}"


@register.simple_tag
def correlation_id() -> str:
    """The id by which the log knows of this answer."""
    return correlation.current()


@register.simple_tag
def list_address(model: str, **filters: object) -> str:
    """The address of a list with filters: what a number on a page counts."""
    kept = {name: value for name, value in filters.items() if value}
    address = reverse(f"admin:rollback_audit_{model}_changelist")
    return f"{address}?{urlencode(kept)}" if kept else address


@register.filter
def pretty_json(text: str) -> str:
    """Stored JSON, one field a line."""
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False)


@register.filter
def joined(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


@register.filter
def has(permissions: Iterable[object], permission: str) -> bool:
    return permission in permissions
