"""Draining a live run: claim a batch, drive it, settle it, until nothing is left to claim."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from django.db import transaction

from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import Send, Settlement
from rollback_audit.engine import attempts, claims, clock, connectors, lanes, leases, receipts, runs, settlement
from rollback_audit.engine.approvers import standing_approvers
from rollback_audit.engine.attempts import Claim
from rollback_audit.engine.lanes import LOOK_AGAIN_SECONDS, Lane, Lanes, Usable
from rollback_audit.models import RetryPlan, WorkerRun
from rollback_audit.states import FailureKind, RunState, SkipReason

# A machine runs two workers unless told otherwise: 256 on the wire.
IN_FLIGHT = 128
# What is claimed beyond what fits on the wire: as much as the quickest receiver takes in this time, so that a commit
# serves many deliveries where receivers are fast, and few are left in doubt by a crash where they are slow.
AHEAD_SECONDS = 0.25
MAX_AHEAD = 1024
SETTLE_SECONDS = 0.25
SETTLE_COUNT = 384
PUMP_SECONDS = 0.05
# How long a worker without anything to send waits for the others to end a wave. Leaving it is safe: the sweeper comes.
PATIENCE_SECONDS = 5.0
# A worker that drives a run says so this often; after twice as long another one may join in.
BEAT_SECONDS = 2.0
BEAT_LASTS = timedelta(seconds=3 * BEAT_SECONDS)


def drain(run_id: str, *, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Drive a live run until nothing is left for this worker, or until told to stop.

    Whoever else drives it at the same time takes other results. What is on the wire is settled before this returns.
    """
    run = runs.find(run_id)
    if run.state in receipts.FINISHED or run.paused_at is not None:
        return
    _begin(run)
    _Drain(run).drive(should_stop)
    finish(run)


def finish(run: WorkerRun) -> bool:
    """Close the run with its receipt once every result is settled. Returns whether it did."""
    with transaction.atomic():
        held = WorkerRun.objects.select_for_update(of=("self",)).select_related("retry_plan").get(pk=run.pk)
        if held.state != RunState.RUNNING:
            return False
        closed = receipts.close_if_settled(held)
        if not closed:
            WorkerRun.objects.filter(pk=held.pk).update(driven_until=None)
    return closed


def _begin(run: WorkerRun) -> None:
    now = clock.now()
    WorkerRun.objects.filter(pk=run.pk, state=RunState.QUEUED).update(state=RunState.RUNNING, started_at=now)
    _beat(run)


def _beat(run: WorkerRun) -> None:
    WorkerRun.objects.filter(pk=run.pk, state=RunState.RUNNING).update(driven_until=clock.now() + BEAT_LASTS)


class _Drain:
    """One worker's part of a run: what it has claimed, what is on the wire, what waits to be recorded."""

    def __init__(self, run: WorkerRun) -> None:
        self._run = run
        self._plan: RetryPlan = run.retry_plan
        self._lanes = Lanes(run)
        self._lease_seconds = attempts.lease_seconds(run.timeout_seconds)
        self._held: dict[int, Claim] = {}
        self._settled: list[Settlement[Claim]] = []
        self._window = IN_FLIGHT
        self._quickest_ms = 60_000
        self._is_stopping = False
        self._recorded_at = self._beaten_at = self._renewed_at = self._busy_at = time.monotonic()

    def drive(self, should_stop: Callable[[], bool]) -> None:
        quiet = False
        with Client[Claim](max_in_flight=IN_FLIGHT) as client:
            while True:
                self._is_stopping = self._is_stopping or should_stop()
                if self._has_room and (self._lanes.want_a_look or self._may_end_a_wave(idle=client.pending == 0)):
                    client.submit(self._record(claim_more=True))
                elif self._is_due(quiet=quiet or client.pending == 0):
                    self._record(claim_more=False)
                if self._has_finished():
                    return
                if client.pending:
                    answers = client.pump(timeout_seconds=PUMP_SECONDS)
                    self._settled += answers
                    quiet = not answers
                elif not self._settled and not self._lanes.want_a_look:
                    time.sleep(LOOK_AGAIN_SECONDS)  # every lane waits: for its pace, or for the wires of others
                self._keep_alive()

    @property
    def _unsettled(self) -> int:
        return len(self._held) - len(self._settled)

    @property
    def _has_room(self) -> bool:
        return not self._is_stopping and self._unsettled <= self._window // 2

    def _may_end_a_wave(self, *, idle: bool) -> bool:
        """Whether the answers at hand, or by now those of other workers, may be the last of a wave."""
        return self._lanes.want_opening or (idle and bool(self._settled) and not self._lanes.are_over)

    def _is_due(self, *, quiet: bool) -> bool:
        """Answers wait for more of them, but not for those of a receiver that keeps silent."""
        waited = time.monotonic() - self._recorded_at >= SETTLE_SECONDS or len(self._settled) >= SETTLE_COUNT
        return bool(self._settled) and (quiet or waited)

    def _record(self, *, claim_more: bool) -> list[Send[Claim]]:
        """Settle what came back and, in the same commit, claim what goes out next. Returns what to send."""
        connectors.sync()
        # From before the claim, where the leases begin: a pause in between must shorten our time, never lengthen it.
        asked_at = time.monotonic()
        claimed: list[Claim] = []
        with transaction.atomic():
            settlement.settle(self._settled)
            self._skip_stopped(self._lanes.settled(self._settled))
            usable = lanes.usable_connectors() if claim_more else {}
            if claim_more:
                self._skip_stopped(self._lanes.open_waves())
                claimed = self._claim(usable)
        self._forget_settled()
        return self._sends(claimed, usable, start_by=asked_at + self._lease_seconds - self._run.timeout_seconds)

    def _claim(self, usable: Mapping[int, Usable]) -> list[Claim]:
        """Each lane's turn, unless somebody has paused the run."""
        if WorkerRun.objects.filter(pk=self._run.pk, paused_at__isnull=False).exists():
            self._is_stopping = True
            return []
        now = clock.now()
        turns = self._lanes.turns(window=self._window, usable=usable, now=now)
        claimed = claims.claim(self._run, self._plan, turns, usable, approvers=standing_approvers())
        for turn, (sent, skipped_count) in zip(turns, claimed, strict=True):
            connector = usable[turn.lane.connector_pk]
            self._lanes.claimed(turn, sent=len(sent), skipped=skipped_count, usable=connector, now=now)
        return [item for found in claimed for item in found.claims]

    def _has_finished(self) -> bool:
        """Whether there is nothing left to do here. Whoever opens the next wave may be lost: patience ends."""
        if self._held or not self._lanes.wait_for_others:
            self._busy_at = time.monotonic()
        if self._held:
            return False
        return self._is_stopping or self._lanes.are_over or time.monotonic() - self._busy_at >= PATIENCE_SECONDS

    def _skip_stopped(self, stopped: Sequence[Lane]) -> None:
        for lane in stopped:
            claims.skip_remaining(self._run, self._plan, SkipReason.RUN_ABORTED, lane=lane.row)

    def _forget_settled(self) -> None:
        for item in self._settled:
            del self._held[item.key.delivery_pk]
        if self._settled:
            # The quickest ever: later ones have waited their turn on this machine, too.
            self._quickest_ms = max(1, min(self._quickest_ms, *(item.duration_ms for item in self._settled)))
            self._window = IN_FLIGHT + min(MAX_AHEAD, int(IN_FLIGHT * AHEAD_SECONDS * 1000 / self._quickest_ms))
        self._settled = []
        self._recorded_at = time.monotonic()

    def _sends(self, claimed: Sequence[Claim], usable: Mapping[int, Usable], *, start_by: float) -> list[Send[Claim]]:
        sends: list[Send[Claim]] = []
        for claim in claimed:
            self._held[claim.delivery_pk] = claim
            settings = usable[claim.connector_pk].settings
            if settings is None:
                self._settled.append(attempts.not_sent(claim, FailureKind.CONNECTOR_UNAVAILABLE))
                continue
            send = attempts.send_of(claim, settings, timeout_seconds=self._run.timeout_seconds, start_by=start_by)
            if isinstance(send, Settlement):
                self._settled.append(send)
            else:
                sends.append(send)
        return sends

    def _keep_alive(self) -> None:
        now = time.monotonic()
        if now - self._beaten_at >= BEAT_SECONDS:
            _beat(self._run)
            self._beaten_at = now
        if now - self._renewed_at >= self._lease_seconds / 3:
            leases.renew(list(self._held.values()), seconds=self._lease_seconds)
            self._renewed_at = now
