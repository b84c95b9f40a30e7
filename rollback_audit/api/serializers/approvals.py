"""Bodies about approval: asking for it, and deciding."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from rollback_audit.api.serializers.body import Body
from rollback_audit.api.serializers.fields import Switch, Whole, Word, optional
from rollback_audit.api.serializers.plans import LABEL
from rollback_audit.engine.reviews import DecisionKey
from rollback_audit.states import ApprovalState

_KEY = ("delivery_id", "audit_id", "provider")


class ApprovalPolicySerializer(Body):
    require_retry_ack = Switch(default=True, help_text="Ask only for decisions whose latest review accepted them.")


class ApprovalPlanCreateSerializer(Body):
    """Which plan's due decisions to ask approval for."""

    retry_plan_id = optional(64, help_text="The newest plan by default.")
    approval_policy = ApprovalPolicySerializer(required=False, allow_null=True)
    generated_by = optional(128, help_text=LABEL)


class All(serializers.ChoiceField):
    """The word "all"."""

    default_error_messages = {"invalid_choice": 'Expected "all".'}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=["all"], **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if data != "all":
            self.fail("invalid_choice")
        return "all"


class ApprovalDecisionCreateSerializer(Body):
    """A word on one entry of the approval plan, or on all of them."""

    ALIASES: ClassVar[Mapping[str, str]] = {"decided_by": "approved_by"}

    provider = optional(63)
    delivery_id = optional(64)
    audit_id = optional(64)
    decisions = All(required=False, help_text='"all" instead of provider, delivery_id and audit_id.')
    approval_state = Word(ApprovalState, default=ApprovalState.APPROVED)
    external_ref = optional(200)
    notes = optional(2000, lines=True, help_text="Never shown again.")
    approved_by = optional(128, help_text=LABEL)
    expires_in_minutes = Whole(default=1440, min_value=1, max_value=1440)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = [name for name in _KEY if attrs[name]]
        if "decisions" in attrs:
            if named:
                raise ValidationError({name: ['Leave it out with decisions "all".'] for name in named})
        elif missing := [name for name in _KEY if name not in named]:
            raise ValidationError({name: ['This field is required, or decisions "all".'] for name in missing})
        return attrs


def key_of(values: Mapping[str, Any]) -> DecisionKey | None:
    """The entry a body names; None for all of them."""
    if "decisions" in values:
        return None
    return DecisionKey(delivery_id=values["delivery_id"], audit_id=values["audit_id"], provider=values["provider"])
