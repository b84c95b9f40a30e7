from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.constraints import BaseConstraint

from rollback_audit.models.constraints import choices, one_of
from rollback_audit.states import AcknowledgementState, AlertLevel, HealthAlertState, HealthCode

_OPEN = Q(state=HealthAlertState.OPEN.value)


class HealthAlert(models.Model):
    """A condition of the worker that was told of, from its first telling to its end.

    `key` is code and subject. `health_id` is the audit id of the package that told of it last, its end included.
    """

    alert_id = models.CharField(max_length=64, unique=True)
    key = models.CharField(max_length=96)
    code = models.CharField(max_length=32, choices=choices(HealthCode))
    subject = models.CharField(max_length=64)
    severity = models.CharField(max_length=16, choices=choices(AlertLevel))
    level_percent = models.PositiveSmallIntegerField(default=0, help_text="The step of the ladder; 0 without one.")
    message = models.CharField(max_length=300)
    state = models.CharField(max_length=16, choices=choices(HealthAlertState))
    health_id = models.CharField(max_length=64)
    opened_at = models.DateTimeField()
    last_told_at = models.DateTimeField()
    told_count = models.PositiveIntegerField(default=1)
    recovered_at = models.DateTimeField(null=True, blank=True)
    acknowledgement_state = models.CharField(
        max_length=16, choices=choices(AcknowledgementState), null=True, blank=True
    )

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            # However many look at once, a condition is told once.
            models.UniqueConstraint(fields=["key"], condition=_OPEN, name="health_alert_open_once"),
            one_of("code", HealthCode, name="health_alert_code_known"),
            one_of("severity", AlertLevel, name="health_alert_severity_known"),
            one_of("state", HealthAlertState, name="health_alert_state_known"),
            one_of("acknowledgement_state", AcknowledgementState, name="health_alert_ack_known"),
            models.CheckConstraint(
                condition=(_OPEN & Q(recovered_at__isnull=True)) | (~_OPEN & Q(recovered_at__isnull=False)),
                name="health_alert_recovered_has_a_moment",
            ),
            models.CheckConstraint(
                condition=Q(last_told_at__gte=F("opened_at"), told_count__gte=1), name="health_alert_was_told"
            ),
        ]
        indexes: ClassVar = [
            # What was last told, of conditions that came and went within a window too.
            models.Index(fields=["last_told_at"], name="health_alert_told"),
        ]

    def __str__(self) -> str:
        return self.alert_id


class HealthAlertAcknowledgement(models.Model):
    """A person's word on an alert. Rows are added, never changed; `notes` never leave the database."""

    acknowledgement_id = models.CharField(max_length=64, unique=True)
    alert = models.ForeignKey(HealthAlert, on_delete=models.PROTECT, related_name="acknowledgements")
    provider = models.CharField(max_length=63, blank=True, help_text="Where it was read, if that was said.")
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
            one_of("acknowledgement_state", AcknowledgementState, name="health_acknowledgement_state_known"),
        ]

    def __str__(self) -> str:
        return self.acknowledgement_id
