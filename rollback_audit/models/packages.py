from typing import ClassVar

from django.db import models
from django.db.models.constraints import BaseConstraint

from rollback_audit.models.constraints import choices, one_of
from rollback_audit.states import AlertLevel, Source


class EvidencePackage(models.Model):
    """Public-safe evidence of one kind, never changed. `record` is canonical JSON and `digest` its SHA-256."""

    audit_id = models.CharField(max_length=64, unique=True)
    source = models.CharField(max_length=96, choices=choices(Source))
    alert_level = models.CharField(max_length=16, choices=choices(AlertLevel))
    route_count = models.PositiveIntegerField()
    record = models.TextField()
    digest = models.CharField(max_length=64)
    generated_by = models.CharField(max_length=128)
    actor = models.CharField(max_length=150)
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            one_of("source", Source, name="package_source_known"),
            one_of("alert_level", AlertLevel, name="package_alert_level_known"),
        ]

    def __str__(self) -> str:
        return self.audit_id


class DeliveryPlan(models.Model):
    """One decision to deliver a package: which connectors, in which cadence, and the event they all get.

    `event` is the canonical JSON that goes on the wire, `event_digest` its SHA-256; a retry sends the same bytes.
    """

    delivery_id = models.CharField(max_length=64)
    package = models.ForeignKey(EvidencePackage, on_delete=models.PROTECT, related_name="delivery_plans")
    event = models.TextField()
    event_digest = models.CharField(max_length=64)
    event_type = models.CharField(max_length=128)
    selected_providers = models.JSONField(default=list)
    cadence = models.CharField(max_length=64)
    schedule_ref = models.CharField(max_length=128, blank=True)
    next_delivery_at = models.DateTimeField(null=True, blank=True)
    generated_by = models.CharField(max_length=128)
    actor = models.CharField(max_length=150)
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            models.UniqueConstraint(fields=["delivery_id"], name="delivery_plan_once"),
        ]

    def __str__(self) -> str:
        return self.delivery_id
