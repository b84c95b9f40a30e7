"""Who may approve now. An approval counts only while those who gave it may."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet

from rollback_audit.engine.actors import Actor
from rollback_audit.errors import NotAllowed
from rollback_audit.models import RetryPlan
from rollback_audit.planning.approval import may_approve, may_execute
from rollback_audit.states import FourEyes, Permission

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# The same backend as `User.get_all_permissions`, which actors.py asks: groups, own permissions, superusers.
_BACKEND = "django.contrib.auth.backends.ModelBackend"


def standing_approvers() -> frozenset[int]:
    """Ids of the users who are active and hold `approve_retry` now. One query."""
    return frozenset(_approvers().values_list("pk", flat=True))


def counting() -> Q:
    """Approvals whose approvers may all still approve, and that wait for nobody else."""
    whole = Q(needs_second=False) | Q(second_approver__in=_approvers().values("pk"))
    return Q(approver__in=_approvers().values("pk")) & whole


def four_eyes() -> FourEyes:
    """How many people this site wants behind a retry."""
    return FourEyes(settings.CAVRA_FOUR_EYES)


def is_own(plan: RetryPlan, *, actor: Actor) -> bool:
    """Whether the actor made the plan, and so cannot approve its retries."""
    approver_id = actor.user_id
    return approver_id is not None and not may_approve(four_eyes(), approver_id=approver_id, maker_id=plan.maker_id)


def refuse_own_run(plan: RetryPlan, *, actor: Actor) -> None:
    """Raise NotAllowed (four_eyes) where this site wants another person to run the plan live."""
    if not may_execute(four_eyes(), executor_id=actor.user_id, maker_id=plan.maker_id):
        raise NotAllowed("You made this plan; somebody else has to run it live.", code="four_eyes")


def _approvers() -> "QuerySet[User]":
    permission = f"rollback_audit.{Permission.APPROVE_RETRY.value}"
    return get_user_model().objects.with_perm(permission, backend=_BACKEND)
