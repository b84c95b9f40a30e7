"""What the templates of lists are given: frozen records, made of cells."""

from dataclasses import dataclass

from rollback_audit.admin.columns import Cell, Column
from rollback_audit.records.evidence import EntryProofRecord, LedgerStatusRecord


@dataclass(frozen=True, slots=True)
class FilterField:
    """One field of the filter form. `kind` is `text` or `choice`; `value` is what it holds now."""

    kind: str
    name: str
    title: str
    value: str
    choices: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ListRow:
    """A row. `number` is what pages begin after."""

    number: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Seal:
    """How far the ledger is signed, and what a bundle of the lines in the list is about: a parameter and its value,
    both empty for all of them.
    """

    status: LedgerStatusRecord
    scope: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """A page of a list. `newer` and `older` are the numbers that its neighbours begin after, if there are any."""

    slug: str
    heading: str
    explanation: str
    empty: str
    columns: tuple[Column, ...]
    rows: tuple[ListRow, ...]
    filters: tuple[FilterField, ...]
    is_filtered: bool
    was_refused: bool
    count: int
    count_is_whole: bool
    newer: int | None
    older: int | None
    seal: Seal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    """Everything public about one record: its facts with their headings, and its canonical JSON where it has one."""

    slug: str
    key: str
    heading: str
    explanation: str
    facts: tuple[tuple[str, Cell], ...]
    body: str
    proof: EntryProofRecord | None
