"""Legal holds: what may not be pruned."""

from rollback_audit.admin import filters, pages
from rollback_audit.admin.columns import Column, Kind, identity, name, time
from rollback_audit.admin.lists import EvidenceList
from rollback_audit.engine import queries
from rollback_audit.states import HoldScope


class HoldList(EvidenceList):
    rows = staticmethod(queries.legal_holds)
    slug = "holds"
    heading = "Legal holds"
    explanation = "What a hold covers is not pruned, whoever asks, until somebody releases the hold. Holds stay listed."
    empty = "Nothing is held. Old evidence may be pruned once its retention is over."
    columns = (
        identity("Hold", "hold_id", pages.HOLD),
        name("Keeps", "scope"),
        Column("Id", "subject_id", Kind.ID),
        Column("Reason", "reason"),
        Column("Placed by", "placed_by"),
        time("Placed", "placed_at"),
        time("Released", "released_at"),
    )
    list_filter = (
        filters.choice("scope", "keeps", HoldScope),
        filters.age("placed_at"),
        filters.exact("subject_id", "id"),
    )
