"""Draining a live run: claim a batch, drive it, settle it, until nothing is left to claim."""

import time
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction

from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import Send, Settlement
from rollback_audit.engine import attempts, claims, clock, connectors, runs, worker
from rollback_audit.engine.attempts import Claim
from rollback_audit.models import Connector, RetryPlan, WorkerRun
from rollback_audit.states import FailureKind, RunState

IN_FLIGHT = 256
# Claimed but not settled: enough that the wire stays busy while a batch is being recorded.
WINDOW = 2 * IN_FLIGHT
SETTLE_BATCH = 256
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
        self._settled_at = self._beaten_at = self._renewed_at = time.monotonic()

    def drive(self, should_stop: Callable[[], bool]) -> None:
        exhausted = False
        with Client[Claim](max_in_flight=IN_FLIGHT) as client:
            while True:
                exhausted = exhausted or should_stop()
                if not exhausted and len(self._held) <= WINDOW - SETTLE_BATCH:
                    exhausted = not self._claim(client)
                self._settled += client.pump(timeout_seconds=PUMP_SECONDS) if client.pending else []
                self._settle_if_due(idle=client.pending == 0)
                if exhausted and not self._held:
                    return
                self._keep_alive()

    def _claim(self, client: Client[Claim]) -> bool:
        """Claim and submit a batch. Returns whether there may be more."""
        # From before the claim, where the leases begin: a pause in between must shorten our time, never lengthen it.
        asked_at = time.monotonic()
        claimed, skipped_count = claims.claim(self._run, self._plan, limit=WINDOW - len(self._held))
        if not claimed:
            return skipped_count > 0
        start_by = asked_at + self._lease_seconds - self._run.timeout_seconds
        settings_of = {row.pk: connectors.settings_of(row) for row in Connector.objects.all()}
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
        client.submit(sends)
        return True

    def _settle_if_due(self, *, idle: bool) -> None:
        if not self._settled:
            return
        waited = time.monotonic() - self._settled_at
        if idle or len(self._settled) >= SETTLE_BATCH or waited >= SETTLE_SECONDS:
            attempts.settle(self._settled)
            for item in self._settled:
                del self._held[item.key.delivery_pk]
            self._settled = []
            self._settled_at = time.monotonic()

    def _keep_alive(self) -> None:
        now = time.monotonic()
        if now - self._beaten_at >= BEAT_SECONDS:
            _beat(self._run)
            self._beaten_at = now
        if now - self._renewed_at >= self._lease_seconds / 3:
            claims.renew(list(self._held.values()), seconds=self._lease_seconds)
            self._renewed_at = now
