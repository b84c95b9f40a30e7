from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.constraints import BaseConstraint

from rollback_audit.models.constraints import choices, one_of
from rollback_audit.states import AcknowledgementState


class DrillSchedule(models.Model):
    """How often a rollback is drilled, who owns it and who must acknowledge it, over which connectors."""

    schedule_id = models.CharField(max_length=64, unique=True)
    owner = models.CharField(max_length=128)
    escalation_owner = models.CharField(max_length=128, blank=True)
    providers = models.JSONField(default=list)
    interval_days = models.PositiveIntegerField()
    next_due_at = models.DateTimeField()
    acknowledgement_minutes = models.PositiveIntegerField()
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["schedule_id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            models.CheckConstraint(condition=Q(interval_days__gte=1), name="drill_schedule_interval_positive"),
            models.CheckConstraint(condition=Q(acknowledgement_minutes__gte=1), name="drill_schedule_ack_positive"),
        ]

    def __str__(self) -> str:
        return self.schedule_id


class NotificationPlan(models.Model):
    """One pass over the schedules: which drills want acknowledging, and by whom."""

    plan_id = models.CharField(max_length=64, unique=True)
    generated_by = models.CharField(max_length=128)
    actor = models.CharField(max_length=150)
    route_count = models.PositiveIntegerField()
    alert_level = models.CharField(max_length=16)
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return self.plan_id


class DrillRoute(models.Model):
    """One schedule's notification to one provider, which wants acknowledging."""

    route_id = models.CharField(max_length=64, unique=True)
    plan = models.ForeignKey(NotificationPlan, on_delete=models.PROTECT, related_name="routes")
    schedule = models.ForeignKey(DrillSchedule, on_delete=models.PROTECT, related_name="routes")
    provider = models.CharField(max_length=63)
    owner = models.CharField(max_length=128)
    escalation_owner = models.CharField(max_length=128, blank=True)
    action = models.CharField(max_length=32)
    category = models.CharField(max_length=16)
    reason = models.CharField(max_length=200)
    acknowledgement_minutes = models.PositiveIntegerField()
    next_due_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            models.UniqueConstraint(fields=["plan", "schedule", "provider"], name="drill_route_once_per_plan"),
        ]

    def __str__(self) -> str:
        return self.route_id


class DrillAcknowledgement(models.Model):
    """A person's word on a route. Rows are added, never changed; the latest one of a route counts.

    `notes` never leave the database.
    """

    acknowledgement_id = models.CharField(max_length=64, unique=True)
    route = models.ForeignKey(DrillRoute, on_delete=models.PROTECT, related_name="acknowledgements")
    acknowledgement_state = models.CharField(max_length=16, choices=choices(AcknowledgementState))
    external_ref = models.CharField(max_length=200, blank=True)
    notes = models.TextField(blank=True)
    acknowledged_by = models.CharField(max_length=128)
    actor = models.CharField(max_length=150)
    acknowledged_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            one_of("acknowledgement_state", AcknowledgementState, name="drill_acknowledgement_state_known"),
        ]

    def __str__(self) -> str:
        return self.acknowledgement_id
