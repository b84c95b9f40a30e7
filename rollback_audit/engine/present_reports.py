"""Escalations and executive reports to public records, each from the canonical record of its own package."""

import json
from datetime import datetime
from typing import Any

from rollback_audit.models import EscalationAcknowledgement, ExecutiveReport, RecoveryEscalation
from rollback_audit.records.escalations import (
    EscalatedRecoveryRecord,
    EscalationAcknowledgementRecord,
    EscalationPlanRecord,
)
from rollback_audit.records.executive_reports import (
    DeliveryTrendRecord,
    ExecutiveReportRecord,
    ExecutiveSummaryRecord,
    KeyRiskRecord,
    ProviderSummaryRecord,
    RecoveryTrendRecord,
    ReportRunRecord,
    ReportRunSummaryRecord,
)
from rollback_audit.records.runs import WindowRecord
from rollback_audit.states import (
    AlertLevel,
    Category,
    ConnectorStanding,
    EscalationAcknowledgementState,
    EscalationLevel,
    ReportRisk,
)


def escalation(row: RecoveryEscalation) -> EscalationPlanRecord:
    """An escalation as it was planned; `row.package` must be loaded."""
    stored: dict[str, Any] = json.loads(row.package.record)
    stored["generated_at"] = datetime.fromisoformat(stored["generated_at"])
    stored["minimum_level"] = EscalationLevel(stored["minimum_level"])
    stored["alert_level"] = AlertLevel(stored["alert_level"])
    stored["escalations"] = [_escalated(item) for item in stored["escalations"]]
    return EscalationPlanRecord(**stored, digest=row.package.digest)


def acknowledgement(row: EscalationAcknowledgement) -> EscalationAcknowledgementRecord:
    """A person's word, without their notes; `row.escalation` must be loaded."""
    return EscalationAcknowledgementRecord(
        acknowledgement_id=row.acknowledgement_id,
        plan_id=row.escalation.plan_id,
        provider=row.provider or None,
        acknowledgement_state=EscalationAcknowledgementState(row.acknowledgement_state),
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        external_ref=row.external_ref,
    )


def report_run(row: ExecutiveReport) -> ReportRunRecord:
    """A report as it was stored; `row.package` must be loaded."""
    return ReportRunRecord(
        run_id=row.run_id,
        audit_id=row.run_id,
        digest=row.package.digest,
        generated_at=row.generated_at,
        generated_by=row.generated_by,
        alert_level=AlertLevel(row.alert_level),
        schedule=WindowRecord(
            interval_minutes=row.interval_minutes,
            window_start=row.window_start,
            window_end=row.window_end,
            enabled=True,
            cadence=row.cadence,
        ),
        summary=ReportRunSummaryRecord(executive_report_count=1, risk_count=row.risk_count),
        executive_report=_report(json.loads(row.package.record)),
    )


def _escalated(stored: dict[str, Any]) -> EscalatedRecoveryRecord:
    moments = {
        name: datetime.fromisoformat(stored[name]) for name in ("slo_due_at", "first_failure_at", "latest_failure_at")
    }
    words = {"category": Category(stored["category"]), "level": EscalationLevel(stored["level"])}
    return EscalatedRecoveryRecord(**(stored | moments | words))


def _report(stored: dict[str, Any]) -> ExecutiveReportRecord:
    typed = {
        **{name: datetime.fromisoformat(stored[name]) for name in ("generated_at", "since", "until")},
        "alert_level": AlertLevel(stored["alert_level"]),
        "executive_summary": ExecutiveSummaryRecord(**stored["executive_summary"]),
        "key_risks": [_risk(item) for item in stored["key_risks"]],
        "provider_summary": [_provider(item) for item in stored["provider_summary"]],
        "delivery_trends": [DeliveryTrendRecord(**item) for item in stored["delivery_trends"]],
        "closure_trends": [RecoveryTrendRecord(**item) for item in stored["closure_trends"]],
    }
    return ExecutiveReportRecord(**(stored | typed))


def _risk(stored: dict[str, Any]) -> KeyRiskRecord:
    words = {"code": ReportRisk(stored["code"]), "alert_level": AlertLevel(stored["alert_level"])}
    return KeyRiskRecord(**(stored | words))


def _provider(stored: dict[str, Any]) -> ProviderSummaryRecord:
    words = {"category": Category(stored["category"]), "standing": ConnectorStanding(stored["standing"])}
    return ProviderSummaryRecord(**(stored | words))
