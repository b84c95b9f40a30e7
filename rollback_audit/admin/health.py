"""Lists of what was told about the worker's health, and what people said to it."""

from rollback_audit.admin import filters, pages
from rollback_audit.admin.columns import Column, Kind, identity, name, number, time, word
from rollback_audit.admin.lists import EvidenceList
from rollback_audit.engine import queries
from rollback_audit.states import AcknowledgementState, AlertLevel, HealthAlertState, HealthCode


class AlertList(EvidenceList):
    rows = staticmethod(queries.health_alerts)
    slug = "alerts"
    heading = "Health alerts"
    explanation = "Conditions of the worker that were told of, each from its first telling to its end."
    empty = "No alert has been told yet. The Health page shows what is wrong now, and has the button."
    columns = (
        identity("Alert", "alert_id", pages.ALERT),
        word("What", "code"),
        Column("About", "subject"),
        name("Severity", "severity"),
        word("State", "state"),
        word("Answer", "acknowledgement_state"),
        number("Told", "told_count"),
        time("Last told", "last_told_at"),
        time("Ended", "recovered_at"),
    )
    list_filter = (
        filters.choice("state", "state", HealthAlertState),
        filters.choice("code", "condition", HealthCode),
        filters.choice("severity", "severity", AlertLevel),
        filters.choice("acknowledgement_state", "answer", AcknowledgementState),
        filters.exact("subject", "subject"),
        filters.exact("health_id", "health id"),
        filters.age("last_told_at"),
    )


class AlertAcknowledgementList(EvidenceList):
    rows = staticmethod(queries.health_acknowledgements)
    slug = "alert-acknowledgements"
    heading = "Alert acknowledgements"
    explanation = "A person's word on an alert. The latest one counts."
    empty = "No alert has been acknowledged yet. An alert's page has the form."
    columns = (
        identity("Acknowledgement", "acknowledgement_id"),
        word("State", "acknowledgement_state"),
        Column("Alert", "alert.alert_id", Kind.ID, pages.ALERT),
        word("What", "alert.code"),
        Column("By", "acknowledged_by"),
        Column("Reference", "external_ref"),
        time("When", "acknowledged_at"),
    )
    list_filter = (
        filters.choice("acknowledgement_state", "state", AcknowledgementState),
        filters.choice("code", "condition", HealthCode, column="alert__code"),
        filters.exact("alert_id", "alert id", column="alert__alert_id"),
        filters.age("acknowledged_at"),
    )
