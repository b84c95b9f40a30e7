"""People's words on health alerts, and the alerts in numbers."""

import json
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Count, Q

from rollback_audit.engine import clock, dashboards, ledger, present_alerts, providers
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.labels import label
from rollback_audit.errors import UnknownRecord
from rollback_audit.ids import new_id
from rollback_audit.models import (
    Delivery,
    EvidenceEntry,
    EvidencePackage,
    HealthAlert,
    HealthAlertAcknowledgement,
)
from rollback_audit.planning.packages import worst
from rollback_audit.records.alerts import HealthAlertAcknowledgementRecord, HealthAlertDashboardRecord
from rollback_audit.records.history import HistoryRow
from rollback_audit.redaction import check_text
from rollback_audit.states import (
    AcknowledgementState,
    AlertLevel,
    DeliveryState,
    HealthAlertState,
    MetadataKind,
    Permission,
    Source,
)

MOST_LATEST = 10

Acknowledged = tuple[HealthAlertAcknowledgementRecord, HistoryRow]


def acknowledge_alert(
    *,
    actor: Actor,
    named: str,
    acknowledgement_state: AcknowledgementState = AcknowledgementState.ACKNOWLEDGED,
    provider: str = "",
    plan_id: str = "",
    external_ref: str = "",
    notes: str = "",
    acknowledged_by: str = "",
) -> list[Acknowledged]:
    """Say a person's word on an alert; `named` is its id, or the health id of a package: then on all it told of.

    `plan_id` leaves out what that package did not tell of.
    The word keeps the alert quiet until it gets worse; `escalated` does not. Raises UnknownRecord and InvalidInput.
    """
    actor.require(Permission.ACKNOWLEDGE_ALERT)
    by = label("acknowledged_by", acknowledged_by, actor=actor)
    check_text("external_ref", external_ref, 200)
    check_text("notes", notes, 2000, multiline=True)
    providers.check(check_text("provider", provider, 63))
    with transaction.atomic():
        alerts = _named(named, plan_id=plan_id)
        now = clock.now()
        rows = [
            HealthAlertAcknowledgement(
                acknowledgement_id=new_id("gordackhealthack"),
                alert=alert,
                provider=provider,
                acknowledgement_state=acknowledgement_state.value,
                external_ref=external_ref,
                notes=notes,
                acknowledged_by=by,
                actor=actor.name,
                acknowledged_at=now,
            )
            for alert in alerts
        ]
        HealthAlertAcknowledgement.objects.bulk_create(rows)
        HealthAlert.objects.filter(pk__in=[alert.pk for alert in alerts]).update(
            acknowledgement_state=acknowledgement_state.value
        )
        said = [(present_alerts.acknowledgement(row), row.alert) for row in rows]
        stored = [(record, _line(record, alert, actor=actor)) for record, alert in said]
        ledger.append(line for _, line in stored)
    return stored


def alert_dashboard(*, actor: Actor) -> HealthAlertDashboardRecord:
    """The alerts in numbers, with the ten newest."""
    actor.require(Permission.VIEW_EVIDENCE)
    is_open = Q(state=HealthAlertState.OPEN.value)
    counts = HealthAlert.objects.aggregate(
        alert_count=Count("id"),
        open_count=Count("id", filter=is_open),
        critical_count=Count("id", filter=is_open & Q(severity=AlertLevel.CRITICAL.value)),
        warning_count=Count("id", filter=is_open & Q(severity=AlertLevel.WARNING.value)),
        outstanding_count=Count("id", filter=is_open & Q(acknowledgement_state__isnull=True)),
    )
    severities = HealthAlert.objects.filter(is_open).order_by().values_list("severity", flat=True).distinct()
    undelivered = Delivery.objects.filter(
        dashboards.OPEN_DELIVERIES, state=DeliveryState.FAILED.value, source=Source.WORKER_HEALTH_ALERT.value
    )
    told = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.HEALTH_ALERT_PLAN.value)
    return HealthAlertDashboardRecord(
        generated_at=clock.now(),
        alert_level=worst(*(AlertLevel(severity) for severity in severities)),
        recovered_count=counts["alert_count"] - counts["open_count"],
        acknowledgement_count=HealthAlertAcknowledgement.objects.count(),
        plan_count=told.count(),
        failed_delivery_count=undelivered.count(),
        latest=[present_alerts.alert(row) for row in HealthAlert.objects.order_by("-id")[:MOST_LATEST]],
        **counts,
    )


def _named(named: str, *, plan_id: str) -> Sequence[HealthAlert]:
    """The alert of an id, or all that a package told of, its recoveries too. Locked until the transaction ends."""
    # In the order of ids, as everybody locks them.
    rows = HealthAlert.objects.select_for_update().order_by("id")
    found = list(rows.filter(alert_id=named))
    if not found:
        found = list(rows.filter(alert_id__in=_told_by(named)))
    if plan_id:
        told = _told_by(plan_id)
        found = [alert for alert in found if alert.alert_id in told]
    if not found:
        raise UnknownRecord("No alert and no alert package with this id.")
    return found


def _told_by(health_id: str) -> list[str]:
    package = EvidencePackage.objects.filter(audit_id=health_id, source=Source.WORKER_HEALTH_ALERT.value).first()
    if package is None:
        return []
    plan = json.loads(package.record)
    return [alert["alert_id"] for alert in [*plan["alerts"], *plan["recovered"]]]


def _line(record: HealthAlertAcknowledgementRecord, alert: HealthAlert, *, actor: Actor) -> HistoryRow:
    return ledger.row(
        MetadataKind.HEALTH_ALERT_ACK,
        session_id=record.acknowledgement_id,
        signer=actor.name,
        at=record.acknowledged_at,
        record=record,
        decision_count=1,
        connector_delivery_source=Source.WORKER_HEALTH_ALERT,
        provider=record.provider,
        audit_id=record.health_id,
        acknowledgement_state=record.acknowledgement_state,
        alert_level=alert.severity,
    )
