"""Recovery rows to public records."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from rollback_audit.models import Recovery, RecoveryClosure, RecoveryPlaybook, RecoveryPlaybookEntry
from rollback_audit.planning import recovery as rules
from rollback_audit.planning.recovery import DEFAULT_SLO_MINUTES, RecoveryStep
from rollback_audit.records.recoveries import (
    ProviderPlaybookRecord,
    RecoveryClosureRecord,
    RecoveryPlaybookRecord,
    RecoveryRecord,
    RecoveryStepRecord,
)
from rollback_audit.states import Category, ClosureState, FailureKind, RecoveryState


def steps(codes: Sequence[str], category: Category) -> list[RecoveryStepRecord]:
    """Steps by their codes, in words that fit the category."""
    return [RecoveryStepRecord(code=code, text=rules.sentence(RecoveryStep(code), category)) for code in codes]


def playbook(row: RecoveryPlaybook, entries: Iterable[RecoveryPlaybookEntry]) -> RecoveryPlaybookRecord:
    """A playbook with its entries, by connector; each entry's recovery must be loaded."""
    return RecoveryPlaybookRecord(
        playbook_id=row.playbook_id,
        generated_at=row.generated_at,
        generated_by=row.generated_by,
        min_failure_count=row.min_failure_count,
        lookback_hours=row.lookback_hours,
        provider_count=row.provider_count,
        provider_playbooks=sorted(map(_entry, entries), key=lambda entry: entry.provider),
    )


def _entry(entry: RecoveryPlaybookEntry) -> ProviderPlaybookRecord:
    category = Category(entry.recovery.category)
    return ProviderPlaybookRecord(
        recovery_id=entry.recovery.recovery_id,
        provider=entry.recovery.provider,
        category=category,
        failure_count=entry.failure_count,
        first_failure_at=entry.first_failure_at,
        latest_failure_at=entry.latest_failure_at,
        status_codes=list(entry.status_codes),
        failure_kinds=[FailureKind(kind) for kind in entry.failure_kinds],
        recovery_steps=steps(entry.recovery_steps, category),
    )


def recovery(row: Recovery, *, now: datetime, slo_minutes: int = DEFAULT_SLO_MINUTES) -> RecoveryRecord:
    """A recovery as it stands `now` against `slo_minutes`."""
    slo_state = rules.slo_state(row.first_failure_at, row.closed_at, slo_minutes=slo_minutes, now=now)
    return RecoveryRecord(
        recovery_id=row.recovery_id,
        playbook_id=row.playbook_id,
        provider=row.provider,
        category=Category(row.category),
        state=RecoveryState(row.state),
        closure_state=ClosureState(row.closure_state) if row.closure_state else None,
        failure_count=row.failure_count,
        first_failure_at=row.first_failure_at,
        latest_failure_at=row.latest_failure_at,
        status_codes=list(row.status_codes),
        failure_kinds=[FailureKind(kind) for kind in row.failure_kinds],
        opened_at=row.opened_at,
        opened_by=row.opened_by,
        closed_at=row.closed_at,
        recovery_slo_minutes=slo_minutes,
        slo_due_at=rules.slo_due_at(row.first_failure_at, slo_minutes=slo_minutes),
        slo_state=slo_state,
    )


def closure(row: RecoveryClosure) -> RecoveryClosureRecord:
    """A word on a recovery; `row.recovery` and `row.playbook` must be loaded."""
    return RecoveryClosureRecord(
        closure_id=row.closure_id,
        playbook_id=row.playbook.playbook_id,
        recovery_id=row.recovery.recovery_id,
        provider=row.recovery.provider,
        closure_state=ClosureState(row.closure_state),
        external_ref=row.external_ref,
        verification_refs=list(row.verification_refs),
        closed_by=row.closed_by,
        actor=row.actor,
        closed_at=row.closed_at,
    )
