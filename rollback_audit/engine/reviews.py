"""Reviews: a person looks at one decision of a plan and says what they think of it."""

from typing import NamedTuple

from django.db import transaction

from rollback_audit.engine import clock, ledger, plans, present
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.labels import label
from rollback_audit.errors import UnknownRecord
from rollback_audit.ids import new_id
from rollback_audit.models import (
    RetryAcknowledgement,
    RetryDecision,
    RetryPlan,
)
from rollback_audit.records.approvals import (
    RetryAcknowledgementRecord,
)
from rollback_audit.records.history import HistoryRow
from rollback_audit.redaction import check_text
from rollback_audit.states import (
    MetadataKind,
    Permission,
    RetryAcknowledgementState,
)


class DecisionKey(NamedTuple):
    """Which decision of a plan: the contract's key of a delivery."""

    delivery_id: str
    audit_id: str
    provider: str


def acknowledge_retry(
    *,
    actor: Actor,
    retry_plan_id: str,
    key: DecisionKey,
    acknowledgement_state: RetryAcknowledgementState = RetryAcknowledgementState.ACCEPTED,
    external_ref: str = "",
    notes: str = "",
    acknowledged_by: str = "",
) -> tuple[RetryAcknowledgementRecord, HistoryRow]:
    """Review one decision of a plan. The latest review counts. Raises UnknownRecord for what is not in the plan."""
    actor.require(Permission.REVIEW_RETRY)
    decision = _decision(plans.find_plan(retry_plan_id), key)
    with transaction.atomic():
        row = RetryAcknowledgement.objects.create(
            retry_acknowledgement_id=new_id("gordackretryack"),
            decision=decision,
            acknowledgement_state=acknowledgement_state,
            external_ref=check_text("external_ref", external_ref, 200),
            notes=check_text("notes", notes, 2000, multiline=True),
            acknowledged_by=label("acknowledged_by", acknowledged_by, actor=actor),
            actor=actor.name,
            acknowledged_at=clock.now(),
        )
        record = present.retry_acknowledgement(row)
        line = ledger.row(
            MetadataKind.RETRY_ACK,
            session_id=row.retry_acknowledgement_id,
            signer=actor.name,
            at=row.acknowledged_at,
            record=record,
            decision_count=1,
            connector_delivery_source=decision.delivery.source,
            provider=record.provider,
            audit_id=record.audit_id,
            delivery_id=record.delivery_id,
            acknowledgement_state=record.acknowledgement_state,
        )
        ledger.append([line])
    return record, line


def _decision(plan: RetryPlan, key: DecisionKey) -> RetryDecision:
    row = (
        RetryDecision.objects.filter(
            plan=plan,
            delivery__delivery_id=key.delivery_id,
            delivery__audit_id=key.audit_id,
            delivery__provider=key.provider,
        )
        .select_related("plan", "delivery")
        .first()
    )
    if row is None:
        raise UnknownRecord("The plan has no decision on this delivery.")
    return row
