"""A run's results by connector: counted once, for its lanes, its totals and its receipt."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Count

from rollback_audit.models import RunLane, WorkerRun
from rollback_audit.planning.waves import wave_ends
from rollback_audit.records.runs import ConnectorReceiptRecord
from rollback_audit.states import ResultState, SkipReason, StopReason

FIGURES = {
    "delivered_count": ResultState.DELIVERED,
    "failed_count": ResultState.FAILED,
    "skipped_count": ResultState.SKIPPED,
    "unknown_count": ResultState.UNKNOWN,
    "remaining_count": ResultState.REMAINING,
}


@dataclass(frozen=True, slots=True)
class Part:
    """One connector's part of a run: how many results stand where, and how many were skipped why.

    What is on the wire counts as remaining. `lane` is None where the run is dry.
    """

    provider: str
    lane: RunLane | None
    states: Counter[ResultState] = field(default_factory=Counter)
    skip_reasons: Counter[SkipReason] = field(default_factory=Counter)


def count(run: WorkerRun) -> list[Part]:
    """The parts of a run, by connector's name."""
    lanes = {lane.connector_id: lane for lane in run.lanes.all()}
    parts: dict[str, Part] = {}
    grouped = run.results.order_by().values_list("connector__name", "connector_id", "state", "skipped")
    for provider, connector_pk, state, skipped, results in grouped.annotate(Count("pk")):
        part = parts.setdefault(provider, Part(provider, lanes.get(connector_pk)))
        part.states[ResultState.REMAINING if state == ResultState.SENDING else ResultState(state)] += results
        if skipped:
            part.skip_reasons[SkipReason(skipped)] += results
    return [parts[provider] for provider in sorted(parts)]


def total(parts: Sequence[Part]) -> Counter[ResultState]:
    """How many results of the whole run stand where."""
    states: Counter[ResultState] = Counter()
    for part in parts:
        states += part.states
    return states


def figures(states: Counter[ResultState]) -> dict[str, int]:
    """The five counts of a receipt, under the names that rows and records have for them."""
    return {name: states[state] for name, state in FIGURES.items()}


def record(part: Part, *, waves: Sequence[str]) -> ConnectorReceiptRecord:
    """What may be shown of a part; `waves` are the sizes that its run has."""
    lane, selected = part.lane, part.states.total()
    return ConnectorReceiptRecord(
        provider=part.provider,
        selected_count=selected,
        **figures(part.states),
        skip_reasons={reason.value: count for reason, count in sorted(part.skip_reasons.items())},
        wave=lane.wave if lane else None,
        wave_count=len(wave_ends(selected, waves)) if lane else None,
        stop_reason=StopReason(lane.stop_reason) if lane and lane.stop_reason else None,
        stopped_at=lane.stopped_at if lane else None,
    )
