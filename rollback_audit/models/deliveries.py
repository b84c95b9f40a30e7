from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.constraints import BaseConstraint

from rollback_audit.models.connectors import Connector
from rollback_audit.models.constraints import choices, one_of
from rollback_audit.models.packages import DeliveryPlan
from rollback_audit.states import AttemptState, DeliveryState, FailureKind, Outcome, ReasonCode, Source

OPEN = Q(state__in=[DeliveryState.SENDING.value, DeliveryState.FAILED.value])
SENT_ONCE = Q(source__in=[Source.RECOVERY_ESCALATION.value, Source.EXECUTIVE_REPORT.value])


class Delivery(models.Model):
    """One package on its way to one connector: the row that planning reads and workers claim.

    `fence` rises with every claim; only its holder may settle, and only until `lease_until` may it begin to send.
    `due_at` and `blocked_by` are the standing of this failure under the default policy (planning.retry.standing): what
    the dashboard counts. `failed_status_codes` is a comma list, oldest first, bounded by the number of attempts.
    """

    # No index on either: a claim rewrites the row, and with it every index. The key and the open standings find it.
    plan = models.ForeignKey(DeliveryPlan, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    connector = models.ForeignKey(Connector, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    delivery_id = models.CharField(max_length=64)
    audit_id = models.CharField(max_length=64)
    provider = models.CharField(max_length=63)
    source = models.CharField(max_length=96, choices=choices(Source))
    event_digest = models.CharField(max_length=64)
    event_id = models.CharField(max_length=64, help_text="The idempotency key, equal on every try.")
    state = models.CharField(max_length=16, choices=choices(DeliveryState))
    attempt_count = models.PositiveIntegerField(default=0)
    failure_count = models.PositiveIntegerField(default=0)
    failure_kind = models.CharField(max_length=32, choices=choices(FailureKind), null=True, blank=True)
    failed_status_codes = models.CharField(max_length=255, blank=True)
    last_attempt_at = models.DateTimeField()
    last_failed_at = models.DateTimeField(null=True, blank=True)
    in_doubt = models.BooleanField(default=False, help_text="An outcome is unknown: the receiver may hold it.")
    not_before = models.DateTimeField(null=True, blank=True, help_text="The receiver's Retry-After, as a moment.")
    blocked_by = models.CharField(max_length=32, choices=choices(ReasonCode), null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    receipt = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="The number by which the receiver can be asked about it."
    )
    fence = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        verbose_name_plural = "deliveries"
        constraints: ClassVar[list[BaseConstraint]] = [
            models.UniqueConstraint(fields=["delivery_id", "provider"], name="delivery_once_per_connector"),
            # As constraints: `unique=True` makes a second index on PostgreSQL, for patterns nobody looks for.
            models.UniqueConstraint(fields=["event_id"], name="delivery_event_once"),
            # What is stored before it is sent goes to a connector once; every later try needs an approval.
            models.UniqueConstraint(fields=["audit_id", "provider"], condition=SENT_ONCE, name="delivery_report_once"),
            one_of("state", DeliveryState, name="delivery_state_known"),
            one_of("source", Source, name="delivery_source_known"),
            one_of("failure_kind", FailureKind, name="delivery_failure_kind_known"),
            models.CheckConstraint(
                condition=Q(state=DeliveryState.SENDING.value, lease_until__isnull=False)
                | (~Q(state=DeliveryState.SENDING.value) & Q(lease_until__isnull=True)),
                name="delivery_is_leased_while_sending",
            ),
            models.CheckConstraint(
                condition=~Q(state=DeliveryState.FAILED.value) | Q(last_failed_at__isnull=False),
                name="delivery_failed_has_a_failure",
            ),
            models.CheckConstraint(
                condition=Q(state=DeliveryState.DELIVERED.value, delivered_at__isnull=False)
                | (~Q(state=DeliveryState.DELIVERED.value) & Q(delivered_at__isnull=True)),
                name="delivery_delivered_has_a_moment",
            ),
            models.CheckConstraint(
                condition=Q(failure_count__lte=F("attempt_count")), name="delivery_failures_within_attempts"
            ),
        ]
        indexes: ClassVar = [
            # Planning streams what is open in the order of delivery keys; the dashboard groups the same rows.
            models.Index(fields=["delivery_id", "provider"], name="delivery_open_by_key", condition=OPEN),
            models.Index(
                fields=["connector", "state", "blocked_by", "due_at"], name="delivery_open_standing", condition=OPEN
            ),
            # The sweeper looks for leases that ran out.
            models.Index(
                fields=["lease_until"], name="delivery_leases", condition=Q(state=DeliveryState.SENDING.value)
            ),
            # Lists filtered by audit id.
            models.Index(fields=["audit_id"], name="delivery_by_audit"),
            # A recovery asks for a connector's newest confirmed delivery before or after a failure.
            models.Index(
                fields=["connector", "delivered_at"],
                name="delivery_confirmed",
                condition=Q(delivered_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id} to {self.provider}"


class DeliveryAttempt(models.Model):
    """One try on the wire. Written before the first byte, settled once, never changed again.

    The first attempt is the delivery itself; every later one spends an approval, which no other attempt can spend.
    """

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="attempts", db_index=False)
    number = models.PositiveIntegerField()
    fence = models.PositiveBigIntegerField()
    state = models.CharField(max_length=16, choices=choices(AttemptState))
    approval = models.OneToOneField(
        "rollback_audit.ApprovalDecision", on_delete=models.PROTECT, null=True, blank=True, related_name="attempt"
    )
    result = models.OneToOneField(
        "rollback_audit.WorkerResult", on_delete=models.PROTECT, null=True, blank=True, related_name="attempt"
    )
    started_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=16, choices=choices(Outcome), null=True, blank=True)
    failure_kind = models.CharField(max_length=32, choices=choices(FailureKind), null=True, blank=True)
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    retry_after_seconds = models.PositiveIntegerField(null=True, blank=True)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    already_held = models.BooleanField(
        default=False, db_default=False, help_text="The receiver had it from an earlier try."
    )

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            models.UniqueConstraint(fields=["delivery", "number"], name="attempt_numbered_once"),
            models.UniqueConstraint(
                fields=["delivery"],
                condition=Q(state=AttemptState.SENDING.value),
                name="attempt_one_on_the_wire",
            ),
            one_of("state", AttemptState, name="attempt_state_known"),
            one_of("outcome", Outcome, name="attempt_outcome_known"),
            one_of("failure_kind", FailureKind, name="attempt_failure_kind_known"),
            models.CheckConstraint(condition=Q(number__gte=1), name="attempt_number_from_one"),
            models.CheckConstraint(
                condition=Q(number=1) | Q(approval__isnull=False, result__isnull=False),
                name="attempt_retry_needs_an_approval",
            ),
            models.CheckConstraint(
                condition=Q(state=AttemptState.SENDING.value, outcome__isnull=True, settled_at__isnull=True)
                | Q(state=AttemptState.SETTLED.value, outcome__isnull=False, settled_at__isnull=False),
                name="attempt_settled_has_an_outcome",
            ),
            models.CheckConstraint(
                condition=Q(outcome__isnull=True, failure_kind__isnull=True)
                | Q(outcome=Outcome.CONFIRMED.value, failure_kind__isnull=True)
                | (~Q(outcome=Outcome.CONFIRMED.value) & Q(outcome__isnull=False, failure_kind__isnull=False)),
                name="attempt_failure_has_a_kind",
            ),
        ]
        indexes: ClassVar = [
            # A playbook counts the failures of the last hours, and finds the first one of an outage.
            models.Index(fields=["settled_at"], name="attempt_failures", condition=Q(failure_kind__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.delivery_id}"
