"""Executive reports: looked at without a trace, stored once for each window, and sent as they were stored."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from rollback_audit.engine import (
    clock,
    dispatch,
    executive_figures,
    ledger,
    packages,
    present,
    present_reports,
    providers,
    queries,
    stored_packages,
)
from rollback_audit.engine.actors import SYSTEM, Actor
from rollback_audit.engine.attempts import check_timeout
from rollback_audit.engine.dispatch import PackageDelivery
from rollback_audit.engine.escalations import LONGEST_SLO_MINUTES
from rollback_audit.engine.labels import label
from rollback_audit.errors import InvalidInput, StateForbids, UnknownRecord
from rollback_audit.ids import new_id
from rollback_audit.models import ExecutiveReport
from rollback_audit.planning import executive
from rollback_audit.planning.executive import Risk
from rollback_audit.planning.recovery import DEFAULT_SLO_MINUTES
from rollback_audit.planning.schedule import Window, schedule_window
from rollback_audit.records.executive_reports import (
    REPORT_CONTROLS,
    ExecutiveReportRecord,
    KeyRiskRecord,
    ReportRunDetailRecord,
    ReportRunRecord,
)
from rollback_audit.records.history import HistoryRow
from rollback_audit.redaction import check_text
from rollback_audit.states import MetadataKind, Permission, Source

EVENT_TYPE = "cavra.go_backend.rollback_drill.acknowledgement_audit_recovery_executive_report"
LONGEST_LOOKBACK_HOURS = 2_160
LONGEST_INTERVAL_MINUTES = 10_080
SCHEDULE = "executive-report-schedule"
_PREFIX = "gordackreport"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportScope:
    """What a report covers: the hours before it, and the objective that recoveries are held against."""

    lookback_hours: int = 168
    recovery_slo_minutes: int = DEFAULT_SLO_MINUTES


DEFAULT_SCOPE = ReportScope()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport:
    """`created` is False where the window had its report already."""

    run: ReportRunRecord
    metadata: HistoryRow
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDelivery:
    run: ReportRunRecord
    sent: PackageDelivery


def executive_report(
    *, actor: Actor, scope: ReportScope = DEFAULT_SCOPE, generated_by: str = ""
) -> ExecutiveReportRecord:
    """How delivery and recovery stand now. Writes nothing. Raises InvalidInput naming each field out of bounds."""
    actor.require(Permission.VIEW_EVIDENCE)
    _check(scope)
    return _report(scope, at=clock.now(), by=label("generated_by", generated_by, actor=actor))


def store_report(
    *,
    actor: Actor,
    scope: ReportScope = DEFAULT_SCOPE,
    interval_minutes: int = 1_440,
    cadence: str = "",
    enabled: bool = True,
    generated_by: str = "",
) -> StoredReport:
    """Store the report of the present window (planning.schedule.schedule_window), or give the one it has.

    Raises InvalidInput, and StateForbids: `schedule_disabled`, or `report_window_taken` where the window's report
    covers something else.
    """
    actor.require(Permission.OPEN_RECOVERY)
    _check(scope)
    if not 1 <= interval_minutes <= LONGEST_INTERVAL_MINUTES:
        raise InvalidInput({"interval_minutes": [f"Between 1 and {LONGEST_INTERVAL_MINUTES} minutes."]})
    if not enabled:
        raise StateForbids("The schedule is disabled; nothing was stored.", code="schedule_disabled")
    cadence = check_text("cadence", cadence, 64) or f"every_{interval_minutes}_minutes"
    by = label("generated_by", generated_by, actor=actor)
    now = clock.now()
    window = schedule_window(now, interval_minutes=interval_minutes)
    row = _of_window(interval_minutes, window)
    created = row is None
    if row is None:
        report = _report(scope, at=now, by=by)
        try:
            row = _store(report, actor=actor, window=window, interval_minutes=interval_minutes, cadence=cadence)
        except IntegrityError:
            # Somebody stored the window's report at the same moment; the constraint let one of us through.
            row, created = (
                ExecutiveReport.objects.get(interval_minutes=interval_minutes, window_start=window.start),
                False,
            )
    if (row.lookback_hours, row.recovery_slo_minutes) != (scope.lookback_hours, scope.recovery_slo_minutes):
        raise StateForbids(
            "The window has its report, with another period or objective. Take another interval or the next window.",
            code="report_window_taken",
        )
    return StoredReport(
        run=present_reports.report_run(find(row.run_id)),
        metadata=ledger.find([row.run_id])[row.run_id],
        created=created,
    )


def store_due() -> StoredReport | None:
    """Store the present window's report where `CAVRA_EXECUTIVE_REPORT_MINUTES` asks for one and it is still missing.

    It is stored and not sent: the system never sends.
    """
    minutes: int = settings.CAVRA_EXECUTIVE_REPORT_MINUTES
    if not minutes or _of_window(minutes, schedule_window(clock.now(), interval_minutes=minutes)):
        return None
    return store_report(actor=SYSTEM, interval_minutes=minutes, generated_by=SCHEDULE)


def deliver_report(
    *,
    actor: Actor,
    run_id: str,
    delivery_provider: str = providers.ALL,
    timeout_seconds: float = 10.0,
    generated_by: str = "",
) -> ReportDelivery:
    """Send a stored report to connectors that work, once to each. A failed delivery is an answer, not an error.

    Raises UnknownRecord, and what `stored_packages.deliver` raises.
    """
    actor.require(Permission.DELIVER_EVIDENCE)
    row = find(run_id)
    terms = dispatch.Terms(
        cadence=row.cadence,
        timeout_seconds=check_timeout(timeout_seconds),
        generated_by=label("generated_by", generated_by, actor=actor),
    )
    run = present_reports.report_run(row)
    sent = stored_packages.deliver(
        package_pk=row.package_id,
        actor=actor,
        message=_message(run.executive_report),
        avoid=(),
        delivery_provider=delivery_provider,
        terms=terms,
    )
    return ReportDelivery(run=run, sent=sent)


def read_report(*, actor: Actor, run_id: str) -> ReportRunDetailRecord:
    """A stored report with every delivery of it. Raises UnknownRecord."""
    actor.require(Permission.VIEW_EVIDENCE)
    row = find(run_id)
    return ReportRunDetailRecord(
        run=present_reports.report_run(row),
        deliveries=[present.delivery(item) for item in queries.deliveries().filter(audit_id=row.run_id)],
    )


def find(run_id: str) -> ExecutiveReport:
    """The row of a stored report's id. Raises UnknownRecord."""
    row = ExecutiveReport.objects.select_related("package").filter(run_id=run_id).first()
    if row is None:
        raise UnknownRecord("No executive report with this id.")
    return row


def _of_window(interval_minutes: int, window: Window) -> ExecutiveReport | None:
    return ExecutiveReport.objects.filter(interval_minutes=interval_minutes, window_start=window.start).first()


def _check(scope: ReportScope) -> None:
    bounds = {"lookback_hours": LONGEST_LOOKBACK_HOURS, "recovery_slo_minutes": LONGEST_SLO_MINUTES}
    refused = {
        name: [f"Between 1 and {most}."] for name, most in bounds.items() if not 1 <= getattr(scope, name) <= most
    }
    if refused:
        raise InvalidInput(refused)


def _report(scope: ReportScope, *, at: datetime, by: str) -> ExecutiveReportRecord:
    since = at - timedelta(hours=scope.lookback_hours)
    figures = executive_figures.gather(since=since, until=at, recovery_slo_minutes=scope.recovery_slo_minutes)
    risks = executive.risks(figures.risks)
    return ExecutiveReportRecord(
        report_id=None,
        generated_at=at,
        generated_by=by,
        since=since,
        until=at,
        lookback_hours=scope.lookback_hours,
        recovery_slo_minutes=scope.recovery_slo_minutes,
        alert_level=executive.alert_level(risks),
        executive_summary=figures.summary,
        key_risks=[_key_risk(risk) for risk in risks],
        provider_summary=figures.providers,
        delivery_trends=figures.delivery_trends,
        closure_trends=figures.closure_trends,
        recommended_actions=[executive.ADVICE[risk.code].recommended_action for risk in risks],
        controls=list(REPORT_CONTROLS),
    )


def _key_risk(risk: Risk) -> KeyRiskRecord:
    words = executive.ADVICE[risk.code]
    return KeyRiskRecord(
        code=risk.code,
        risk=words.risk,
        alert_level=risk.alert_level,
        count=risk.count,
        recommended_action=words.recommended_action,
    )


def _store(
    report: ExecutiveReportRecord, *, actor: Actor, window: Window, interval_minutes: int, cadence: str
) -> ExecutiveReport:
    report = replace(report, report_id=new_id(_PREFIX))
    run_id = str(report.report_id)
    with transaction.atomic():
        package = packages.store(
            actor=actor,
            source=Source.EXECUTIVE_REPORT,
            audit_id=run_id,
            alert_level=report.alert_level,
            route_count=len(report.provider_summary),
            generated_by=report.generated_by,
            at=report.generated_at,
            content=ledger.jsonable(report),
        )
        row = ExecutiveReport.objects.create(
            run_id=run_id,
            package=package,
            interval_minutes=interval_minutes,
            cadence=cadence,
            window_start=window.start,
            window_end=window.end,
            lookback_hours=report.lookback_hours,
            recovery_slo_minutes=report.recovery_slo_minutes,
            alert_level=report.alert_level.value,
            risk_count=len(report.key_risks),
            generated_by=report.generated_by,
            actor=actor.name,
            generated_at=report.generated_at,
        )
        ledger.append([_line(present_reports.report_run(row), actor=actor)])
    return row


def _message(report: ExecutiveReportRecord) -> stored_packages.Message:
    stored = ledger.jsonable(report)
    told = ("report_id", "since", "until", "lookback_hours", "recovery_slo_minutes", "alert_level")
    return stored_packages.Message(
        event_type=EVENT_TYPE,
        summary={
            "audit_id": report.report_id,
            **{name: stored[name] for name in told},
            **stored["executive_summary"],
            "key_risks": [risk.code.value for risk in report.key_risks],
            "recommended_actions": list(report.recommended_actions),
        },
        routes=stored["provider_summary"],
    )


def _line(run: ReportRunRecord, *, actor: Actor) -> HistoryRow:
    return ledger.row(
        MetadataKind.EXECUTIVE_REPORT,
        session_id=run.run_id,
        signer=actor.name,
        at=run.generated_at,
        record=run,
        decision_count=run.summary.risk_count,
        connector_delivery_source=Source.EXECUTIVE_REPORT.value,
        audit_id=run.audit_id,
        alert_level=run.alert_level,
        cadence=run.schedule.cadence,
    )
