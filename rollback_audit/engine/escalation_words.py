"""People's words on escalations."""

from django.db import transaction

from rollback_audit.engine import clock, escalations, ledger, present_reports
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.labels import label
from rollback_audit.errors import UnknownRecord
from rollback_audit.ids import new_id
from rollback_audit.models import EscalationAcknowledgement
from rollback_audit.records.escalations import EscalationAcknowledgementRecord
from rollback_audit.records.history import HistoryRow
from rollback_audit.redaction import check_text
from rollback_audit.states import EscalationAcknowledgementState, MetadataKind, Permission, Source


def acknowledge_escalation(
    *,
    actor: Actor,
    plan_id: str,
    provider: str = "",
    acknowledgement_state: EscalationAcknowledgementState = EscalationAcknowledgementState.ACCEPTED,
    external_ref: str = "",
    notes: str = "",
    acknowledged_by: str = "",
) -> tuple[EscalationAcknowledgementRecord, HistoryRow]:
    """Say a word on an escalation, or on one connector that it is about. The latest word counts.

    Raises UnknownRecord where there is no such escalation, or it is not about that connector.
    """
    actor.require(Permission.ACKNOWLEDGE_ALERT)
    row = escalations.find(plan_id)
    if provider and provider not in present_reports.escalation(row).failing_providers:
        raise UnknownRecord("The escalation is not about a connector with this name.")
    with transaction.atomic():
        said = EscalationAcknowledgement.objects.create(
            acknowledgement_id=new_id("gordackescalationack"),
            escalation=row,
            provider=provider,
            acknowledgement_state=acknowledgement_state.value,
            external_ref=check_text("external_ref", external_ref, 200),
            notes=check_text("notes", notes, 2000, multiline=True),
            acknowledged_by=label("acknowledged_by", acknowledged_by, actor=actor),
            actor=actor.name,
            acknowledged_at=clock.now(),
        )
        record = present_reports.acknowledgement(said)
        line = _line(record, actor=actor)
        ledger.append([line])
    return record, line


def _line(record: EscalationAcknowledgementRecord, *, actor: Actor) -> HistoryRow:
    return ledger.row(
        MetadataKind.ESCALATION_ACK,
        session_id=record.acknowledgement_id,
        signer=actor.name,
        at=record.acknowledged_at,
        record=record,
        decision_count=1,
        connector_delivery_source=Source.RECOVERY_ESCALATION.value,
        provider=record.provider,
        audit_id=record.plan_id,
        acknowledgement_state=record.acknowledgement_state,
    )
