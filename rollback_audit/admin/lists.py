"""The one kind of list the console has: read-only, newest first, paged by primary key."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, ChangeList
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from rollback_audit.admin.columns import Column, cells
from rollback_audit.admin.filters import Field
from rollback_audit.admin.shown import FilterField, ListPage, ListRow, RecordPage, Seal
from rollback_audit.engine.actors import Actor, actor_for
from rollback_audit.errors import UnknownRecord
from rollback_audit.records.evidence import EntryProofRecord
from rollback_audit.states import Permission

if TYPE_CHECKING:
    _ModelAdmin = ModelAdmin[Any]
else:
    _ModelAdmin = ModelAdmin

MOST_COUNTED = 10_000
_MARKS = ("before", "after")
_ID_DIGITS = 18


class KeysetList(ChangeList):
    """A page costs the same at any depth, and no big table is ever counted to its end.

    `before` and `after` in the address are row ids. A parameter that is neither a mark nor a filter is refused: Django
    would take it as a condition on any column, private ones included.
    """

    newer: int | None
    older: int | None
    count_is_whole: bool

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        kept = {name: value for name, value in self.filter_params.items() if name not in (*_MARKS, ERROR_FLAG)}
        if kept.keys() - {getattr(field, "parameter_name", "") for field in self.model_admin.list_filter}:
            raise IncorrectLookupParameters
        return kept

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        size = self.list_per_page
        before, after = (self._mark(name) for name in _MARKS)
        if after is not None:
            found = list(self.queryset.filter(pk__gt=after).order_by("pk")[: size + 1])
            rows = found[:size][::-1]
            more_newer, more_older = len(found) > size, True
        else:
            found = list((self.queryset.filter(pk__lt=before) if before else self.queryset)[: size + 1])
            rows = found[:size]
            more_newer, more_older = before is not None, len(found) > size
        self.result_list = rows
        self.newer = rows[0].pk if rows and more_newer else None
        self.older = rows[-1].pk if rows and more_older else None
        counted = self.queryset.order_by()[: MOST_COUNTED + 1].count()
        self.result_count = min(counted, MOST_COUNTED)
        self.count_is_whole = counted <= MOST_COUNTED

    def page(self, listing: "EvidenceList", *, actor: Actor, was_refused: bool) -> ListPage:
        """What may be shown of it."""
        fields = tuple(_filter_field(spec) for spec in self.filter_specs)
        return ListPage(
            slug=listing.slug,
            heading=listing.heading,
            explanation=listing.explanation,
            empty=listing.empty,
            columns=listing.columns,
            rows=tuple(ListRow(row.pk, cells(row, listing.columns)) for row in self.result_list),
            filters=fields,
            is_filtered=self.has_active_filters,
            was_refused=was_refused,
            count=self.result_count,
            count_is_whole=self.count_is_whole,
            newer=self.newer,
            older=self.older,
            seal=listing.seal(actor, fields) if listing.seal else None,
        )

    def _mark(self, name: str) -> int | None:
        text = self.params.get(name, "")
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS):
            raise IncorrectLookupParameters
        return int(text)


class EvidenceList(_ModelAdmin):
    """A list page and, where `key` names a unique column and no page of its own exists, a page for one record.

    Nobody adds, changes or deletes anything here: the engine's verbs do, through the console's buttons.
    """

    rows: Callable[[], QuerySet[Any]]
    slug = ""
    heading = ""
    explanation = ""
    empty = "Nothing here yet."
    columns: ClassVar[tuple[Column, ...]] = ()
    facts: ClassVar[tuple[Column, ...]] = ()
    key = ""
    body = ""
    seal: Callable[[Actor, Sequence[FilterField]], Seal] | None = None
    proof: Callable[..., EntryProofRecord] | None = None
    list_filter: ClassVar[tuple[type[Field], ...]] = ()
    list_per_page = 50
    show_full_result_count = False
    actions = None
    change_list_template = "console/list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.rows()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetList

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(f"rollback_audit.{Permission.VIEW_EVIDENCE}")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        pages = [path("", guard(self.changelist_view), name=f"{name}_changelist")]
        if self.key:
            pages.append(path("<str:key>/", guard(self.record_view), name=f"{name}_record"))
        return pages

    @method_decorator(require_safe)
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        answer = super().changelist_view(request)
        if isinstance(answer, TemplateResponse):
            found: KeysetList = (answer.context_data or {})["cl"]
            page = found.page(self, actor=actor_for(request.user), was_refused=ERROR_FLAG in request.GET)
            # In the place of Django's context, which holds the rows and this admin itself.
            answer.context_data = self._context(request, page=page)
        return answer

    @method_decorator(require_safe)
    def record_view(self, request: HttpRequest, key: str) -> TemplateResponse:
        """Everything public about one record."""
        key = key.replace("\0", "")
        row = self.get_queryset(request).filter(**{self.key: key}).first()
        proof = self._proof(request, key)
        if row is None and proof is None:
            raise Http404
        facts = self.facts or self.columns
        page = RecordPage(
            slug=self.slug,
            key=key,
            heading=self.heading,
            explanation=self.explanation,
            # A line that was pruned has nothing left but its proof.
            facts=tuple(zip([column.heading for column in facts], cells(row, facts), strict=True)) if row else (),
            body=getattr(row, self.body) if self.body and row else "",
            proof=proof,
        )
        title = str(self.opts.verbose_name)
        return TemplateResponse(request, "console/record.html", self._context(request, page=page, title=title))

    def _proof(self, request: HttpRequest, key: str) -> EntryProofRecord | None:
        try:
            return self.proof(actor=actor_for(request.user), session_id=key) if self.proof else None
        except UnknownRecord:
            return None

    def _context(self, request: HttpRequest, *, page: ListPage | RecordPage, title: str = "") -> dict[str, Any]:
        permissions = actor_for(request.user).permissions
        return {"page": page, "title": title or page.heading, "permissions": permissions}


def _filter_field(spec: Any) -> FilterField:
    return FilterField(
        spec.kind,
        spec.parameter_name,
        spec.title,
        spec.value() or "",
        tuple((str(a), str(b)) for a, b in spec.lookup_choices),
    )
