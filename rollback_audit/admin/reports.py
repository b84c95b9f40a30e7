"""Lists of escalations, the words said on them, and stored executive reports."""

from rollback_audit.admin import filters, pages
from rollback_audit.admin.columns import Column, Kind, identity, number, time, word
from rollback_audit.admin.lists import EvidenceList
from rollback_audit.engine import queries
from rollback_audit.states import AlertLevel, EscalationAcknowledgementState


class EscalationList(EvidenceList):
    rows = staticmethod(queries.escalations)
    slug = "escalations"
    heading = "Escalations"
    explanation = "Open recoveries near or past their objective, packaged and sent over connectors that work."
    empty = "No escalation yet. Plan escalation looks at every open recovery."
    columns = (
        identity("Escalation", "plan_id", pages.ESCALATION),
        word("Alert", "alert_level"),
        number("Recoveries", "escalation_count"),
        number("At risk", "at_risk_count"),
        number("Breached", "slo_breached_count"),
        number("Objective (min)", "recovery_slo_minutes"),
        Column("Made by", "generated_by"),
        time("Made", "generated_at"),
    )
    list_filter = (
        filters.choice("alert_level", "alert level", AlertLevel),
        filters.provider("items__recovery__provider"),
        filters.age("generated_at"),
        filters.exact("plan_id", "escalation id"),
    )


class EscalationWordList(EvidenceList):
    rows = staticmethod(queries.escalation_acknowledgements)
    slug = "escalation-words"
    heading = "Escalation acknowledgements"
    explanation = "A person's word on an escalation. The latest one counts."
    empty = "No escalation has been acknowledged yet. An escalation's page has the button."
    columns = (
        identity("Acknowledgement", "acknowledgement_id"),
        word("State", "acknowledgement_state"),
        Column("Escalation", "escalation.plan_id", Kind.ID, pages.ESCALATION),
        Column("Connector", "provider"),
        Column("By", "acknowledged_by"),
        Column("Reference", "external_ref"),
        time("When", "acknowledged_at"),
    )
    list_filter = (
        filters.choice("acknowledgement_state", "state", EscalationAcknowledgementState),
        filters.provider(),
        filters.age("acknowledged_at"),
        filters.exact("plan_id", "escalation id", column="escalation__plan_id"),
    )


class ReportList(EvidenceList):
    rows = staticmethod(queries.executive_reports)
    slug = "executive-reports"
    heading = "Executive reports"
    explanation = "Reports as they were stored, one for each window. A report never changes."
    empty = "No report is stored yet. The executive report's page has the button."
    columns = (
        identity("Report", "run_id", pages.REPORT),
        word("Alert", "alert_level"),
        number("Risks", "risk_count"),
        number("Covers (h)", "lookback_hours"),
        Column("Cadence", "cadence"),
        Column("Made by", "generated_by"),
        time("Window", "window_start"),
        time("Made", "generated_at"),
    )
    list_filter = (
        filters.choice("alert_level", "alert level", AlertLevel),
        filters.age("generated_at"),
        filters.exact("run_id", "report id"),
        filters.exact("generated_by", "made by"),
    )
