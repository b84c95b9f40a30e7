"""Conditions that several doors count and list by: said once, so that a number and the list behind it agree."""

from datetime import datetime

from django.db.models import Q

from rollback_audit.engine import approvers
from rollback_audit.models import ApprovalDecision
from rollback_audit.models.deliveries import OPEN
from rollback_audit.states import ApprovalState, ConnectorStanding, DeliveryState, ReasonCode

_FAILED = Q(state=DeliveryState.FAILED.value)
_SUPPRESSING = [ReasonCode.RECEIVER_REJECTED.value, ReasonCode.ATTEMPTS_EXHAUSTED.value]
_READY = Q(connector__configuration=ConnectorStanding.READY.value, connector__hold__isnull=True)
_USABLE = Q(approval_state=ApprovalState.APPROVED.value, consumed_at__isnull=True, revoked_at__isnull=True)


def retryable(now: datetime) -> Q:
    """Deliveries that the default policy would retry now."""
    return _FAILED & _READY & Q(blocked_by__isnull=True, due_at__lte=now)


def suppressed() -> Q:
    """Deliveries that the default policy has given up."""
    return _FAILED & Q(blocked_by__in=_SUPPRESSING)


def waiting(now: datetime) -> Q:
    """Open deliveries that are neither: a clock, a hold or an attempt on the wire decides."""
    backing_off = Q(blocked_by__isnull=True) & (Q(due_at__gt=now) | Q(due_at__isnull=True))
    blocked = Q(blocked_by__isnull=False) & ~Q(blocked_by__in=_SUPPRESSING)
    held = Q(blocked_by__isnull=True) & ~_READY
    return OPEN & (Q(state=DeliveryState.SENDING.value) | backing_off | blocked | held)


def usable_approvals(now: datetime) -> Q:
    """Approvals that an attempt may spend: not used, revoked or lapsed, and all who have to give them may."""
    return _USABLE & Q(expires_at__gt=now) & approvers.counting()


def once_usable_approvals(moment: datetime) -> Q:
    """Approvals that an attempt could have spent at an earlier moment, whatever became of them since.

    Who could approve then is not kept: those who gave them have to be able to now.
    """
    unspent = Q(consumed_at__isnull=True) | Q(consumed_at__gt=moment)
    kept = Q(revoked_at__isnull=True) | Q(revoked_at__gt=moment)
    whole = Q(needs_second=False) | Q(seconded_at__lte=moment)
    given = Q(approval_state=ApprovalState.APPROVED.value, decided_at__lte=moment, expires_at__gt=moment)
    return given & unspent & kept & whole & approvers.counting()


def half_approved(now: datetime) -> Q:
    """Approvals that wait for a second person."""
    return _USABLE & Q(expires_at__gt=now, needs_second=True, second_approver__isnull=True)


def lapsed_approvals(now: datetime) -> Q:
    """Approvals that ran out unused."""
    return _USABLE & Q(expires_at__lte=now)


def awaiting_approval(now: datetime) -> Q:
    """Retryable deliveries that hold no approval to spend."""
    approved = ApprovalDecision.objects.filter(usable_approvals(now)).values("delivery")
    return retryable(now) & ~Q(id__in=approved)
