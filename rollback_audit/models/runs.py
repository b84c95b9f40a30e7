from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.constraints import BaseConstraint

from rollback_audit.models.approvals import ApprovalDecision
from rollback_audit.models.connectors import Connector
from rollback_audit.models.constraints import choices, one_of
from rollback_audit.models.deliveries import Delivery
from rollback_audit.models.plans import RetryDecision, RetryPlan
from rollback_audit.states import ResultState, RunState, SkipReason, StopReason

UNFINISHED = Q(state__in=[RunState.QUEUED.value, RunState.RUNNING.value])
UNSETTLED = Q(state__in=[ResultState.REMAINING.value, ResultState.SENDING.value])


class WorkerSchedule(models.Model):
    """A recurring dry run. Its windows are the runs that name it, one a window."""

    name = models.CharField(max_length=64, unique=True)
    interval_minutes = models.PositiveIntegerField()
    enabled = models.BooleanField(default=True)
    updated_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["name"]
        constraints: ClassVar[list[BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(interval_minutes__gte=1, interval_minutes__lte=10080), name="worker_schedule_interval"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class WorkerRun(models.Model):
    """One pass of the retry worker. The counts are its receipt: selected = the five others, always."""

    run_id = models.CharField(max_length=64, unique=True)
    state = models.CharField(max_length=16, choices=choices(RunState))
    dry_run = models.BooleanField(default=True)
    reason = models.CharField(max_length=500, blank=True)
    retry_plan = models.ForeignKey(RetryPlan, on_delete=models.PROTECT, related_name="runs")
    worker_schedule = models.ForeignKey(
        WorkerSchedule, on_delete=models.PROTECT, null=True, blank=True, related_name="runs"
    )
    interval_minutes = models.PositiveIntegerField()
    cadence = models.CharField(max_length=64)
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    max_retry_deliveries = models.PositiveIntegerField()
    timeout_seconds = models.FloatField()
    approval_pending_count = models.PositiveIntegerField(default=0)
    over_limit_count = models.PositiveIntegerField(default=0)
    selected_retry_count = models.PositiveIntegerField(default=0)
    delivered_count = models.PositiveIntegerField(default=0)
    failed_count = models.PositiveIntegerField(default=0)
    skipped_count = models.PositiveIntegerField(default=0)
    unknown_count = models.PositiveIntegerField(default=0)
    remaining_count = models.PositiveIntegerField(default=0)
    generated_by = models.CharField(max_length=128)
    actor = models.CharField(max_length=150)
    generated_at = models.DateTimeField()
    waves = models.CharField(max_length=64, blank=True, help_text="The sizes of its canary waves.")
    paused_by = models.CharField(max_length=150, blank=True)
    pause_reason = models.CharField(max_length=500, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    aborted_by = models.CharField(max_length=150, blank=True)
    abort_reason = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    driven_until = models.DateTimeField(null=True, blank=True, help_text="A worker is at it until then.")
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            # However many workers are up, a schedule's window is run once.
            models.UniqueConstraint(
                fields=["worker_schedule", "window_start"],
                condition=Q(worker_schedule__isnull=False),
                name="worker_run_once_per_window",
            ),
            one_of("state", RunState, name="worker_run_state_known"),
            models.CheckConstraint(
                condition=Q(
                    selected_retry_count=F("delivered_count")
                    + F("failed_count")
                    + F("skipped_count")
                    + F("unknown_count")
                    + F("remaining_count")
                ),
                name="worker_run_adds_up",
            ),
            models.CheckConstraint(condition=Q(dry_run=True) | ~Q(reason=""), name="worker_run_live_has_a_reason"),
            models.CheckConstraint(
                condition=Q(dry_run=False) | Q(delivered_count=0, failed_count=0, unknown_count=0),
                name="worker_run_dry_sends_nothing",
            ),
            # Only a live run has waves, so that no change of the mode alone is taken, in either direction.
            models.CheckConstraint(
                condition=Q(dry_run=True, waves="") | (Q(dry_run=False) & ~Q(waves="")),
                name="worker_run_mode_is_kept",
            ),
            models.CheckConstraint(
                condition=Q(aborted_by="") | ~Q(abort_reason=""), name="worker_run_abort_has_a_reason"
            ),
            models.CheckConstraint(
                condition=Q(paused_at__isnull=True, paused_by="")
                | (Q(paused_at__isnull=False, dry_run=False) & ~Q(paused_by="") & ~Q(pause_reason="")),
                name="worker_run_pause_has_a_reason",
            ),
            models.CheckConstraint(
                condition=~Q(state=RunState.COMPLETED.value) | Q(completed_at__isnull=False, remaining_count=0),
                name="worker_run_completed_leaves_nothing",
            ),
        ]
        indexes: ClassVar = [
            # What the sweeper and every worker look for: runs that want work.
            models.Index(fields=["id"], name="worker_run_unfinished", condition=UNFINISHED),
        ]

    def __str__(self) -> str:
        return self.run_id


class RunLane(models.Model):
    """What one live run sends over one connector, wave by wave. Its counts are the connector's part of the receipt.

    Results up to `open_until` may be sent; the rest waits for the answers to these. A stopped lane sends nothing more.
    """

    run = models.ForeignKey(WorkerRun, on_delete=models.PROTECT, related_name="lanes", db_index=False)
    connector = models.ForeignKey(Connector, on_delete=models.PROTECT, related_name="lanes", db_index=False)
    wave = models.PositiveIntegerField(default=1)
    wave_from = models.PositiveIntegerField(default=1)
    open_until = models.PositiveIntegerField()
    stop_reason = models.CharField(max_length=32, choices=choices(StopReason), null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    selected_count = models.PositiveIntegerField()
    delivered_count = models.PositiveIntegerField(default=0)
    failed_count = models.PositiveIntegerField(default=0)
    skipped_count = models.PositiveIntegerField(default=0)
    unknown_count = models.PositiveIntegerField(default=0)
    remaining_count = models.PositiveIntegerField(default=0)

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["run_id", "connector_id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            models.UniqueConstraint(fields=["run", "connector"], name="run_lane_once"),
            one_of("stop_reason", StopReason, name="run_lane_stop_reason_known"),
            models.CheckConstraint(
                condition=Q(stop_reason__isnull=True, stopped_at__isnull=True)
                | Q(stop_reason__isnull=False, stopped_at__isnull=False),
                name="run_lane_stop_has_a_moment",
            ),
            models.CheckConstraint(
                condition=Q(wave_from__gte=1, wave_from__lte=F("open_until"), open_until__lte=F("selected_count")),
                name="run_lane_wave_within_selection",
            ),
            models.CheckConstraint(
                condition=Q(
                    selected_count=F("delivered_count")
                    + F("failed_count")
                    + F("skipped_count")
                    + F("unknown_count")
                    + F("remaining_count")
                ),
                name="run_lane_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return f"connector {self.connector_id} in run {self.run_id}"


class WorkerResult(models.Model):
    """What became of one selected decision in one run. A live one that was sent has an approval behind it.

    `ordinal` is its place in the run, `lane_ordinal` that among the results of its connector. `drift` lists what had
    moved since the approval, where that kept it from being sent.
    """

    run = models.ForeignKey(WorkerRun, on_delete=models.PROTECT, related_name="results", db_index=False)
    ordinal = models.PositiveIntegerField()
    decision = models.ForeignKey(RetryDecision, on_delete=models.PROTECT, related_name="results", db_index=False)
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="results", db_index=False)
    connector = models.ForeignKey(Connector, on_delete=models.PROTECT, related_name="results", db_index=False)
    lane_ordinal = models.PositiveIntegerField()
    approval = models.ForeignKey(
        ApprovalDecision, on_delete=models.PROTECT, null=True, blank=True, related_name="results", db_index=False
    )
    state = models.CharField(max_length=16, choices=choices(ResultState))
    skipped = models.CharField(max_length=32, choices=choices(SkipReason), null=True, blank=True)
    drift = models.JSONField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["run_id", "ordinal"]
        constraints: ClassVar[list[BaseConstraint]] = [
            models.UniqueConstraint(fields=["run", "ordinal"], name="worker_result_ordered"),
            # The decision first: pruning one asks whether a result names it.
            models.UniqueConstraint(fields=["decision", "run"], name="worker_result_once"),
            one_of("state", ResultState, name="worker_result_state_known"),
            one_of("skipped", SkipReason, name="worker_result_skip_known"),
            models.CheckConstraint(
                condition=Q(state=ResultState.SKIPPED.value, skipped__isnull=False)
                | (~Q(state=ResultState.SKIPPED.value) & Q(skipped__isnull=True)),
                name="worker_result_skip_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(state=ResultState.SKIPPED.value) | Q(approval__isnull=False),
                name="worker_result_live_needs_an_approval",
            ),
        ]
        indexes: ClassVar = [
            # The queue of record: what a run still has to send over a connector, in its order, and what is on the wire.
            models.Index(
                fields=["run", "connector", "lane_ordinal"], name="worker_result_unsettled", condition=UNSETTLED
            ),
        ]

    def __str__(self) -> str:
        return f"result {self.ordinal} of run {self.run_id}"
