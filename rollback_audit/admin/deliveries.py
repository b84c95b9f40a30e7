"""Lists of what is sent: packages, delivery plans, deliveries, attempts, connectors."""

from rollback_audit.admin import filters, pages
from rollback_audit.admin.columns import Column, Kind, flag, identity, name, number, time, word
from rollback_audit.admin.lists import EvidenceList
from rollback_audit.engine import clock, queries, standings
from rollback_audit.states import (
    AlertLevel,
    Category,
    ConnectorStanding,
    DeliveryState,
    FailureKind,
    Outcome,
    Source,
)

STANDINGS = {
    "retryable": lambda: standings.retryable(clock.now()),
    "waiting_for_approval": lambda: standings.awaiting_approval(clock.now()),
    "waiting": lambda: standings.waiting(clock.now()),
    "suppressed": standings.suppressed,
}

_DELIVERY = Column("Delivery", "delivery_id", Kind.ID, pages.DELIVERY)
_AUDIT = identity("Audit", "audit_id", pages.PACKAGE)


class DeliveryList(EvidenceList):
    rows = staticmethod(queries.deliveries)
    slug = "deliveries"
    heading = "Deliveries"
    explanation = "One evidence package on its way to one connector, as it stands now."
    empty = "Nothing has been delivered yet. Deliver Ack Audit on the overview sends the first package."
    columns = (
        _DELIVERY,
        Column("Connector", "provider"),
        name("Source", "source"),
        word("State", "state"),
        word("Last failure", "failure_kind"),
        number("Failures", "failure_count"),
        time("Last attempt", "last_attempt_at"),
        time("Due", "due_at"),
    )
    list_filter = (
        filters.cases("standing", "standing", STANDINGS),
        filters.choice("state", "state", DeliveryState),
        filters.provider(),
        filters.choice("failure_kind", "failure kind", FailureKind),
        filters.choice("source", "source", Source),
        filters.age("last_attempt_at"),
        filters.exact("delivery_id", "delivery id"),
        filters.exact("audit_id", "audit id"),
    )


class AttemptList(EvidenceList):
    rows = staticmethod(queries.attempts)
    slug = "attempts"
    heading = "Attempts"
    explanation = "Every try on the wire, written before its first byte and settled after its last."
    empty = "No attempt has been made yet."
    columns = (
        Column("Delivery", "delivery.delivery_id", Kind.ID, pages.DELIVERY),
        Column("Connector", "delivery.provider"),
        number("Try", "number"),
        word("Outcome", "outcome"),
        word("Failure", "failure_kind"),
        number("Status", "status_code"),
        number("Took (ms)", "duration_ms"),
        time("Started", "started_at"),
        identity("Run", "result.run.run_id", pages.RUN),
    )
    list_filter = (
        filters.choice("outcome", "outcome", Outcome),
        filters.choice("failure_kind", "failure kind", FailureKind),
        filters.provider("delivery__provider"),
        filters.choice("source", "source", Source, column="delivery__source"),
        filters.age("started_at"),
        filters.exact("delivery_id", "delivery id", column="delivery__delivery_id"),
        filters.exact("audit_id", "audit id", column="delivery__audit_id"),
        filters.exact("run_id", "run id", column="result__run__run_id"),
    )


class PackageList(EvidenceList):
    rows = staticmethod(queries.packages)
    slug = "packages"
    heading = "Evidence packages"
    explanation = "What is delivered: public-safe, never changed, known by its digest."
    empty = "No package yet. Deliver Ack Audit on the overview makes one."
    key = "audit_id"
    body = "record"
    columns = (
        _AUDIT,
        name("Source", "source"),
        word("Alert", "alert_level"),
        number("Routes", "route_count"),
        Column("Made by", "generated_by"),
        time("Made", "created_at"),
    )
    facts = (*columns, identity("SHA-256", "digest"))
    list_filter = (
        filters.choice("source", "source", Source),
        filters.choice("alert_level", "alert level", AlertLevel),
        filters.age("created_at"),
        filters.exact("audit_id", "audit id"),
    )


class DeliveryPlanList(EvidenceList):
    rows = staticmethod(queries.delivery_plans)
    slug = "delivery-plans"
    heading = "Delivery plans"
    explanation = "One decision to deliver a package: to which connectors, in which cadence."
    empty = "No delivery has been planned yet."
    columns = (
        _DELIVERY,
        Column("Audit", "package.audit_id", Kind.ID, pages.PACKAGE),
        Column("Connectors", "selected_providers"),
        Column("Cadence", "cadence"),
        Column("Made by", "generated_by"),
        time("Made", "created_at"),
    )
    list_filter = (
        filters.choice("source", "source", Source, column="package__source"),
        filters.age("created_at"),
        filters.exact("delivery_id", "delivery id"),
        filters.exact("audit_id", "audit id", column="package__audit_id"),
    )


class ConnectorList(EvidenceList):
    rows = staticmethod(queries.connectors)
    slug = "connectors"
    heading = "Connectors"
    explanation = "The receivers named by the configuration file. Addresses and secrets are never stored or shown."
    empty = "No connector yet. Name a file in CAVRA_CONNECTOR_CONFIG; docs/connectors.md shows one."
    columns = (
        Column("Connector", "name", Kind.TEXT, pages.CONNECTOR),
        name("Provider", "provider"),
        name("Category", "category"),
        word("Standing", "standing"),
        Column("Problem", "problem"),
        flag("Drops repeats", "drops_repeats"),
        time("Held since", "held_since"),
    )
    list_filter = (
        filters.choice("category", "category", Category),
        filters.choice("configuration", "configuration", ConnectorStanding),
    )
