"""The addresses below /runtime/go-pilot/. Each is served without a trailing slash and with one."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path, re_path, register_converter

from rollback_audit.api.description import Description
from rollback_audit.api.errors import not_found
from rollback_audit.api.viewsets.approvals import ApprovalDecisions, ApprovalPlanEntries, ApprovalPlans
from rollback_audit.api.viewsets.connectors import Connectors
from rollback_audit.api.viewsets.deliveries import AuditDeliveries, AuditPackages, Deliveries
from rollback_audit.api.viewsets.drills import DrillAcknowledgements, DrillNotifications, DrillRoutes, DrillSchedules
from rollback_audit.api.viewsets.evidence import (
    EvidenceBundle,
    EvidenceCheckpoints,
    EvidenceConsistency,
    EvidenceLedger,
    EvidenceProofs,
    EvidenceVerifier,
)
from rollback_audit.api.viewsets.health import (
    WorkerHealth,
    WorkerHealthAcknowledgements,
    WorkerHealthAlertDashboard,
    WorkerHealthAlerts,
)
from rollback_audit.api.viewsets.history import DrillDashboard, History, WorkerDashboard
from rollback_audit.api.viewsets.plans import (
    RetryAcknowledgements,
    RetryPlanDecisions,
    RetryPlans,
    RetryPolicyBackTests,
)
from rollback_audit.api.viewsets.recoveries import Recoveries, RecoveryClosures, RecoveryPlaybooks, RetryRecoveryReport
from rollback_audit.api.viewsets.reports import (
    EscalationAcknowledgements,
    ExecutiveReports,
    RecoveryEscalations,
    ReportRuns,
)
from rollback_audit.api.viewsets.retention import LegalHolds
from rollback_audit.api.viewsets.runs import WorkerRunResults, WorkerRuns


class RecordId:
    """An id of ours. What cannot be one is not looked up: databases refuse some characters with errors of their own."""

    regex = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(RecordId, "record")

app_name = "api"
B = "rollback-drill-notifications"
A = f"{B}/acknowledgements/audit-delivery"
E = "evidence"

# Methods and the actions that serve them; Any, because the stubs take no plain dict of strings.
_LIST: dict[str, Any] = {"get": "list"}
_CREATE: dict[str, Any] = {"post": "create"}
_RETRIEVE: dict[str, Any] = {"get": "retrieve"}

_VIEWS: list[tuple[str, Callable[..., Any], str]] = [
    ("openapi.json", Description.as_view(_RETRIEVE), "description"),
    # The four routes of the mission.
    (f"{A}/retry-plan", RetryPlans.as_view(_CREATE), "retry-plan-create"),
    (f"{A}/worker-run", WorkerRuns.as_view({"post": "start"}), "worker-run-start"),
    (f"{A}/worker-runs", WorkerRuns.as_view(_LIST), "worker-runs"),
    (f"{A}/worker-dashboard", WorkerDashboard.as_view(_RETRIEVE), "worker-dashboard"),
    # Plans and runs in detail.
    (f"{A}/retry-plans", RetryPlans.as_view(_LIST), "retry-plans"),
    (f"{A}/retry-plans/<record:retry_plan_id>", RetryPlans.as_view(_RETRIEVE), "retry-plan"),
    (f"{A}/retry-plans/<record:retry_plan_id>/decisions", RetryPlanDecisions.as_view(_LIST), "retry-plan-decisions"),
    (f"{A}/retry-policy-back-test", RetryPolicyBackTests.as_view(_CREATE), "retry-policy-back-test"),
    (f"{A}/worker-runs/<record:run_id>", WorkerRuns.as_view(_RETRIEVE), "worker-run"),
    (f"{A}/worker-runs/<record:run_id>/results", WorkerRunResults.as_view(_LIST), "worker-run-results"),
    (f"{A}/worker-runs/<record:run_id>/pause", WorkerRuns.as_view({"post": "pause"}), "worker-run-pause"),
    (f"{A}/worker-runs/<record:run_id>/resume", WorkerRuns.as_view({"post": "resume"}), "worker-run-resume"),
    (f"{A}/worker-runs/<record:run_id>/abort", WorkerRuns.as_view({"post": "abort"}), "worker-run-abort"),
    # Governance.
    (
        f"{A}/retry-plans/<record:retry_plan_id>/acknowledgements",
        RetryAcknowledgements.as_view(_CREATE),
        "retry-acknowledgements",
    ),
    (f"{A}/retry-execution-approval-plan", ApprovalPlans.as_view(_CREATE), "approval-plan-create"),
    (
        f"{A}/retry-execution-approval-plans/<record:approval_plan_id>",
        ApprovalPlans.as_view(_RETRIEVE),
        "approval-plan",
    ),
    (
        f"{A}/retry-execution-approval-plans/<record:approval_plan_id>/entries",
        ApprovalPlanEntries.as_view(_LIST),
        "approval-plan-entries",
    ),
    (
        f"{A}/retry-execution-approval-plans/<record:approval_plan_id>/decisions",
        ApprovalDecisions.as_view(_CREATE),
        "approval-decisions",
    ),
    # Recovery of connectors.
    (f"{A}/connector-recovery-playbook", RecoveryPlaybooks.as_view(_CREATE), "recovery-playbook-create"),
    (f"{A}/connector-recovery-playbooks", RecoveryPlaybooks.as_view(_LIST), "recovery-playbooks"),
    (
        f"{A}/connector-recovery-playbooks/<record:playbook_id>",
        RecoveryPlaybooks.as_view(_RETRIEVE),
        "recovery-playbook",
    ),
    (
        f"{A}/connector-recovery-playbooks/<record:playbook_id>/closures",
        RecoveryClosures.as_view(_LIST | _CREATE),
        "recovery-closures",
    ),
    (f"{A}/connector-recoveries", Recoveries.as_view(_LIST), "recoveries"),
    (f"{A}/connector-recoveries/<record:recovery_id>", Recoveries.as_view(_RETRIEVE), "recovery"),
    (f"{A}/retry-recovery-report", RetryRecoveryReport.as_view(_RETRIEVE), "retry-recovery-report"),
    # Escalations and executive reports.
    (f"{A}/recovery-escalation-plan", RecoveryEscalations.as_view(_CREATE), "escalation-create"),
    (f"{A}/recovery-escalations", RecoveryEscalations.as_view(_LIST), "escalations"),
    (f"{A}/recovery-escalations/<record:escalation_id>", RecoveryEscalations.as_view(_RETRIEVE), "escalation"),
    (
        f"{A}/recovery-escalations/<record:escalation_id>/deliver",
        RecoveryEscalations.as_view({"post": "deliver"}),
        "escalation-deliver",
    ),
    (
        f"{A}/recovery-escalations/<record:escalation_id>/acknowledgements",
        EscalationAcknowledgements.as_view(_LIST | _CREATE),
        "escalation-acknowledgements",
    ),
    (f"{A}/recovery-executive-report", ExecutiveReports.as_view(_RETRIEVE), "executive-report"),
    (f"{A}/recovery-executive-report/schedule-run", ReportRuns.as_view(_CREATE), "executive-report-store"),
    (f"{A}/recovery-executive-report/schedule-runs", ReportRuns.as_view(_LIST), "executive-report-runs"),
    (
        f"{A}/recovery-executive-report/schedule-runs/<record:report_id>",
        ReportRuns.as_view(_RETRIEVE),
        "executive-report-run",
    ),
    (
        f"{A}/recovery-executive-report/schedule-runs/<record:report_id>/deliver",
        ReportRuns.as_view({"post": "deliver"}),
        "executive-report-deliver",
    ),
    # Worker health.
    (f"{A}/worker-health", WorkerHealth.as_view(_RETRIEVE), "worker-health"),
    (f"{A}/worker-health-alerts", WorkerHealthAlerts.as_view(_LIST), "worker-health-alerts"),
    (f"{A}/worker-health-alerts/deliver", WorkerHealthAlerts.as_view({"post": "deliver"}), "worker-health-deliver"),
    (
        f"{A}/worker-health-alerts/<record:alert_id>/acknowledgements",
        WorkerHealthAcknowledgements.as_view(_CREATE),
        "worker-health-acknowledgements",
    ),
    (f"{A}/worker-health-alert-dashboard", WorkerHealthAlertDashboard.as_view(_RETRIEVE), "worker-health-dashboard"),
    # Deliveries and connectors.
    (A, AuditDeliveries.as_view(_CREATE), "audit-delivery"),
    (f"{A}/deliveries", Deliveries.as_view(_LIST), "deliveries"),
    (f"{A}/deliveries/<record:delivery_id>", Deliveries.as_view(_RETRIEVE), "delivery"),
    (f"{A}/connectors", Connectors.as_view(_LIST), "connectors"),
    (f"{A}/connectors/<record:name>/test", Connectors.as_view({"post": "test"}), "connector-test"),
    (f"{A}/connectors/<record:name>/release", Connectors.as_view({"post": "release"}), "connector-release"),
    # What feeds them.
    (f"{B}/schedules", DrillSchedules.as_view(_LIST | _CREATE), "drill-schedules"),
    (
        f"{B}/schedules/<record:schedule_id>",
        DrillSchedules.as_view(_RETRIEVE | {"patch": "partial_update"}),
        "drill-schedule",
    ),
    (f"{B}/deliver", DrillNotifications.as_view(_CREATE), "drill-notifications"),
    (f"{B}/routes", DrillRoutes.as_view(_LIST), "drill-routes"),
    (f"{B}/acknowledgements/bulk", DrillAcknowledgements.as_view({"post": "bulk"}), "acknowledgements-bulk"),
    (f"{B}/acknowledgements/audit-package", AuditPackages.as_view(_CREATE), "audit-package"),
    (f"{B}/<record:schedule_id>/acknowledgements", DrillAcknowledgements.as_view(_CREATE), "drill-acknowledgements"),
    (B, History.as_view(_LIST), "history"),
    (f"{B}/dashboard", DrillDashboard.as_view(_RETRIEVE), "drill-dashboard"),
    # Proof.
    (f"{E}/ledger", EvidenceLedger.as_view(_RETRIEVE), "evidence-ledger"),
    (f"{E}/checkpoints", EvidenceCheckpoints.as_view(_LIST), "evidence-checkpoints"),
    (f"{E}/checkpoints/<int:tree_size>", EvidenceCheckpoints.as_view(_RETRIEVE), "evidence-checkpoint"),
    (f"{E}/entries/<record:session_id>/proof", EvidenceProofs.as_view(_RETRIEVE), "evidence-proof"),
    (f"{E}/consistency", EvidenceConsistency.as_view(_RETRIEVE), "evidence-consistency"),
    (f"{E}/bundle", EvidenceBundle.as_view(_RETRIEVE), "evidence-bundle"),
    (f"{E}/holds", LegalHolds.as_view(_LIST | _CREATE), "legal-holds"),
    (f"{E}/holds/<record:hold_id>", LegalHolds.as_view(_RETRIEVE), "legal-hold"),
    (f"{E}/holds/<record:hold_id>/release", LegalHolds.as_view({"post": "release"}), "legal-hold-release"),
    (f"{E}/verify_evidence.py", EvidenceVerifier.as_view(_RETRIEVE), "evidence-verifier"),
]

urlpatterns: list[URLPattern] = [
    *(path(address, view, name=name) for address, view, name in _VIEWS),
    *(path(f"{address}/", view) for address, view, _ in _VIEWS),
    re_path("", not_found),
]
