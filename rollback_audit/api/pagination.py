"""Pages by key: as fast at the millionth row as at the first, and stable while rows arrive."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.core import signing
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from rollback_audit.states import PRODUCT

DEFAULT_PAGE = 50
LONGEST_PAGE = 200
DEEPEST_OFFSET = 10_000
_LONGEST_CURSOR = 200
_WHOLE = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: behind the row with key `at`, going forward in the list's order, or back."""

    forward: bool
    at: int | str

    def sealed(self, listing: str) -> str:
        """Opaque text, signed: it can be neither read into nor made up, nor used on another list."""
        return signing.dumps([self.forward, self.at], salt=_salt(listing))

    @classmethod
    def opened(cls, text: str, listing: str) -> Self:
        """The cursor of its text. Raises ValidationError."""
        try:
            if len(text) > _LONGEST_CURSOR or not text.isascii():
                raise signing.BadSignature
            forward, at = signing.loads(text, salt=_salt(listing))
        except signing.BadSignature:
            raise ValidationError({"cursor": ["Not a cursor of this list. Begin again without one."]}) from None
        return cls(forward, at)


def _salt(listing: str) -> str:
    return f"rollback_audit.api.cursor.{listing}"


class KeysetPagination(BasePagination):
    """Newest first by id. A view may set `page_key` and `page_ascending`; the key must be unique in what it lists.

    `total` counts everything that matches, `next` and `previous` are paths.
    """

    parameters: tuple[str, ...] = ("limit", "cursor")

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self._view, self._path = view, request.get_full_path()
        self.limit = whole(request.query_params, "limit", default=DEFAULT_PAGE, least=1, most=LONGEST_PAGE)
        self.offset: int | None = self._offset(request.query_params)
        cursor = self._cursor(request.query_params)
        self.total = view.count(queryset)
        forward = cursor is None or cursor.forward
        ascending = view.page_ascending is forward
        if cursor is not None:
            self.offset = None
            queryset = queryset.filter(**{f"{view.page_key}__{'gt' if ascending else 'lt'}": cursor.at})
        queryset = queryset.order_by(view.page_key if ascending else f"-{view.page_key}")
        start = self.offset or 0
        rows = list(queryset[start : start + self.limit + 1])
        more, rows = len(rows) > self.limit, rows[: self.limit]
        if not forward:
            rows.reverse()
        # The row a cursor was made of lies behind the page it leads to, and rows are never deleted.
        behind = cursor is not None or start > 0
        self.next = self._link(rows, forward=True) if rows and (more if forward else behind) else None
        self.previous = self._link(rows, forward=False) if rows and (behind if forward else more) else None
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "schema_version": self._view.page_schema_version,
                "product": PRODUCT,
                "items": data,
                "total": self.total,
                "limit": self.limit,
                "offset": self.offset,
                "next": self.next,
                "previous": self.previous,
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        text, count = {"type": "string"}, {"type": "integer", "minimum": 0}
        path = {"type": ["string", "null"], "description": "A path with its query.", "example": None}
        properties = {
            "schema_version": {**text, "example": "cavra.go-backend-pilot.….v1"},
            "product": {**text, "example": PRODUCT},
            "items": schema,
            "total": {**count, "description": "How many match, on all pages together.", "example": 1},
            "limit": {**count, "example": DEFAULT_PAGE},
            "offset": {
                "type": ["integer", "null"],
                "minimum": 0,
                "description": "Null on a page of a cursor.",
                "example": 0,
            },
            "next": path,
            "previous": path,
        }
        return {"type": "object", "required": list(properties), "properties": properties}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [_PARAMETERS[name] for name in self.parameters]

    def _offset(self, query: Mapping[str, str]) -> int:
        return 0

    def _cursor(self, query: Mapping[str, str]) -> Cursor | None:
        return Cursor.opened(query["cursor"], self._view.listing) if "cursor" in query else None

    def _link(self, rows: list[Any], *, forward: bool) -> str:
        edge = rows[-1] if forward else rows[0]
        cursor = Cursor(forward=forward, at=getattr(edge, self._view.page_key))
        path = remove_query_param(self._path, "offset")
        return str(replace_query_param(path, "cursor", cursor.sealed(self._view.listing)))


class ShallowPagination(KeysetPagination):
    """Takes `offset` as well, as CAVRA's clients send it, down to 10,000."""

    parameters = ("limit", "cursor", "offset")

    def _offset(self, query: Mapping[str, str]) -> int:
        if "offset" in query and "cursor" in query:
            raise ValidationError({"offset": ["Leave it out with cursor."]})
        return whole(query, "offset", default=0, least=0, most=DEEPEST_OFFSET)


def whole(query: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    """A query's whole number. Raises ValidationError naming the parameter."""
    if name not in query:
        return default
    if not _WHOLE.fullmatch(query[name]) or not least <= int(query[name]) <= most:
        raise ValidationError({name: [f"Expected a whole number from {least} to {most}."]})
    return int(query[name])


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


_PARAMETERS = {
    "limit": _parameter(
        "limit",
        "Rows on a page.",
        {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": DEFAULT_PAGE},
    ),
    "cursor": _parameter(
        "cursor", "Where the page begins, from `next` or `previous`.", {"type": "string", "maxLength": _LONGEST_CURSOR}
    ),
    "offset": _parameter(
        "offset",
        "Rows to skip, for shallow pages; not together with cursor.",
        {"type": "integer", "minimum": 0, "maximum": DEEPEST_OFFSET, "default": 0},
    ),
}
