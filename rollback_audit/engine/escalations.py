"""Escalations: open recoveries near or past their objective, packaged and sent to connectors that work."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction

from rollback_audit.engine import (
    clock,
    connectors,
    dispatch,
    ledger,
    packages,
    present,
    present_reports,
    providers,
    queries,
    stored_packages,
)
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.attempts import check_timeout
from rollback_audit.engine.dispatch import PackageDelivery
from rollback_audit.engine.labels import label
from rollback_audit.errors import InvalidInput, StateForbids, UnknownRecord
from rollback_audit.ids import new_id
from rollback_audit.models import (
    EscalatedRecovery,
    EvidencePackage,
    Recovery,
    RecoveryEscalation,
)
from rollback_audit.planning import escalation as rules
from rollback_audit.planning.escalation import DEFAULT_POLICY, EscalationPolicy
from rollback_audit.planning.recovery import slo_due_at
from rollback_audit.records.escalations import (
    ESCALATION_CONTROLS,
    EscalatedRecoveryRecord,
    EscalationDetailRecord,
    EscalationPlanRecord,
)
from rollback_audit.records.history import HistoryRow
from rollback_audit.states import (
    Category,
    EscalationLevel,
    MetadataKind,
    Permission,
    RecoveryState,
    Source,
)

EVENT_TYPE = "cavra.go_backend.rollback_drill.acknowledgement_audit_recovery_escalation"
LONGEST_SLO_MINUTES = 43_200
MOST_ROUTES = 1_000
_PREFIX = "gordackescalation"
_IN_RECORD_ONLY = frozenset({"digest", "escalations", "controls", "schema_version", "product"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationDelivery:
    plan: EscalationPlanRecord
    sent: PackageDelivery


def plan_escalation(
    *, actor: Actor, policy: EscalationPolicy = DEFAULT_POLICY, provider: str = "", generated_by: str = ""
) -> tuple[EscalationPlanRecord, HistoryRow]:
    """Package the open recoveries that `policy` escalates, of one connector or of all. None is an empty package.

    Raises InvalidInput for an unknown connector, and naming each field of the policy that is out of bounds.
    """
    actor.require(Permission.OPEN_RECOVERY)
    _check(policy)
    connectors.sync()
    providers.check(provider)
    with transaction.atomic():
        now = clock.now()
        found = _escalated(provider=provider, policy=policy, now=now)
        by = label("generated_by", generated_by, actor=actor)
        record = _record(found, policy=policy, provider=provider, at=now, by=by)
        package = _package(record, actor=actor)
        record = replace(record, digest=package.digest)
        _store(record, package=package, actor=actor)
        line = _plan_line(record, actor=actor)
        ledger.append([line])
    return record, line


def deliver_escalation(
    *,
    actor: Actor,
    plan_id: str,
    delivery_provider: str = providers.ALL,
    timeout_seconds: float = 10.0,
    max_routes: int = MOST_ROUTES,
    generated_by: str = "",
) -> EscalationDelivery:
    """Send an escalation to connectors that work and are not what it is about, once to each.

    The event carries its first `max_routes` recoveries. Raises UnknownRecord, InvalidInput, and StateForbids:
    `nothing_to_escalate`, or as `stored_packages.deliver` does. A failed delivery is an answer, not an error.
    """
    actor.require(Permission.DELIVER_EVIDENCE)
    terms = dispatch.Terms(
        timeout_seconds=check_timeout(timeout_seconds), generated_by=label("generated_by", generated_by, actor=actor)
    )
    if not 1 <= max_routes <= MOST_ROUTES:
        raise InvalidInput({"max_routes": [f"Between 1 and {MOST_ROUTES}."]})
    row = find(plan_id)
    record = present_reports.escalation(row)
    if not record.escalation_count:
        raise StateForbids(
            "No recovery was near its objective, so there is nothing to send.", code="nothing_to_escalate"
        )
    sent = stored_packages.deliver(
        package_pk=row.package_id,
        actor=actor,
        message=_message(record, most=max_routes),
        avoid=record.failing_providers,
        delivery_provider=delivery_provider,
        terms=terms,
    )
    return EscalationDelivery(plan=record, sent=sent)


def read_escalation(*, actor: Actor, plan_id: str) -> EscalationDetailRecord:
    """An escalation with every word said of it and every delivery. Raises UnknownRecord."""
    actor.require(Permission.VIEW_EVIDENCE)
    row = find(plan_id)
    return EscalationDetailRecord(
        plan=present_reports.escalation(row),
        acknowledgements=[
            present_reports.acknowledgement(said)
            for said in queries.escalation_acknowledgements().filter(escalation=row)
        ],
        deliveries=[present.delivery(item) for item in queries.deliveries().filter(audit_id=row.plan_id)],
    )


def find(plan_id: str) -> RecoveryEscalation:
    """The row of an escalation's id. Raises UnknownRecord."""
    row = RecoveryEscalation.objects.select_related("package").filter(plan_id=plan_id).first()
    if row is None:
        raise UnknownRecord("No escalation with this id.")
    return row


def _check(policy: EscalationPolicy) -> None:
    refused: dict[str, list[str]] = {}
    if not 1 <= policy.recovery_slo_minutes <= LONGEST_SLO_MINUTES:
        refused["recovery_slo_minutes"] = [f"Between 1 and {LONGEST_SLO_MINUTES} minutes."]
    if not 1 <= policy.at_risk_percent <= 100:  # noqa: PLR2004 - percent
        refused["at_risk_percent"] = ["Between 1 and 100."]
    if refused:
        raise InvalidInput(refused)


def _escalated(*, provider: str, policy: EscalationPolicy, now: datetime) -> list[EscalatedRecoveryRecord]:
    """What the rule escalates, longest outage first."""
    rows = Recovery.objects.filter(state=RecoveryState.OPEN.value).order_by("first_failure_at", "id")
    if provider:
        rows = rows.filter(provider=provider)
    levels = [(row, rules.level(row.first_failure_at, now=now, policy=policy)) for row in rows]
    return [_item(row, found, policy=policy, now=now) for row, found in levels if found]


def _item(row: Recovery, level: EscalationLevel, *, policy: EscalationPolicy, now: datetime) -> EscalatedRecoveryRecord:
    return EscalatedRecoveryRecord(
        recovery_id=row.recovery_id,
        provider=row.provider,
        category=Category(row.category),
        level=level,
        reason=rules.REASONS[level],
        elapsed_minutes=rules.elapsed_minutes(row.first_failure_at, now=now),
        slo_due_at=slo_due_at(row.first_failure_at, slo_minutes=policy.recovery_slo_minutes),
        slo_breached=level is not EscalationLevel.AT_RISK,
        failure_count=row.failure_count,
        first_failure_at=row.first_failure_at,
        latest_failure_at=row.latest_failure_at,
        status_codes=list(row.status_codes),
    )


def _record(
    found: Sequence[EscalatedRecoveryRecord], *, policy: EscalationPolicy, provider: str, at: datetime, by: str
) -> EscalationPlanRecord:
    levels = [item.level for item in found]
    plan_id = new_id(_PREFIX)
    about = sorted({item.provider for item in found})
    return EscalationPlanRecord(
        plan_id=plan_id,
        audit_id=plan_id,
        digest="",
        generated_at=at,
        generated_by=by,
        **policy._asdict(),
        provider=provider or None,
        alert_level=rules.alert_level(levels),
        **rules.counts(levels)._asdict(),
        failing_providers=about,
        selected_providers=[row.name for row in providers.working(avoid=about)] if found else [],
        controls=list(ESCALATION_CONTROLS),
        escalations=list(found),
    )


def _package(record: EscalationPlanRecord, *, actor: Actor) -> EvidencePackage:
    return packages.store(
        actor=actor,
        source=Source.RECOVERY_ESCALATION,
        audit_id=record.audit_id,
        alert_level=record.alert_level,
        route_count=record.escalation_count,
        generated_by=record.generated_by,
        at=record.generated_at,
        content={name: value for name, value in ledger.jsonable(record).items() if name != "digest"},
    )


def _store(record: EscalationPlanRecord, *, package: EvidencePackage, actor: Actor) -> None:
    row = RecoveryEscalation.objects.create(
        plan_id=record.plan_id,
        package=package,
        recovery_slo_minutes=record.recovery_slo_minutes,
        at_risk_percent=record.at_risk_percent,
        minimum_level=record.minimum_level.value,
        alert_level=record.alert_level.value,
        escalation_count=record.escalation_count,
        at_risk_count=record.at_risk_count,
        slo_breached_count=record.slo_breached_count,
        generated_by=record.generated_by,
        actor=actor.name,
        generated_at=record.generated_at,
    )
    keys = dict(
        Recovery.objects.filter(recovery_id__in=[item.recovery_id for item in record.escalations]).values_list(
            "recovery_id", "pk"
        )
    )
    EscalatedRecovery.objects.bulk_create(
        EscalatedRecovery(escalation=row, recovery_id=keys[item.recovery_id], level=item.level.value)
        for item in record.escalations
    )


def _message(record: EscalationPlanRecord, *, most: int) -> stored_packages.Message:
    stored = ledger.jsonable(record)
    return stored_packages.Message(
        event_type=EVENT_TYPE,
        summary={name: value for name, value in stored.items() if name not in _IN_RECORD_ONLY},
        routes=stored["escalations"][:most],
    )


def _plan_line(record: EscalationPlanRecord, *, actor: Actor) -> HistoryRow:
    return ledger.row(
        MetadataKind.ESCALATION_PLAN,
        session_id=record.plan_id,
        signer=actor.name,
        at=record.generated_at,
        record=record,
        decision_count=record.escalation_count,
        blocked_count=record.slo_breached_count,
        connector_delivery_source=Source.RECOVERY_ESCALATION.value,
        audit_id=record.audit_id,
        alert_level=record.alert_level,
    )
