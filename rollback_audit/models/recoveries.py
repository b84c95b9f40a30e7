from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.constraints import BaseConstraint

from rollback_audit.models.connectors import Connector
from rollback_audit.models.constraints import choices, one_of
from rollback_audit.states import Category, ClosureState, RecoveryState


class Recovery(models.Model):
    """One outage of one connector, counted from its first failure. A repeated playbook updates the open one.

    `playbook_id` is the newest playbook that lists it, `closure_state` the newest word on it. `closed_at` is set while
    it is closed.
    """

    recovery_id = models.CharField(max_length=64, unique=True)
    playbook_id = models.CharField(max_length=64)
    connector = models.ForeignKey(Connector, on_delete=models.PROTECT, related_name="recoveries")
    provider = models.CharField(max_length=63)
    category = models.CharField(max_length=16, choices=choices(Category))
    state = models.CharField(max_length=16, choices=choices(RecoveryState))
    failure_count = models.PositiveIntegerField()
    first_failure_at = models.DateTimeField()
    latest_failure_at = models.DateTimeField()
    status_codes = models.JSONField(default=list)
    failure_kinds = models.JSONField(default=list)
    closure_state = models.CharField(max_length=16, choices=choices(ClosureState), null=True, blank=True)
    opened_by = models.CharField(max_length=150)
    opened_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        verbose_name_plural = "recoveries"
        constraints: ClassVar[list[BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["connector"],
                condition=Q(state=RecoveryState.OPEN.value),
                name="recovery_one_open_per_connector",
            ),
            one_of("state", RecoveryState, name="recovery_state_known"),
            one_of("category", Category, name="recovery_category_known"),
            one_of("closure_state", ClosureState, name="recovery_closure_state_known"),
            models.CheckConstraint(
                condition=Q(state=RecoveryState.OPEN.value, closed_at__isnull=True)
                | Q(state=RecoveryState.CLOSED.value, closed_at__isnull=False),
                name="recovery_closed_has_a_moment",
            ),
            models.CheckConstraint(
                condition=Q(failure_count__gte=1, first_failure_at__lte=F("latest_failure_at")),
                name="recovery_has_a_failure",
            ),
        ]

    def __str__(self) -> str:
        return self.recovery_id


class RecoveryPlaybook(models.Model):
    """One look at the connectors' failures. Never changed."""

    playbook_id = models.CharField(max_length=64, unique=True)
    min_failure_count = models.PositiveIntegerField()
    lookback_hours = models.PositiveIntegerField()
    provider_count = models.PositiveIntegerField()
    generated_by = models.CharField(max_length=128)
    actor = models.CharField(max_length=150)
    generated_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return self.playbook_id


class RecoveryPlaybookEntry(models.Model):
    """What a playbook says of one connector: its failures as they stood then, and the steps by their codes."""

    playbook = models.ForeignKey(RecoveryPlaybook, on_delete=models.PROTECT, related_name="entries", db_index=False)
    recovery = models.ForeignKey(Recovery, on_delete=models.PROTECT, related_name="entries")
    failure_count = models.PositiveIntegerField()
    first_failure_at = models.DateTimeField()
    latest_failure_at = models.DateTimeField()
    status_codes = models.JSONField(default=list)
    failure_kinds = models.JSONField(default=list)
    recovery_steps = models.JSONField(default=list)

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["id"]
        verbose_name_plural = "recovery playbook entries"
        constraints: ClassVar[list[BaseConstraint]] = [
            models.UniqueConstraint(fields=["playbook", "recovery"], name="playbook_entry_once"),
        ]

    def __str__(self) -> str:
        return f"{self.playbook_id} on {self.recovery_id}"


class RecoveryClosure(models.Model):
    """A person's word on a recovery. Never changed; `notes` never leave the database."""

    closure_id = models.CharField(max_length=64, unique=True)
    recovery = models.ForeignKey(Recovery, on_delete=models.PROTECT, related_name="closures")
    playbook = models.ForeignKey(RecoveryPlaybook, on_delete=models.PROTECT, related_name="closures")
    closure_state = models.CharField(max_length=16, choices=choices(ClosureState))
    external_ref = models.CharField(max_length=200, blank=True)
    notes = models.TextField(blank=True)
    verification_refs = models.JSONField(default=list)
    closed_by = models.CharField(max_length=128)
    actor = models.CharField(max_length=150)
    closed_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            one_of("closure_state", ClosureState, name="closure_state_known"),
        ]

    def __str__(self) -> str:
        return self.closure_id
