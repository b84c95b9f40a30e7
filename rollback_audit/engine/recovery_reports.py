"""The retry recovery report: live retries and recoveries in numbers. Reads only."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import TruncDate

from rollback_audit.engine import clock, ledger, present_recoveries
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.labels import label
from rollback_audit.errors import InvalidInput
from rollback_audit.models import EvidenceEntry, Recovery, RecoveryClosure, WorkerRun
from rollback_audit.planning.recovery import DEFAULT_SLO_MINUTES, SloState
from rollback_audit.records.approvals import ExecutionRecord
from rollback_audit.records.recoveries import (
    ClosureTrendRecord,
    ProviderRecoverySummaryRecord,
    RecoveryRecord,
    RecoveryReportRecord,
)
from rollback_audit.states import ClosureState, MetadataKind, Permission, RecoveryState

MOST_SLO_MINUTES = 43_200
MOST_SHOWN = 200
MOST_LATEST = 10
TREND_DAYS = 30


def retry_recovery_report(
    *, actor: Actor, recovery_slo_minutes: int = DEFAULT_SLO_MINUTES, generated_by: str = ""
) -> RecoveryReportRecord:
    """How live retries went and how recoveries stand against their time. Raises InvalidInput."""
    actor.require(Permission.VIEW_EVIDENCE)
    if not 1 <= recovery_slo_minutes <= MOST_SLO_MINUTES:
        raise InvalidInput({"recovery_slo_minutes": [f"Expected 1 to {MOST_SLO_MINUTES}."]})
    now = clock.now()
    # Every recovery, by the one rule: outages are few, some hundreds in years.
    recoveries = [
        present_recoveries.recovery(row, now=now, slo_minutes=recovery_slo_minutes)
        for row in Recovery.objects.order_by("-id")
    ]
    still_open = [item for item in recoveries if item.state is RecoveryState.OPEN]
    closed = [item for item in recoveries if item.state is RecoveryState.CLOSED]
    by_provider = _by_provider(recoveries)
    return RecoveryReportRecord(
        generated_at=now,
        generated_by=label("generated_by", generated_by, actor=actor),
        recovery_slo_minutes=recovery_slo_minutes,
        recovery_playbook_provider_count=len(by_provider),
        recovery_count=len(recoveries),
        recovery_open_count=len(still_open),
        recovery_closed_count=len(closed),
        recovery_slo_breached_count=_breached(recoveries),
        closure_state_counts=_words(RecoveryClosure.objects.all()),
        provider_summary=by_provider,
        recovery_rows=[*still_open, *closed][:MOST_SHOWN],
        closure_trends=_trends(now),
        latest_executions=_latest_executions(),
        **_executions(),
    )


def _breached(recoveries: Iterable[RecoveryRecord]) -> int:
    return sum(item.slo_state == SloState.BREACHED for item in recoveries)


def _executions() -> dict[str, Any]:
    """Sums over the receipts of live runs; each settled or skipped result left an execution record."""
    totals = WorkerRun.objects.filter(dry_run=False).aggregate(
        delivered=Sum("delivered_count", default=0),
        failed=Sum("failed_count", default=0),
        skipped=Sum("skipped_count", default=0),
        unknown=Sum("unknown_count", default=0),
    )
    count = sum(totals.values())
    sent = count - totals["skipped"]
    return {
        "execution_count": count,
        "execution_success_count": totals["delivered"],
        "execution_failed_count": totals["failed"],
        "execution_success_rate": round(totals["delivered"] / sent, 4) if sent else 0.0,
        "execution_status_counts": totals,
    }


def _latest_executions() -> list[ExecutionRecord]:
    newest = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.EXECUTION_RECORD).order_by("-id")[:MOST_LATEST]
    return [ExecutionRecord.from_line(ledger.read(entry)["record"]) for entry in newest]


def _words(closures: QuerySet[RecoveryClosure]) -> dict[str, int]:
    """How often each word was said."""
    counts = dict(closures.order_by().values_list("closure_state").annotate(count=Count("id")))
    return {word.value: counts.get(word, 0) for word in ClosureState}


def _by_provider(recoveries: Iterable[RecoveryRecord]) -> list[ProviderRecoverySummaryRecord]:
    of_provider: dict[str, list[RecoveryRecord]] = defaultdict(list)
    for item in recoveries:
        of_provider[item.provider].append(item)
    return [
        ProviderRecoverySummaryRecord(
            provider=provider,
            category=items[0].category,
            recovery_count=len(items),
            open_count=sum(item.state is RecoveryState.OPEN for item in items),
            closed_count=sum(item.state is RecoveryState.CLOSED for item in items),
            breached_count=_breached(items),
            failure_count=sum(item.failure_count for item in items),
            latest_failure_at=max(item.latest_failure_at for item in items),
        )
        for provider, items in sorted(of_provider.items())
    ]


def _trends(now: datetime) -> list[ClosureTrendRecord]:
    """The words of each day of the last 30, newest first; days without any are left out."""
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    rows = (
        RecoveryClosure.objects.filter(closed_at__gte=now - timedelta(days=TREND_DAYS))
        .order_by()
        .values_list(TruncDate("closed_at", tzinfo=UTC), "closure_state")
        .annotate(count=Count("id"))
    )
    for day, word, count in rows:
        counts[day.isoformat()][word] = count
    return [
        ClosureTrendRecord(
            date=day,
            closed_count=words.get(ClosureState.RESOLVED, 0) + words.get(ClosureState.MITIGATED, 0),
            **{f"{word}_count": words.get(word, 0) for word in ClosureState},
        )
        for day, words in sorted(counts.items(), reverse=True)
    ]
