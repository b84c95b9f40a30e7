"""The evidence ledger, line by line."""

from rollback_audit.admin import filters, pages
from rollback_audit.admin.columns import Column, Kind, flag, identity, name, time, word
from rollback_audit.admin.lists import EvidenceList
from rollback_audit.engine import queries
from rollback_audit.states import AlertLevel, MetadataKind, Source


class LedgerList(EvidenceList):
    rows = staticmethod(queries.history)
    slug = "ledger"
    heading = "Evidence ledger"
    explanation = "Every change of state leaves one line here, in the same transaction. Lines are only ever added."
    empty = "The ledger is empty: nothing has happened yet."
    key = "entry_id"
    body = "body"
    columns = (
        identity("Line", "entry_id", pages.LEDGER_LINE),
        name("Kind", "metadata_kind"),
        Column("By", "actor"),
        Column("Connector", "provider"),
        Column("Delivery", "delivery_id", Kind.ID, pages.DELIVERY),
        flag("Delivered", "delivery_success"),
        time("When", "created_at"),
    )
    facts = (
        *columns,
        name("Source", "source"),
        Column("Audit", "audit_id", Kind.ID, pages.PACKAGE),
        Column("Schedule", "schedule_id", Kind.ID, pages.SCHEDULE),
        word("Acknowledgement", "acknowledgement_state"),
        word("Alert", "alert_level"),
        Column("Cadence", "cadence"),
    )
    list_filter = (
        filters.choice("metadata_kind", "kind", MetadataKind),
        filters.provider(),
        filters.choice("source", "source", Source),
        filters.choice("alert_level", "alert level", AlertLevel),
        filters.yes_no("delivery_success", "delivered"),
        filters.age("created_at"),
        filters.exact("audit_id", "audit id"),
        filters.exact("delivery_id", "delivery id"),
        filters.exact("schedule_id", "schedule id"),
    )
