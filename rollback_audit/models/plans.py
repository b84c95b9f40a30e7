from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.constraints import BaseConstraint

from rollback_audit.models.constraints import choices, one_of
from rollback_audit.models.deliveries import Delivery
from rollback_audit.states import Action, AlertLevel, ReasonCode


class RetryPlan(models.Model):
    """A list of decisions, never changed. `plan_digest` covers policy, clock, filters and every decision."""

    retry_plan_id = models.CharField(max_length=64, unique=True)
    plan_digest = models.CharField(max_length=64)
    policy = models.JSONField()
    policy_digest = models.CharField(max_length=64)
    connector_revisions = models.JSONField(default=dict, help_text="The revision of each connector it decided on.")
    source = models.CharField(max_length=96, blank=True)
    provider = models.CharField(max_length=63, blank=True)
    decision_count = models.PositiveIntegerField()
    retryable_count = models.PositiveIntegerField()
    waiting_count = models.PositiveIntegerField()
    suppressed_count = models.PositiveIntegerField()
    alert_level = models.CharField(max_length=16, choices=choices(AlertLevel))
    generated_by = models.CharField(max_length=128)
    actor = models.CharField(max_length=150)
    maker = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    generated_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            one_of("alert_level", AlertLevel, name="retry_plan_alert_level_known"),
            models.CheckConstraint(
                condition=Q(
                    decision_count=F("retryable_count") + F("waiting_count") + F("suppressed_count"),
                ),
                name="retry_plan_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return self.retry_plan_id


class RetryDecision(models.Model):
    """What a plan says of one delivery: a snapshot of its facts, the verdict, and the digests that bind both."""

    # Found by plan through the constraint below; each further index costs a plan of a million rows dearly.
    plan = models.ForeignKey(RetryPlan, on_delete=models.PROTECT, related_name="decisions", db_index=False)
    ordinal = models.PositiveIntegerField()
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="decisions")
    action = models.CharField(max_length=16, choices=choices(Action))
    reason_code = models.CharField(max_length=32, choices=choices(ReasonCode))
    retry_count = models.PositiveIntegerField()
    retry_delay_minutes = models.PositiveIntegerField()
    next_retry_at = models.DateTimeField(null=True, blank=True)
    attempt_number = models.PositiveIntegerField()
    latest_attempt_at = models.DateTimeField()
    failed_status_codes = models.CharField(max_length=255, blank=True)
    request_digest = models.CharField(max_length=64)
    decision_digest = models.CharField(max_length=64)

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["plan_id", "ordinal"]
        constraints: ClassVar[list[BaseConstraint]] = [
            models.UniqueConstraint(fields=["plan", "ordinal"], name="retry_decision_ordered"),
            one_of("action", Action, name="retry_decision_action_known"),
            one_of("reason_code", ReasonCode, name="retry_decision_reason_known"),
            models.CheckConstraint(
                condition=~Q(action=Action.RETRY.value) | Q(next_retry_at__isnull=False),
                name="retry_decision_retry_has_a_moment",
            ),
        ]

    def __str__(self) -> str:
        return f"decision {self.ordinal} of plan {self.plan_id}"
