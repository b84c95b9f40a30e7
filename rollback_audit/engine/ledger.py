"""The evidence ledger: what each change of state leaves behind, inserted in the same transaction."""

import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.db import connection

from rollback_audit.engine import bulk
from rollback_audit.ids import new_id
from rollback_audit.models import EvidenceEntry
from rollback_audit.records.history import HistoryRow
from rollback_audit.states import MetadataKind

_PREFIX = "gordledger"
COLUMNS = (
    "entry_id",
    "metadata_kind",
    "created_at",
    "actor",
    "source",
    "provider",
    "schedule_id",
    "audit_id",
    "delivery_id",
    "acknowledgement_state",
    "delivery_success",
    "alert_level",
    "cadence",
    "body",
)


def new_entry_id() -> str:
    """A fresh session id."""
    return new_id(_PREFIX)


def jsonable(value: Any) -> Any:  # noqa: PLR0911 - one return for each type
    """A record as JSON types: moments as ISO 8601 in UTC with offset, whole floats as integers (RFC 8785, 3.2.2.3)."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: jsonable(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def canonical_text(value: dict[str, Any]) -> str:
    """RFC 8785 for what the ledger holds: keys are ASCII, numbers are integers or short decimals.

    The standard library's encoder gives the same bytes for such values (a test compares) in a tenth of the time.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def row(kind: MetadataKind, *, session_id: str, signer: str, at: datetime, record: Any, **index: Any) -> HistoryRow:
    """A history row, not yet stored.

    `session_id` is the id of the record it is about (or `new_entry_id()`): the database takes each only once. `index`
    holds HistoryRow's own field names.
    """
    return HistoryRow(
        session_id=session_id, created_at=at, signer=signer, metadata_kind=kind, record=jsonable(record), **index
    )


def append(rows: Iterable[HistoryRow]) -> None:
    """Insert history rows. Call it inside the transaction that makes the change."""
    with connection.cursor() as cursor:
        bulk.insert(cursor, EvidenceEntry, COLUMNS, [_columns(item) for item in rows])


def _columns(item: HistoryRow) -> tuple[Any, ...]:
    return (
        item.session_id,
        item.metadata_kind.value,
        bulk.moment(item.created_at),
        item.signer,
        item.connector_delivery_source or "",
        item.provider or "",
        item.schedule_id or "",
        item.audit_id or "",
        item.delivery_id or "",
        item.acknowledgement_state or "",
        item.delivery_success,
        item.alert_level or "",
        item.cadence or "",
        canonical_text(jsonable(item)),
    )


def read(entry: EvidenceEntry) -> dict[str, Any]:
    """The history row an entry holds, as JSON types."""
    body: dict[str, Any] = json.loads(entry.body)
    return body


def find(session_ids: Iterable[str]) -> dict[str, HistoryRow]:
    """Stored history rows by their session ids; ids that are not there are left out."""
    rows = {}
    for entry in EvidenceEntry.objects.filter(entry_id__in=list(session_ids)):
        body = read(entry)
        body["created_at"] = datetime.fromisoformat(body["created_at"])
        body["metadata_kind"] = MetadataKind(body["metadata_kind"])
        rows[entry.entry_id] = HistoryRow(**body)
    return rows
