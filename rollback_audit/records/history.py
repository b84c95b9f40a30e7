from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rollback_audit.states import METADATA_SCHEMA_VERSION, PRODUCT, MetadataKind


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One line of the ledger as history shows it ("metadata"). `record` is the public record the line is about.

    The index fields repeat what the record says so that clients can filter; they are None where they do not apply.
    """

    schema_version: str = METADATA_SCHEMA_VERSION
    product: str = PRODUCT
    session_id: str
    created_at: datetime
    signer: str
    metadata_kind: MetadataKind
    decision_count: int = 0
    blocked_count: int = 0
    approval_required_count: int = 0
    connector_delivery_source: str | None = None
    provider: str | None = None
    schedule_id: str | None = None
    audit_id: str | None = None
    delivery_id: str | None = None
    event_id: str | None = None
    providers: list[str] | None = None
    failed_providers: list[str] | None = None
    status_codes: list[int] | None = None
    attempt_count: int | None = None
    acknowledgement_state: str | None = None
    delivery_success: bool | None = None
    alert_level: str | None = None
    cadence: str | None = None
    record: dict[str, Any]
