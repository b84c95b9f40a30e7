from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.constraints import BaseConstraint

from rollback_audit.models.constraints import choices, one_of
from rollback_audit.models.deliveries import Delivery
from rollback_audit.models.plans import RetryDecision, RetryPlan
from rollback_audit.states import ApprovalAction, ApprovalState, FourEyes, RetryAcknowledgementState


class RetryAcknowledgement(models.Model):
    """A person's review of one decision of a plan. The latest one counts; `notes` never leave the database."""

    retry_acknowledgement_id = models.CharField(max_length=64, unique=True)
    decision = models.ForeignKey(RetryDecision, on_delete=models.PROTECT, related_name="acknowledgements")
    acknowledgement_state = models.CharField(max_length=16, choices=choices(RetryAcknowledgementState))
    external_ref = models.CharField(max_length=200, blank=True)
    notes = models.TextField(blank=True)
    acknowledged_by = models.CharField(max_length=128)
    actor = models.CharField(max_length=150)
    acknowledged_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            one_of("acknowledgement_state", RetryAcknowledgementState, name="retry_acknowledgement_state_known"),
        ]

    def __str__(self) -> str:
        return self.retry_acknowledgement_id


class ApprovalPlan(models.Model):
    """Asks for approval of a retry plan's due decisions, as they stood when it was made."""

    approval_plan_id = models.CharField(max_length=64, unique=True)
    retry_plan = models.ForeignKey(RetryPlan, on_delete=models.PROTECT, related_name="approval_plans")
    require_retry_ack = models.BooleanField()
    entry_count = models.PositiveIntegerField()
    approval_required_count = models.PositiveIntegerField()
    approvals_needed = models.PositiveSmallIntegerField(default=1)
    generated_by = models.CharField(max_length=128)
    actor = models.CharField(max_length=150)
    generated_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            models.CheckConstraint(condition=Q(approvals_needed__in=[1, 2]), name="approval_plan_needs_one_or_two"),
        ]

    def __str__(self) -> str:
        return self.approval_plan_id


class ApprovalPlanEntry(models.Model):
    """What an approval plan asks for one decision."""

    approval_plan = models.ForeignKey(ApprovalPlan, on_delete=models.PROTECT, related_name="entries", db_index=False)
    decision = models.ForeignKey(RetryDecision, on_delete=models.PROTECT, related_name="approval_entries")
    action = models.CharField(max_length=32, choices=choices(ApprovalAction))

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["id"]
        verbose_name_plural = "approval plan entries"
        constraints: ClassVar[list[BaseConstraint]] = [
            models.UniqueConstraint(fields=["approval_plan", "decision"], name="approval_entry_once"),
            one_of("action", ApprovalAction, name="approval_entry_action_known"),
        ]

    def __str__(self) -> str:
        return f"{self.action} for decision {self.decision_id}"


class ApprovalDecision(models.Model):
    """A person's word on one entry. An `approved` one is the approval: bound to the digests, expiring, used once.

    A later word on the same decision revokes it. The attempt that spends it points here, once (see DeliveryAttempt).
    One that needs a second person counts from `seconded_at` on.
    """

    approval_decision_id = models.CharField(max_length=64)
    approval_plan = models.ForeignKey(ApprovalPlan, on_delete=models.PROTECT, related_name="decisions")
    retry_decision = models.ForeignKey(RetryDecision, on_delete=models.PROTECT, related_name="approval_decisions")
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="approval_decisions")
    approval_state = models.CharField(max_length=16, choices=choices(ApprovalState))
    plan_digest = models.CharField(max_length=64)
    decision_digest = models.CharField(max_length=64)
    request_digest = models.CharField(max_length=64)
    external_ref = models.CharField(max_length=200, blank=True)
    notes = models.TextField(blank=True)
    approved_by = models.CharField(max_length=128)
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    decided_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    # What this site asked for when the word was said: an auditor judges it by that.
    four_eyes = models.CharField(max_length=8, choices=choices(FourEyes), default=FourEyes.ON.value)
    needs_second = models.BooleanField(default=False)
    second_approver = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    seconded_at = models.DateTimeField(null=True, blank=True)
    seconded_by = models.CharField(max_length=128, blank=True)
    second_external_ref = models.CharField(max_length=200, blank=True)
    second_notes = models.TextField(blank=True)
    consumed_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            models.UniqueConstraint(fields=["approval_decision_id"], name="approval_once"),
            # One live approval for one decision on one delivery. The run looks it up through this index.
            models.UniqueConstraint(
                fields=["delivery", "decision_digest"],
                condition=Q(approval_state=ApprovalState.APPROVED.value)
                & Q(consumed_at__isnull=True, revoked_at__isnull=True),
                name="approval_live_once",
            ),
            one_of("approval_state", ApprovalState, name="approval_state_known"),
            one_of("four_eyes", FourEyes, name="approval_four_eyes_known"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("decided_at")), name="approval_expires"),
            models.CheckConstraint(
                condition=Q(approval_state=ApprovalState.APPROVED.value)
                | Q(consumed_at__isnull=True, revoked_at__isnull=True),
                name="approval_only_approved_is_used",
            ),
            models.CheckConstraint(
                condition=Q(consumed_at__isnull=True) | Q(revoked_at__isnull=True),
                name="approval_used_or_revoked",
            ),
            models.CheckConstraint(
                condition=Q(second_approver__isnull=True, seconded_at__isnull=True)
                | Q(
                    second_approver__isnull=False,
                    seconded_at__isnull=False,
                    needs_second=True,
                    approval_state=ApprovalState.APPROVED.value,
                ),
                name="approval_second_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(second_approver__isnull=True) | ~Q(second_approver=F("approver")),
                name="approval_second_is_another",
            ),
            models.CheckConstraint(
                condition=Q(consumed_at__isnull=True) | Q(needs_second=False) | Q(seconded_at__isnull=False),
                name="approval_used_with_its_second",
            ),
        ]

    def __str__(self) -> str:
        return self.approval_decision_id
