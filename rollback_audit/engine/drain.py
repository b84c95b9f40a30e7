"""Draining a live run: claim a batch, drive it, settle it, until nothing is left to claim."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from django.db import transaction

from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import Send, Settlement
from rollback_audit.engine import attempts, claims, clock, connectors, leases, runs, settlement, worker
from rollback_audit.engine.attempts import Claim
from rollback_audit.models import Connector, RetryPlan, WorkerRun
from rollback_audit.states import FailureKind, RunState

# A machine runs two workers unless told otherwise: 256 on the wire.
IN_FLIGHT = 128
# What is claimed beyond what fits on the wire: as much as is sent in this time, so that a commit serves many deliveries
# where receivers are fast, and few are left in doubt by a crash where they are slow.
AHEAD_SECONDS = 0.25
MAX_AHEAD = 1024
SETTLE_SECONDS = 0.25
PUMP_SECONDS = 0.05
# A worker that drives a run says so this often; after twice as long another one may join in.
BEAT_SECONDS = 2.0
BEAT_LASTS = timedelta(seconds=3 * BEAT_SECONDS)


def drain(run_id: str, *, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Drive a live run until nothing is left for this worker, or until told to stop.

    Whoever else drives it at the same time takes other results. What is on the wire is settled before this returns.
    """
    run = runs.find(run_id)
    if run.state in worker.FINISHED:
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
        closed = worker.close_if_settled(held)
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
        self._lease_seconds = attempts.lease_seconds(run.timeout_seconds)
        self._held: dict[int, Claim] = {}
        self._settled: list[Settlement[Claim]] = []
        self._window = IN_FLIGHT
        self._more = True
        self._recorded_at = self._beaten_at = self._renewed_at = time.monotonic()

    def drive(self, should_stop: Callable[[], bool]) -> None:
        with Client[Claim](max_in_flight=IN_FLIGHT) as client:
            while True:
                self._more = self._more and not should_stop()
                if self._more and self._unsettled <= self._window // 2:
                    client.submit(self._record(claim_more=True))
                elif self._is_due(idle=client.pending == 0):
                    self._record(claim_more=False)
                if not self._more and not self._held:
                    return
                self._settled += client.pump(timeout_seconds=PUMP_SECONDS) if client.pending else []
                self._keep_alive()

    @property
    def _unsettled(self) -> int:
        return len(self._held) - len(self._settled)

    def _is_due(self, *, idle: bool) -> bool:
        return bool(self._settled) and (idle or time.monotonic() - self._recorded_at >= SETTLE_SECONDS)

    def _record(self, *, claim_more: bool) -> list[Send[Claim]]:
        """Settle what came back and, in the same commit, claim what goes out next. Returns what to send."""
        connectors.sync()
        # From before the claim, where the leases begin: a pause in between must shorten our time, never lengthen it.
        asked_at = time.monotonic()
        claimed: list[Claim] = []
        with transaction.atomic():
            settlement.settle(self._settled)
            if claim_more:
                claimed, skipped_count = claims.claim(self._run, self._plan, limit=self._window - self._unsettled)
                self._more = bool(claimed) or skipped_count > 0
        self._forget_settled()
        return self._sends(claimed, start_by=asked_at + self._lease_seconds - self._run.timeout_seconds)

    def _forget_settled(self) -> None:
        for item in self._settled:
            del self._held[item.key.delivery_pk]
        now = time.monotonic()
        per_second = len(self._settled) / max(now - self._recorded_at, 0.001)
        self._window = IN_FLIGHT + min(MAX_AHEAD, int(per_second * AHEAD_SECONDS))
        self._settled = []
        self._recorded_at = now

    def _sends(self, claimed: Sequence[Claim], *, start_by: float) -> list[Send[Claim]]:
        settings_of = {row.pk: connectors.settings_of(row) for row in Connector.objects.all()} if claimed else {}
        sends: list[Send[Claim]] = []
        for claim in claimed:
            self._held[claim.delivery_pk] = claim
            settings = settings_of[claim.connector_pk]
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
