"""Lists of what feeds the loop: drill schedules, routes and their acknowledgements."""

from rollback_audit.admin import filters, pages
from rollback_audit.admin.columns import Column, Kind, flag, identity, number, time, word
from rollback_audit.admin.lists import EvidenceList
from rollback_audit.engine import queries
from rollback_audit.states import AcknowledgementState, Category


class DrillScheduleList(EvidenceList):
    rows = staticmethod(queries.schedules)
    slug = "schedules"
    heading = "Drill schedules"
    explanation = "How often a rollback is drilled, who owns it and who must acknowledge it."
    empty = "No drill is scheduled yet. A platform owner adds one here."
    columns = (
        identity("Schedule", "schedule_id", pages.SCHEDULE),
        Column("Owner", "owner"),
        Column("Escalates to", "escalation_owner"),
        Column("Connectors", "providers"),
        number("Every (days)", "interval_days"),
        time("Next due", "next_due_at"),
        flag("Enabled", "enabled"),
    )
    list_filter = (
        filters.yes_no("enabled", "enabled"),
        filters.exact("owner", "owner"),
        filters.exact("schedule_id", "schedule id"),
    )


class RouteList(EvidenceList):
    rows = staticmethod(queries.routes)
    slug = "routes"
    heading = "Drill routes"
    explanation = "One drill notification to one connector, which wants acknowledging."
    empty = "No drill has been notified yet. Schedules due within 14 days make routes when notifications are sent."
    columns = (
        identity("Route", "route_id", pages.ROUTE),
        Column("Schedule", "schedule.schedule_id", Kind.ID, pages.SCHEDULE),
        Column("Connector", "provider"),
        Column("Owner", "owner"),
        Column("Reason", "reason"),
        time("Drill due", "next_due_at"),
        time("Made", "created_at"),
    )
    list_filter = (
        filters.provider(),
        filters.choice("category", "category", Category),
        filters.exact("owner", "owner"),
        filters.exact("schedule_id", "schedule id", column="schedule__schedule_id"),
        filters.age("created_at"),
    )


class AcknowledgementList(EvidenceList):
    rows = staticmethod(queries.acknowledgements)
    slug = "acknowledgements"
    heading = "Drill acknowledgements"
    explanation = "A person's word on a drill route. The latest one counts."
    empty = "No route has been acknowledged yet. A route's page has the button."
    columns = (
        Column("Acknowledgement", "acknowledgement_id", Kind.ID),
        word("State", "acknowledgement_state"),
        Column("Schedule", "route.schedule.schedule_id", Kind.ID, pages.SCHEDULE),
        Column("Connector", "route.provider"),
        Column("By", "acknowledged_by"),
        Column("Reference", "external_ref"),
        time("When", "acknowledged_at"),
    )
    list_filter = (
        filters.choice("acknowledgement_state", "state", AcknowledgementState),
        filters.provider("route__provider"),
        filters.exact("schedule_id", "schedule id", column="route__schedule__schedule_id"),
        filters.exact("route_id", "route id", column="route__route_id"),
        filters.age("acknowledged_at"),
    )
