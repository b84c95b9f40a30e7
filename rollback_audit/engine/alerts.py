"""Worker health alerts: what is wrong is told once for each window, its end too, as evidence on the one loop."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from rollback_audit.engine import clock, connectors, dispatch, health, ledger, packages, present_alerts, providers
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.attempts import check_timeout
from rollback_audit.engine.dispatch import PackageDelivery, Prepared
from rollback_audit.engine.health import USUAL, Yardstick
from rollback_audit.engine.labels import label
from rollback_audit.errors import InvalidInput
from rollback_audit.ids import new_id
from rollback_audit.models import Connector, HealthAlert
from rollback_audit.planning import health as rules
from rollback_audit.planning.health import Condition, Known, Tellings
from rollback_audit.planning.packages import worst
from rollback_audit.records.alerts import HealthAlertPlanRecord, HealthAlertRecord, WorkerHealthRecord
from rollback_audit.records.history import HistoryRow
from rollback_audit.states import AcknowledgementState, AlertLevel, HealthAlertState, MetadataKind, Permission, Source

EVENT_TYPE = "cavra.go_backend.rollback_drill.acknowledgement_audit_worker_health_alert"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTerms:
    """How alerts are told. `force` tells what is wrong again, whatever was told before."""

    delivery_provider: str = providers.ALL
    suppression_window_minutes: int = rules.SUPPRESSION_WINDOW_MINUTES
    force: bool = False
    timeout_seconds: float = 10.0
    generated_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertAnswer:
    """The health that was found, and what was told of it: nothing where `plan` is None."""

    health: WorkerHealthRecord
    suppressed_count: int
    plan: HealthAlertPlanRecord | None = None
    plan_metadata: HistoryRow | None = None
    sent: PackageDelivery | None = None


@dataclass(frozen=True, slots=True)
class _Told:
    """What this call got to tell: alerts that hold, and alerts that have ended."""

    alerts: list[HealthAlertRecord]
    recovered: list[HealthAlertRecord]


def deliver_alerts(*, actor: Actor, terms: AlertTerms, by: Yardstick = USUAL) -> AlertAnswer:
    """Look at the worker's health and tell what is new: what began, what got worse, what still holds after the window
    and what has ended, in one package to the named connectors (comma list, or all that work).

    With nothing new nothing is written or sent. A delivery that fails is an answer, not an error: it is in the next
    retry plan. Raises InvalidInput.
    """
    actor.require(Permission.DELIVER_EVIDENCE)
    terms = _checked(terms, actor=actor)
    connectors.sync()
    chosen = providers.select(terms.delivery_provider)
    # Read before the facts and outside any transaction: the facts take a while, and each row is won by its own update.
    known = _known(clock.now(), terms=terms)
    facts = health.gather()
    found = health.examine(facts, by=by)
    answer = AlertAnswer(health=health.record(facts, found, by=by), suppressed_count=len(found))
    verdicts = _verdicts(found, known, terms=terms, at=facts.now)
    with transaction.atomic():
        health_id = new_id("gordackhealth")
        told = _record(health_id, verdicts, known=known, at=facts.now)
        if not told.alerts and not told.recovered:
            return answer
        plan, line, prepared = _prepare(
            health_id,
            told,
            _receivers(chosen, found, terms=terms),
            suppressed_count=len(found) - len(told.alerts),
            actor=actor,
            terms=terms,
            at=facts.now,
        )
    sent = dispatch.send(prepared, timeout_seconds=terms.timeout_seconds)
    return replace(answer, suppressed_count=plan.suppressed_count, plan=plan, plan_metadata=line, sent=sent)


def _checked(terms: AlertTerms, *, actor: Actor) -> AlertTerms:
    if not 1 <= terms.suppression_window_minutes <= health.LONGEST_MINUTES:
        raise InvalidInput({"suppression_window_minutes": [f"Between 1 and {health.LONGEST_MINUTES} minutes."]})
    check_timeout(terms.timeout_seconds)
    return replace(
        terms,
        delivery_provider=terms.delivery_provider.strip(),
        generated_by=label("generated_by", terms.generated_by, actor=actor),
    )


def _known(now: datetime, *, terms: AlertTerms) -> dict[str, HealthAlert]:
    """The newest alert of each condition that is open or was told within the window."""
    since = now - timedelta(minutes=terms.suppression_window_minutes)
    rows = HealthAlert.objects.filter(Q(state=HealthAlertState.OPEN.value) | Q(last_told_at__gt=since))
    return {row.key: row for row in rows.order_by("id")}


def _facts(row: HealthAlert) -> Known:
    state = row.acknowledgement_state
    return Known(
        is_open=row.state == HealthAlertState.OPEN,
        last_told_at=row.last_told_at,
        severity=AlertLevel(row.severity),
        level_percent=row.level_percent,
        acknowledgement_state=AcknowledgementState(state) if state else None,
    )


def _verdicts(found: list[Condition], known: dict[str, HealthAlert], *, terms: AlertTerms, at: datetime) -> Tellings:
    return rules.tellings(
        found,
        {key: _facts(row) for key, row in known.items()},
        now=at,
        window=timedelta(minutes=terms.suppression_window_minutes),
        force=terms.force,
    )


def _receivers(chosen: list[Connector], found: list[Condition], *, terms: AlertTerms) -> list[Connector]:
    """As named; of all, those that work, or every one where none does."""
    if terms.delivery_provider != providers.ALL:
        return chosen
    return providers.working(avoid=rules.failing(found)) or chosen


def _record(health_id: str, verdicts: Tellings, *, known: dict[str, HealthAlert], at: datetime) -> _Told:
    """Make and change the alerts. What another call told first is left to it: each row is won once."""
    # Locked in one order, and before any row is made, so that two calls never wait for each other in a ring.
    list(HealthAlert.objects.select_for_update().filter(key__in=known).order_by("id").values_list("id"))
    told = _tell(health_id, verdicts, known=known, at=at)
    ended = [_end(known[key], health_id=health_id, at=at) for key in verdicts.ended]
    return _Told(told, [present_alerts.alert(row) for row in ended if row is not None])


def _tell(
    health_id: str, verdicts: Tellings, *, known: dict[str, HealthAlert], at: datetime
) -> list[HealthAlertRecord]:
    begun = {condition.key for condition in verdicts.begun}
    told = []
    # By key: rows that are made wait for each other too.
    for condition in sorted([*verdicts.begun, *verdicts.again], key=lambda item: item.key):
        if condition.key in begun:
            row = _begin(condition, health_id=health_id, at=at)
        else:
            row = _remind(known[condition.key], condition, health_id=health_id, at=at)
        if row is not None:
            told.append(present_alerts.alert(row))
    return told


def _begin(condition: Condition, *, health_id: str, at: datetime) -> HealthAlert | None:
    """A new alert; None where another call has opened it at the same moment."""
    try:
        with transaction.atomic():
            return HealthAlert.objects.create(
                alert_id=new_id("gordackalert"),
                key=condition.key,
                code=condition.code.value,
                subject=condition.subject,
                severity=condition.severity.value,
                level_percent=condition.level_percent,
                message=condition.message,
                state=HealthAlertState.OPEN.value,
                health_id=health_id,
                opened_at=at,
                last_told_at=at,
            )
    except IntegrityError:
        return None


def _remind(row: HealthAlert, condition: Condition, *, health_id: str, at: datetime) -> HealthAlert | None:
    """The alert as it stands now; None where it was told or ended meanwhile. What got worse wants a new word."""
    changes: dict[str, object] = {
        "severity": condition.severity.value,
        "level_percent": condition.level_percent,
        "message": condition.message,
        "health_id": health_id,
        "last_told_at": at,
        "told_count": row.told_count + 1,
    }
    if rules.is_worse(condition, _facts(row)):
        changes["acknowledgement_state"] = None
    return _changed(row, changes)


def _end(row: HealthAlert, *, health_id: str, at: datetime) -> HealthAlert | None:
    """The alert, now recovered; None where another call ended or told it meanwhile."""
    return _changed(row, {"state": HealthAlertState.RECOVERED.value, "health_id": health_id, "recovered_at": at})


def _changed(row: HealthAlert, changes: dict[str, object]) -> HealthAlert | None:
    unchanged = HealthAlert.objects.filter(
        pk=row.pk, state=HealthAlertState.OPEN.value, told_count=row.told_count, last_told_at=row.last_told_at
    )
    if not unchanged.update(**changes):
        return None
    for name, value in changes.items():
        setattr(row, name, value)
    return row


def _prepare(
    health_id: str,
    told: _Told,
    chosen: list[Connector],
    *,
    suppressed_count: int,
    actor: Actor,
    terms: AlertTerms,
    at: datetime,
) -> tuple[HealthAlertPlanRecord, HistoryRow, Prepared]:
    """The package, its ledger line and its delivery plan, inside the caller's transaction."""
    plan = HealthAlertPlanRecord(
        health_id=health_id,
        plan_id=health_id,
        generated_at=at,
        generated_by=terms.generated_by,
        alert_level=worst(*(alert.severity for alert in told.alerts)),
        suppression_window_minutes=terms.suppression_window_minutes,
        selected_providers=[row.name for row in chosen],
        alert_count=len(told.alerts),
        recovered_count=len(told.recovered),
        suppressed_count=suppressed_count,
        alerts=told.alerts,
        recovered=told.recovered,
    )
    rows = [*told.alerts, *told.recovered]
    package = packages.store(
        actor=actor,
        source=Source.WORKER_HEALTH_ALERT,
        audit_id=health_id,
        alert_level=plan.alert_level,
        route_count=len(rows),
        generated_by=terms.generated_by,
        at=at,
        content=ledger.jsonable(plan),
    )
    line = _plan_line(plan, actor=actor)
    ledger.append([line])
    prepared = dispatch.prepare(
        actor=actor,
        package=package,
        chosen=chosen,
        event_type=EVENT_TYPE,
        summary={
            "audit_id": health_id,
            "health_id": health_id,
            "alert_level": plan.alert_level.value,
            "alert_count": plan.alert_count,
            "recovered_count": plan.recovered_count,
        },
        routes=ledger.jsonable(rows),
        terms=dispatch.Terms(timeout_seconds=terms.timeout_seconds, generated_by=terms.generated_by),
    )
    return plan, line, prepared


def _plan_line(plan: HealthAlertPlanRecord, *, actor: Actor) -> HistoryRow:
    return ledger.row(
        MetadataKind.HEALTH_ALERT_PLAN,
        session_id=plan.health_id,
        signer=actor.name,
        at=plan.generated_at,
        record=plan,
        decision_count=plan.alert_count,
        blocked_count=sum(alert.severity is AlertLevel.CRITICAL for alert in plan.alerts),
        connector_delivery_source=Source.WORKER_HEALTH_ALERT,
        providers=plan.selected_providers,
        audit_id=plan.health_id,
        alert_level=plan.alert_level,
    )
