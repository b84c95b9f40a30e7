"""What every viewset of ours does: count the request, ask for the right, read strictly, answer with records."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from rest_framework.exceptions import ValidationError
from rest_framework.fields import Field
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from rollback_audit.api import idempotency, parsers
from rollback_audit.api.answers import ActorRecord, actor_record
from rollback_audit.api.filters import check_query
from rollback_audit.api.pagination import KeysetPagination, whole
from rollback_audit.api.permissions import HoldsPermission
from rollback_audit.api.serializers.body import Body
from rollback_audit.api.serializers.fields import Moment, Text
from rollback_audit.engine.actors import Actor, actor_for
from rollback_audit.engine.ledger import jsonable
from rollback_audit.states import Permission

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser


class EvidenceViewSet(GenericViewSet[Any]):
    """One resource. `needs` names the permission of each action that is more than looking.

    Lists say what they list (`listing` salts their cursors), under which schema version, and by which key they page.
    """

    permission_classes = [HoldsPermission]
    metadata_class = None
    pagination_class: type[KeysetPagination] = KeysetPagination
    needs: ClassVar[Mapping[str, Permission]] = {}

    # Actions that heed `Prefer: wait=N`.
    may_wait: ClassVar[frozenset[str]] = frozenset()
    # Statuses of refusals that neither the method nor the address tells of.
    also_refuses: ClassVar[frozenset[int]] = frozenset()

    listing = ""
    page_schema_version = ""
    page_key = "id"
    page_ascending = False

    @cached_property
    def actor(self) -> Actor:
        return actor_for(self.request.user)

    @property
    def signed_in(self) -> ActorRecord:
        """Who asked, as answers say it."""
        return actor_record(cast("AbstractUser", self.request.user))

    def perform_authentication(self, request: Request) -> None:
        """Count the request as soon as it is known who asks, so that wrong tokens are counted too."""
        try:
            super().perform_authentication(request)
        finally:
            super().check_throttles(request)

    def check_throttles(self, request: Request) -> None:
        """Done in `perform_authentication`."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        check_query(request.query_params, known=self.query_names())
        parsers.bound(request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Evidence is for whoever asked: no cache on the way keeps it."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer["Cache-Control"] = "no-store"
        return answer

    def query_names(self) -> set[str]:
        """The query parameters of the current action: only lists have any."""
        if self.action != "list":
            return set()
        filters = getattr(self, "filterset_class", None)
        return {*self.pagination_class.parameters, *(filters.base_filters if filters else ())}

    def count(self, queryset: QuerySet[Any]) -> int:
        """How many rows a list has in all."""
        return queryset.count()

    def read(self, body: type[Body], *, partial: bool = False) -> dict[str, Any]:
        """The request's body, checked."""
        sent = body(data=self.request.data, partial=partial)
        sent.is_valid(raise_exception=True)
        values: dict[str, Any] = sent.validated_data
        return values

    def narrowed_to(self, name: str, *, most: int = 64) -> str:
        """A query parameter of a route that is not a list; empty where it was not given."""
        return self._read_parameter(name, Text(max_length=most)) or ""

    def moment(self, name: str) -> datetime | None:
        """A query parameter that is a moment; None where it was not given."""
        found: datetime | None = self._read_parameter(name, Moment())
        return found

    def whole(self, name: str, *, default: int, least: int, most: int) -> int:
        """A query parameter that is a whole number."""
        return whole(self.request.query_params, name, default=default, least=least, most=most)

    def _read_parameter(self, name: str, reader: Field[Any, Any, Any, Any]) -> Any:
        sent = self.request.query_params.get(name)
        if sent is None:
            return None
        try:
            return reader.run_validation(sent)
        except ValidationError as problem:
            raise ValidationError({name: problem.detail}) from None

    def once(self, perform: Callable[[], Response]) -> Response:
        """Do it, or give the first answer again where the request repeats an Idempotency-Key."""
        return idempotency.once(self.request, actor=self.actor, perform=perform)

    def page(self, present: Callable[[Any], Any]) -> Response:
        """A page of the view's rows as records."""
        return self.page_all(lambda rows: [present(row) for row in rows])

    def page_all(self, present: Callable[[list[Any]], list[Any]]) -> Response:
        """A page of the view's rows, turned into records all at once."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(jsonable(present(list(rows or []))))


def answered(record: Any, *, status: int = 200, location: str = "") -> Response:
    """A record as an answer."""
    return Response(jsonable(record), status=status, headers={"Location": location} if location else None)


def downloaded(chunks: Iterable[bytes], *, name: str, media_type: str) -> StreamingHttpResponse:
    """A file as an answer, sent while it is made."""
    disposition = content_disposition_header(as_attachment=True, filename=name)
    return StreamingHttpResponse(chunks, content_type=media_type, headers={"Content-Disposition": disposition})
