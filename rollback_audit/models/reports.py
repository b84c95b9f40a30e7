from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.constraints import BaseConstraint

from rollback_audit.models.constraints import choices, one_of
from rollback_audit.models.packages import EvidencePackage
from rollback_audit.models.recoveries import Recovery
from rollback_audit.states import AlertLevel, EscalationAcknowledgementState, EscalationLevel


class RecoveryEscalation(models.Model):
    """The open recoveries near or past their objective, as they stood when it was planned. Its package holds them all.

    `plan_id` is the package's `audit_id` as well, so its deliveries are found by either name.
    """

    plan_id = models.CharField(max_length=64, unique=True)
    package = models.OneToOneField(EvidencePackage, on_delete=models.PROTECT, related_name="escalation")
    recovery_slo_minutes = models.PositiveIntegerField()
    at_risk_percent = models.PositiveSmallIntegerField()
    minimum_level = models.CharField(max_length=16, choices=choices(EscalationLevel))
    alert_level = models.CharField(max_length=16, choices=choices(AlertLevel))
    escalation_count = models.PositiveIntegerField()
    at_risk_count = models.PositiveIntegerField()
    slo_breached_count = models.PositiveIntegerField()
    generated_by = models.CharField(max_length=128)
    actor = models.CharField(max_length=150)
    generated_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            one_of("minimum_level", EscalationLevel, name="escalation_minimum_level_known"),
            one_of("alert_level", AlertLevel, name="escalation_alert_level_known"),
            models.CheckConstraint(
                condition=Q(escalation_count=F("at_risk_count") + F("slo_breached_count")),
                name="escalation_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return self.plan_id


class EscalatedRecovery(models.Model):
    """One recovery that an escalation is about, and how far it was past its objective."""

    escalation = models.ForeignKey(RecoveryEscalation, on_delete=models.PROTECT, related_name="items", db_index=False)
    recovery = models.ForeignKey(Recovery, on_delete=models.PROTECT, related_name="escalations")
    level = models.CharField(max_length=16, choices=choices(EscalationLevel))

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["id"]
        verbose_name_plural = "escalated recoveries"
        constraints: ClassVar[list[BaseConstraint]] = [
            models.UniqueConstraint(fields=["escalation", "recovery"], name="escalated_recovery_once"),
            one_of("level", EscalationLevel, name="escalated_recovery_level_known"),
        ]

    def __str__(self) -> str:
        return f"{self.level}: recovery {self.recovery_id}"


class EscalationAcknowledgement(models.Model):
    """A person's word on an escalation, or on one connector of it. The latest one counts.

    `notes` never leave the database.
    """

    acknowledgement_id = models.CharField(max_length=64, unique=True)
    escalation = models.ForeignKey(RecoveryEscalation, on_delete=models.PROTECT, related_name="acknowledgements")
    provider = models.CharField(max_length=63, blank=True, help_text="Empty: the whole escalation.")
    acknowledgement_state = models.CharField(max_length=16, choices=choices(EscalationAcknowledgementState))
    external_ref = models.CharField(max_length=200, blank=True)
    notes = models.TextField(blank=True)
    acknowledged_by = models.CharField(max_length=128)
    actor = models.CharField(max_length=150)
    acknowledged_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            one_of(
                "acknowledgement_state", EscalationAcknowledgementState, name="escalation_acknowledgement_state_known"
            ),
        ]

    def __str__(self) -> str:
        return self.acknowledgement_id


class ExecutiveReport(models.Model):
    """A report as it was stored: one for each window of an interval. Its package holds the figures.

    `run_id` is the package's `audit_id` as well, so its deliveries are found by either name.
    """

    run_id = models.CharField(max_length=64, unique=True)
    package = models.OneToOneField(EvidencePackage, on_delete=models.PROTECT, related_name="executive_report")
    interval_minutes = models.PositiveIntegerField()
    cadence = models.CharField(max_length=64)
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    lookback_hours = models.PositiveIntegerField()
    recovery_slo_minutes = models.PositiveIntegerField()
    alert_level = models.CharField(max_length=16, choices=choices(AlertLevel))
    risk_count = models.PositiveIntegerField()
    generated_by = models.CharField(max_length=128)
    actor = models.CharField(max_length=150)
    generated_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            # However often it is asked for, a window has one report.
            models.UniqueConstraint(fields=["interval_minutes", "window_start"], name="report_once_per_window"),
            one_of("alert_level", AlertLevel, name="report_alert_level_known"),
            models.CheckConstraint(
                condition=Q(interval_minutes__gte=1, interval_minutes__lte=10080), name="report_interval"
            ),
            models.CheckConstraint(condition=Q(window_end__gt=F("window_start")), name="report_window_has_length"),
        ]

    def __str__(self) -> str:
        return self.run_id
