"""What doors read, newest first. They filter and page these; presenters need no further query for a row.

Notes and wire bodies stay behind: they are deferred, so that no list carries them by accident.
"""

from django.db.models import QuerySet

from rollback_audit.models import (
    ApprovalDecision,
    ApprovalPlan,
    Connector,
    Delivery,
    DeliveryAttempt,
    DeliveryPlan,
    DrillAcknowledgement,
    DrillRoute,
    DrillSchedule,
    EscalationAcknowledgement,
    EvidenceEntry,
    EvidencePackage,
    ExecutiveReport,
    HealthAlert,
    HealthAlertAcknowledgement,
    LedgerCheckpoint,
    LegalHold,
    NotificationPlan,
    PrunedEntry,
    Recovery,
    RecoveryClosure,
    RecoveryEscalation,
    RecoveryPlaybook,
    RetryAcknowledgement,
    RetryDecision,
    RetryPlan,
    RunLane,
    WorkerResult,
    WorkerRun,
    WorkerSchedule,
)
from rollback_audit.states import KEPT_FOR_EVER, MetadataKind

# Kinds that history shows only when asked for by name: no CAVRA record has them.
LEDGER_ONLY = [
    kind.value
    for kind in (
        MetadataKind.SCHEDULE_CHANGED,
        MetadataKind.ATTEMPT_SENDING,
        MetadataKind.POSSIBLE_DUPLICATE,
        MetadataKind.LATE_RESULT,
        MetadataKind.RUN_QUEUED,
        MetadataKind.RUN_CHANGED,
        MetadataKind.CONNECTOR_CHANGED,
        MetadataKind.CONNECTOR_TESTED,
        *sorted(KEPT_FOR_EVER),
    )
]


def schedules() -> QuerySet[DrillSchedule]:
    return DrillSchedule.objects.order_by("-id")


def notification_plans() -> QuerySet[NotificationPlan]:
    return NotificationPlan.objects.order_by("-id")


def routes() -> QuerySet[DrillRoute]:
    return DrillRoute.objects.select_related("plan", "schedule").order_by("-id")


def acknowledgements() -> QuerySet[DrillAcknowledgement]:
    return DrillAcknowledgement.objects.select_related("route__plan", "route__schedule").defer("notes").order_by("-id")


def packages() -> QuerySet[EvidencePackage]:
    """Evidence of every kind; filter by `source`."""
    return EvidencePackage.objects.order_by("-id")


def delivery_plans() -> QuerySet[DeliveryPlan]:
    return DeliveryPlan.objects.select_related("package").defer("event", "package__record").order_by("-id")


def deliveries() -> QuerySet[Delivery]:
    return Delivery.objects.order_by("-id")


def attempts() -> QuerySet[DeliveryAttempt]:
    return (
        DeliveryAttempt.objects.select_related("delivery", "approval", "result__run")
        .defer("approval__notes", "approval__second_notes")
        .order_by("-id")
    )


def plans() -> QuerySet[RetryPlan]:
    return RetryPlan.objects.order_by("-id")


def decisions() -> QuerySet[RetryDecision]:
    return RetryDecision.objects.select_related("plan", "delivery").order_by("-id")


def retry_acknowledgements() -> QuerySet[RetryAcknowledgement]:
    return (
        RetryAcknowledgement.objects.select_related("decision__plan", "decision__delivery")
        .defer("notes")
        .order_by("-id")
    )


def approval_plans() -> QuerySet[ApprovalPlan]:
    return ApprovalPlan.objects.select_related("retry_plan").order_by("-id")


def approval_decisions() -> QuerySet[ApprovalDecision]:
    return (
        ApprovalDecision.objects.select_related(
            "approval_plan__retry_plan", "retry_decision", "delivery", "approver", "second_approver"
        )
        .defer("notes", "second_notes")
        .order_by("-id")
    )


def runs() -> QuerySet[WorkerRun]:
    return WorkerRun.objects.select_related("retry_plan", "worker_schedule").order_by("-id")


def lanes() -> QuerySet[RunLane]:
    """What live runs sent over each connector."""
    return RunLane.objects.select_related("run", "connector").order_by("-id")


def results() -> QuerySet[WorkerResult]:
    """With everything that runs.result_records asks of a row."""
    related = WorkerResult.objects.select_related(
        "run",
        "decision__plan",
        "decision__delivery",
        "delivery__plan__package",
        "attempt__delivery",
        "attempt__approval",
        "attempt__result__run",
    )
    hidden = (
        "delivery__plan__event",
        "delivery__plan__package__record",
        "attempt__approval__notes",
        "attempt__approval__second_notes",
    )
    return related.defer(*hidden).order_by("-id")


def recoveries() -> QuerySet[Recovery]:
    return Recovery.objects.order_by("-id")


def recovery_playbooks() -> QuerySet[RecoveryPlaybook]:
    return RecoveryPlaybook.objects.order_by("-id")


def recovery_closures() -> QuerySet[RecoveryClosure]:
    return RecoveryClosure.objects.select_related("recovery", "playbook").defer("notes").order_by("-id")


def connectors() -> QuerySet[Connector]:
    return Connector.objects.order_by("-id")


def worker_schedules() -> QuerySet[WorkerSchedule]:
    return WorkerSchedule.objects.order_by("-id")


def escalations() -> QuerySet[RecoveryEscalation]:
    """With the package that holds what each says."""
    return RecoveryEscalation.objects.select_related("package").order_by("-id")


def escalation_acknowledgements() -> QuerySet[EscalationAcknowledgement]:
    return EscalationAcknowledgement.objects.select_related("escalation").defer("notes").order_by("-id")


def executive_reports() -> QuerySet[ExecutiveReport]:
    """With the package that holds each one's figures."""
    return ExecutiveReport.objects.select_related("package").order_by("-id")


def health_alerts() -> QuerySet[HealthAlert]:
    return HealthAlert.objects.order_by("-id")


def health_acknowledgements() -> QuerySet[HealthAlertAcknowledgement]:
    return HealthAlertAcknowledgement.objects.select_related("alert").defer("notes").order_by("-id")


def history() -> QuerySet[EvidenceEntry]:
    """Every line of the ledger. Doors that were not asked for a kind pass it through `records_only`."""
    return EvidenceEntry.objects.order_by("-id")


def records_only(entries: QuerySet[EvidenceEntry]) -> QuerySet[EvidenceEntry]:
    """Without the lines that only the ledger knows."""
    return entries.exclude(metadata_kind__in=LEDGER_ONLY)


def pruned_entries() -> QuerySet[PrunedEntry]:
    """The ids of lines that are gone, with their places."""
    return PrunedEntry.objects.order_by("-index")


def checkpoints() -> QuerySet[LedgerCheckpoint]:
    return LedgerCheckpoint.objects.order_by("-tree_size")


def legal_holds() -> QuerySet[LegalHold]:
    return LegalHold.objects.order_by("-id")
