"""The evidence ledger, line by line."""

from collections.abc import Sequence

from rollback_audit.admin import filters, pages
from rollback_audit.admin.columns import Column, Kind, flag, identity, name, time, word
from rollback_audit.admin.lists import EvidenceList
from rollback_audit.admin.shown import FilterField, Seal
from rollback_audit.engine import proofs, queries
from rollback_audit.engine.actors import Actor
from rollback_audit.states import AlertLevel, MetadataKind, Source

# A bundle is about one thing. The narrowest filter says which; the others do not narrow it.
_SCOPES = ("delivery_id", "audit_id", "age")


def seal(actor: Actor, fields: Sequence[FilterField]) -> Seal:
    """How far the ledger is signed, and what a bundle of the lines in the list is about."""
    status = proofs.status(actor=actor)
    set_to = {field.name: field.value for field in fields if field.value}
    scope = next((name for name in _SCOPES if name in set_to), "")
    if scope == "age":
        return Seal(status, "since", filters.since(set_to[scope]).isoformat())
    return Seal(status, scope, set_to.get(scope, ""))


class LedgerList(EvidenceList):
    rows = staticmethod(queries.history)
    seal = staticmethod(seal)
    proof = staticmethod(proofs.of_entry)
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


class CheckpointList(EvidenceList):
    rows = staticmethod(queries.checkpoints)
    slug = "checkpoints"
    heading = "Checkpoints"
    explanation = (
        "What the ledger's root was at a size, signed. One kept elsewhere shows later that nothing below it changed."
    )
    empty = "No checkpoint yet. A worker signs them: start one with cavra worker."
    columns = (
        Column("Lines", "tree_size", Kind.NUMBER, pages.CHECKPOINT),
        time("Signed", "signed_at"),
        identity("Root", "root_hash"),
    )
    list_filter = (filters.age("signed_at"),)
