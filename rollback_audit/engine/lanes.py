"""Lanes: what a live run sends over each connector, how much of it now, and when a connector's part stops.

Waves are opened one after the other by whichever worker sees that the last one is answered; a compare-and-set keeps it
to one. Pace and concurrency hold over all workers: they are judged under a lock on the connector's row.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.conf import settings as django_settings
from django.db.models import QuerySet

from rollback_audit.delivery.contract import ConnectorSettings, Limits, Settlement, limits_of
from rollback_audit.engine import bulk, clock, connectors
from rollback_audit.engine.attempts import Claim
from rollback_audit.models import Connector, Delivery, RunLane, WorkerResult, WorkerRun
from rollback_audit.models.runs import UNSETTLED
from rollback_audit.planning.circuit import OUR_FAULTS
from rollback_audit.planning.lanes import allowed_now, paced, share_out
from rollback_audit.planning.waves import NO_RESULTS, StopRule, Tally, wave_ends, why_stop
from rollback_audit.states import CircuitState, DeliveryState, Outcome, ResultState, StopReason

# A lane that may send nothing for the moment is looked at again after this long.
LOOK_AGAIN_SECONDS = 0.02
# More than any lane takes at once: what it would like where nothing but the room on the wire bounds it.
_PLENTY = 10_000


class Usable(NamedTuple):
    """A connector's row, and its settings where this process has those that the row was made from."""

    row: Connector
    settings: ConnectorSettings | None

    @property
    def limits(self) -> Limits:
        return limits_of(self.settings)


class Turn(NamedTuple):
    """What one lane may claim now."""

    lane: "Lane"
    most: int


@dataclass(slots=True)
class Lane:
    """One worker's view of a lane. `in_flight` and `tally` are its own; `row` is as it was last read.

    A dry lane has nothing more to claim in this wave. Nothing is looked for in a lane before `look_at` (monotonic).
    """

    row: RunLane
    in_flight: int = 0
    tally: Tally = NO_RESULTS
    is_dry: bool = False
    look_at: float = 0.0

    @property
    def connector_pk(self) -> int:
        return self.row.connector_id

    @property
    def is_last_wave(self) -> bool:
        return self.row.open_until >= self.row.selected_count

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be claimed here by anybody."""
        return self.row.stop_reason is not None or (self.is_dry and self.is_last_wave)

    @property
    def is_answered(self) -> bool:
        """Whether this worker has seen all it will of a wave that is not the last."""
        return self.is_dry and not self.in_flight and not self.is_over


def usable_connectors() -> dict[int, Usable]:
    """Every connector with what this process may send to it, by primary key."""
    return {row.pk: Usable(row, connectors.settings_of(row)) for row in Connector.objects.all()}


def stop_rule() -> StopRule:
    """The rule that settings give."""
    return StopRule(django_settings.CAVRA_STOP_FAILURE_PERCENT, django_settings.CAVRA_STOP_CONSECUTIVE_FAILURES)


def lay(run: WorkerRun) -> None:
    """Make the lanes of a run whose results have just been selected, inside the caller's transaction."""
    selected = Counter(run.results.order_by().values_list("connector_id", flat=True))
    RunLane.objects.bulk_create(
        RunLane(
            run=run,
            connector_id=connector_pk,
            open_until=wave_ends(count, run.waves.split(","))[0],
            selected_count=count,
            remaining_count=count,
        )
        for connector_pk, count in sorted(selected.items())
    )


class Lanes:
    """The lanes of a run as one worker drives them."""

    def __init__(self, run: WorkerRun) -> None:
        self._run = run
        self._rule = stop_rule()
        self._waves: Sequence[str] = run.waves.split(",")
        self._lanes = {row.connector_id: Lane(row) for row in self._rows()}

    @property
    def are_over(self) -> bool:
        return all(lane.is_over for lane in self._lanes.values())

    @property
    def want_a_look(self) -> bool:
        """Whether a claim may find something now."""
        now = time.monotonic()
        return any(_may_look(lane, now) for lane in self._lanes.values())

    def settled(self, settlements: Sequence[Settlement[Claim]]) -> list[Lane]:
        """Count this worker's answers. Inside the transaction that settles them; returns the lanes that stop here."""
        stopped = []
        for connector_pk, answers in _by_connector(settlements).items():
            lane = self._lanes[connector_pk]
            lane.in_flight -= len(answers)
            # A worker that was lost or late says nothing of the receiver.
            told = [item.outcome is Outcome.CONFIRMED for item in answers if item.failure_kind not in OUR_FAULTS]
            lane.tally = lane.tally.plus(told)
            reason = why_stop(lane.tally, self._rule, wave_is_over=False)
            if reason is not None and self._stop(lane, reason):
                stopped.append(lane)
        return stopped

    def turns(self, *, window: int, usable: Mapping[int, Usable], now: datetime) -> list[Turn]:
        """What each lane may claim, so that together they have `window` unsettled. Inside the claiming transaction."""
        if any(not lane.is_last_wave for lane in self._lanes.values()):
            # Others open waves, too. What they stop in the last one is skipped, and found no more.
            for row in self._rows():
                self._lanes[row.connector_id].row = row
        looked_at = time.monotonic()
        looking = [lane for lane in self._lanes.values() if _may_look(lane, looked_at)]
        wants = {lane.connector_pk: lane.in_flight + _PLENTY for lane in looking}
        busy = {pk: lane.in_flight for pk, lane in self._lanes.items() if pk not in wants and lane.in_flight}
        shares = share_out(window, wants | busy)
        turns = []
        for lane in looking:
            room = shares[lane.connector_pk] - lane.in_flight
            count = min(room, _allowance(usable[lane.connector_pk], now=now)) if room > 0 else 0
            if count > 0:
                turns.append(Turn(lane, count))
            else:
                lane.look_at = looked_at + LOOK_AGAIN_SECONDS
        return turns

    def claimed(self, turn: Turn, *, sent: int, skipped: int, usable: Usable, now: datetime) -> None:
        """Note what a turn came to, and move the connector's pace. Inside the claiming transaction."""
        lane = turn.lane
        lane.in_flight += sent
        lane.is_dry = sent + skipped < turn.most
        pace = usable.limits.requests_per_second
        if sent and pace is not None:
            next_at = paced(usable.row.next_send_at, sent=sent, per_second=pace, now=now)
            Connector.objects.filter(pk=usable.row.pk).update(next_send_at=next_at)

    @property
    def wait_for_others(self) -> bool:
        """Whether all that is left in their waves is on the wires of other workers."""
        return all(lane.is_over or lane.is_answered for lane in self._lanes.values())

    @property
    def want_opening(self) -> bool:
        """Whether a wave may have been answered by now."""
        now = time.monotonic()
        return any(lane.is_answered and now >= lane.look_at for lane in self._lanes.values())

    def open_waves(self) -> list[Lane]:
        """Open the next wave of each lane whose last one is answered, or stop it. Returns the lanes that stop.

        Of two workers that settle the end of a wave at once, neither sees it whole; both look again a little later.
        """
        stopped = []
        for lane in self._lanes.values():
            if not lane.is_answered or time.monotonic() < lane.look_at:
                continue
            wave = self._run.results.filter(
                connector_id=lane.connector_pk,
                lane_ordinal__gte=lane.row.wave_from,
                lane_ordinal__lte=lane.row.open_until,
            )
            if wave.filter(UNSETTLED).exists():
                lane.look_at = time.monotonic() + LOOK_AGAIN_SECONDS
                continue
            reason = why_stop(_tally(wave), self._rule, wave_is_over=True)
            if reason is None:
                self._open_next(lane)
            elif self._stop(lane, reason):
                stopped.append(lane)
        return stopped

    def _rows(self) -> list[RunLane]:
        return list(RunLane.objects.filter(run=self._run).order_by("connector_id"))

    def _open_next(self, lane: Lane) -> None:
        """One worker opens the wave; the others find it open."""
        row = lane.row
        end = next(end for end in wave_ends(row.selected_count, self._waves) if end > row.open_until)
        RunLane.objects.filter(pk=row.pk, wave=row.wave, stop_reason__isnull=True).update(
            wave=row.wave + 1, wave_from=row.open_until + 1, open_until=end
        )
        lane.row, lane.tally, lane.is_dry = RunLane.objects.get(pk=row.pk), NO_RESULTS, False

    def _stop(self, lane: Lane, reason: StopReason) -> bool:
        """Stop the lane; whether it was this worker who did."""
        stopped = RunLane.objects.filter(pk=lane.row.pk, stop_reason__isnull=True).update(
            stop_reason=reason.value, stopped_at=clock.now()
        )
        lane.row = RunLane.objects.get(pk=lane.row.pk)
        return stopped > 0


def _may_look(lane: Lane, now: float) -> bool:
    return not lane.is_over and not lane.is_dry and now >= lane.look_at


def _by_connector(settlements: Sequence[Settlement[Claim]]) -> dict[int, list[Settlement[Claim]]]:
    found: dict[int, list[Settlement[Claim]]] = {}
    for item in settlements:
        found.setdefault(item.key.connector_pk, []).append(item)
    return found


def _tally(wave: QuerySet[WorkerResult]) -> Tally:
    sent = wave.exclude(state=ResultState.SKIPPED).order_by("lane_ordinal")
    told = [
        state == ResultState.DELIVERED
        for state, failure_kind in sent.values_list("state", "attempt__failure_kind")
        if failure_kind not in OUR_FAULTS
    ]
    return NO_RESULTS.plus(told)


def _allowance(usable: Usable, *, now: datetime) -> int:
    """How many a connector may be sent now, for all that its own limits say."""
    row, limits = usable.row, usable.limits
    is_probed = row.circuit == CircuitState.HALF_OPEN
    if limits.requests_per_second is None and limits.max_concurrency is None and not is_probed:
        return _PLENTY
    # Another worker that holds the row is claiming for it: ours come next time. Waiting could end in a deadlock.
    held = Connector.objects.select_for_update(skip_locked=bulk.on_postgresql()).filter(pk=row.pk).first()
    if held is None:
        return 0
    row.next_send_at = held.next_send_at
    allowed = _PLENTY
    most = 1 if is_probed else limits.max_concurrency
    if most is not None:
        allowed = most - Delivery.objects.filter(connector=row, state=DeliveryState.SENDING).count()
    if limits.requests_per_second is not None:
        allowed = min(allowed, allowed_now(held.next_send_at, per_second=limits.requests_per_second, now=now))
    return allowed
