"""Health alerts to public records."""

from rollback_audit.models import HealthAlert, HealthAlertAcknowledgement
from rollback_audit.planning.health import RECOMMENDATIONS
from rollback_audit.records.alerts import HealthAlertAcknowledgementRecord, HealthAlertRecord
from rollback_audit.states import AcknowledgementState, AlertLevel, HealthAlertState, HealthCode


def alert(row: HealthAlert) -> HealthAlertRecord:
    code, said = HealthCode(row.code), row.acknowledgement_state
    return HealthAlertRecord(
        alert_id=row.alert_id,
        health_id=row.health_id,
        key=row.key,
        code=code,
        subject=row.subject,
        severity=AlertLevel(row.severity),
        message=row.message,
        recommendation=RECOMMENDATIONS[code],
        level_percent=row.level_percent or None,
        state=HealthAlertState(row.state),
        opened_at=row.opened_at,
        last_told_at=row.last_told_at,
        told_count=row.told_count,
        recovered_at=row.recovered_at,
        acknowledgement_state=AcknowledgementState(said) if said else None,
    )


def acknowledgement(row: HealthAlertAcknowledgement) -> HealthAlertAcknowledgementRecord:
    """A person's word, without their notes; `row.alert` must be loaded."""
    return HealthAlertAcknowledgementRecord(
        acknowledgement_id=row.acknowledgement_id,
        alert_id=row.alert.alert_id,
        health_id=row.alert.health_id,
        key=row.alert.key,
        code=HealthCode(row.alert.code),
        provider=row.provider or None,
        acknowledgement_state=AcknowledgementState(row.acknowledgement_state),
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        external_ref=row.external_ref,
    )
