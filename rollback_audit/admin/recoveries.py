"""Lists of recovery: outages of connectors, the playbooks that found them, and people's words on them."""

from rollback_audit.admin import filters, pages
from rollback_audit.admin.columns import Column, Kind, identity, name, number, time, word
from rollback_audit.admin.lists import EvidenceList
from rollback_audit.engine import queries
from rollback_audit.states import Category, ClosureState, RecoveryState


class RecoveryList(EvidenceList):
    rows = staticmethod(queries.recoveries)
    slug = "recoveries"
    heading = "Recoveries"
    explanation = "One outage of one connector, timed from its first failure, until somebody closes it."
    empty = "No recovery yet. A recovery playbook opens one for each connector that keeps failing."
    columns = (
        identity("Recovery", "recovery_id", pages.RECOVERY),
        Column("Connector", "provider", Kind.TEXT, pages.CONNECTOR),
        name("Category", "category"),
        word("State", "state"),
        word("Latest word", "closure_state"),
        number("Failures", "failure_count"),
        time("First failure", "first_failure_at"),
        time("Latest failure", "latest_failure_at"),
        time("Closed", "closed_at"),
    )
    list_filter = (
        filters.choice("state", "state", RecoveryState),
        filters.choice("closure_state", "latest word", ClosureState),
        filters.provider(),
        filters.choice("category", "category", Category),
        filters.age("opened_at"),
        filters.exact("recovery_id", "recovery id"),
        filters.exact("playbook_id", "playbook id"),
    )


class PlaybookList(EvidenceList):
    rows = staticmethod(queries.recovery_playbooks)
    slug = "recovery-playbooks"
    heading = "Recovery playbooks"
    explanation = "One look at the connectors' failures, with what to do about each. A playbook never changes."
    empty = "No playbook yet. The list of recoveries has the button."
    columns = (
        identity("Playbook", "playbook_id", pages.LEDGER_LINE),
        number("Connectors", "provider_count"),
        number("Least failures", "min_failure_count"),
        number("Lookback (h)", "lookback_hours"),
        Column("Made by", "generated_by"),
        time("Made", "generated_at"),
    )
    list_filter = (filters.age("generated_at"), filters.exact("playbook_id", "playbook id"))


class ClosureList(EvidenceList):
    rows = staticmethod(queries.recovery_closures)
    slug = "recovery-closures"
    heading = "Recovery closures"
    explanation = "A person's word on a recovery: resolved and mitigated close it, reopened opens it again."
    empty = "Nobody has said anything of a recovery yet. A recovery's page has the button."
    columns = (
        identity("Closure", "closure_id", pages.LEDGER_LINE),
        Column("Recovery", "recovery.recovery_id", Kind.ID, pages.RECOVERY),
        Column("Connector", "recovery.provider"),
        word("Word", "closure_state"),
        Column("Reference", "external_ref"),
        Column("By", "closed_by"),
        time("When", "closed_at"),
    )
    list_filter = (
        filters.choice("closure_state", "word", ClosureState),
        filters.provider("recovery__provider"),
        filters.age("closed_at"),
        filters.exact("recovery_id", "recovery id", column="recovery__recovery_id"),
    )
