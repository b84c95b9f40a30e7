"""A list of the console is made of cells by its declared columns, and no column reads what no public record has."""

from dataclasses import fields
from typing import get_type_hints

import pytest
from django.contrib import admin

from rollback_audit.admin import shown
from rollback_audit.admin.columns import Cell, Column, Kind, cells
from rollback_audit.admin.lists import EvidenceList
from rollback_audit.admin.site import LISTS
from rollback_audit.models import EvidenceEntry, EvidencePackage
from tests.public.plain import is_record
from tests.public.test_api import RECORDS

PUBLIC = {item.name for record in RECORDS for item in fields(record)}
# Names of columns that records have under another name, or that only say how a row stands.
OTHER_NAMES = {
    "entry_id": "the session_id of a history row",
    "entry_count": "of an approval plan",
    "interval_minutes": "of a schedule",
    "lookback_hours": "of a report",
    "number": "an attempt's number",
    "seconded_by": "of an approval",
    "updated_at": "when a schedule was changed",
    "window_start": "of a run",
}
# All that a list says of itself; `media` is Django's metaclass's.
DECLARATION = {
    "body", "columns", "empty", "explanation", "facts", "heading", "key", "list_filter", "media", "proof", "rows",
    "seal", "slug",
}  # fmt: skip


@pytest.mark.parametrize("listing", LISTS.values(), ids=lambda kind: kind.__name__)
def test_a_column_reads_what_a_public_record_has(listing: type[EvidenceList]) -> None:
    for column in (*listing.columns, *listing.facts):
        for path in filter(None, (column.path, column.key)):
            assert path.rpartition(".")[2] in PUBLIC | OTHER_NAMES.keys(), path


def test_whatever_is_registered_is_such_a_list() -> None:
    registered = admin.site._registry
    assert {model: type(listing) for model, listing in registered.items()} == LISTS
    for listing in LISTS.values():
        assert issubclass(listing, EvidenceList)
        said = {name for name in vars(listing) if not name.startswith("__")}
        assert said <= DECLARATION, listing.__name__


def test_only_packages_and_lines_show_their_canonical_record() -> None:
    assert {model: listing.body for model, listing in LISTS.items() if listing.body} == {
        EvidencePackage: "record",
        EvidenceEntry: "body",
    }


@pytest.mark.parametrize(
    "record", [Cell, shown.FilterField, shown.ListRow, shown.Seal, shown.ListPage, shown.RecordPage]
)
def test_what_templates_get_is_frozen(record: type) -> None:
    assert is_record(record)
    assert get_type_hints(record)


def test_a_cell_holds_no_row_whatever_its_column_says() -> None:
    package = EvidencePackage(audit_id="gordackaudit-1", route_count=3)
    columns = [
        Column("x", "_state"),
        Column("x", "objects"),
        Column("x", "route_count", Kind.NUMBER),
        Column("x", "pk.y"),
    ]
    assert [cell.value for cell in cells(package, columns)] == [None, None, 3, None]
