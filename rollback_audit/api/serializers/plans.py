"""Bodies about planning: the retry policy, a plan, a review of one of its decisions."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework.exceptions import ValidationError

from rollback_audit.api.serializers.body import Body
from rollback_audit.api.serializers.fields import Moment, Number, Switch, Text, Whole, Word, optional
from rollback_audit.errors import InvalidInput
from rollback_audit.planning import policy
from rollback_audit.planning.facts import DEFAULT_POLICY, RetryPolicy
from rollback_audit.planning.policy import BOUNDS
from rollback_audit.states import RetryAcknowledgementState

LABEL = "A label stored beside your identity, never instead of it."


class RetryPolicySerializer(Body):
    """How failures are retried. Delays in whole minutes."""

    ALIASES: ClassVar[Mapping[str, str]] = policy.ALIASES

    max_retry_attempts = Whole(
        default=DEFAULT_POLICY.max_retry_attempts,
        help_text="Counts failures, the first included.",
        **BOUNDS["max_retry_attempts"]._asdict(),
    )
    retry_delay_minutes = Whole(
        required=False,
        help_text="Default 15, or 0 with allow_immediate_retry; 0 only with allow_immediate_retry.",
        **BOUNDS["retry_delay_minutes"]._asdict(),
    )
    backoff_multiplier = Number(default=DEFAULT_POLICY.backoff_multiplier, **BOUNDS["backoff_multiplier"]._asdict())
    max_delay_minutes = Whole(
        required=False,
        help_text="Default 1440; at least retry_delay_minutes.",
        **BOUNDS["max_delay_minutes"]._asdict(),
    )
    jitter_ratio = Number(
        default=DEFAULT_POLICY.jitter_ratio,
        help_text="Only ever added to the delay.",
        **BOUNDS["jitter_ratio"]._asdict(),
    )
    allow_immediate_retry = Switch(default=False)
    retry_unknown_outcome = Switch(
        default=False, help_text="Retry too where nobody can tell whether the receiver has it. It may arrive twice."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            return policy.completed(attrs)._asdict()
        except InvalidInput as refused:
            raise ValidationError(refused.fields) from None


def policy_of(values: Mapping[str, Any]) -> RetryPolicy:
    """The policy of a body's `retry_policy`; the default one where it was left out."""
    sent = values.get("retry_policy")
    return RetryPolicy(**sent) if sent else DEFAULT_POLICY


class RetryPlanCreateSerializer(Body):
    """What to plan. Everything is optional."""

    generated_by = optional(128, help_text=LABEL)
    source = optional(96, help_text="Only deliveries of this source; all by default.")  # type: ignore[assignment]
    provider = optional(63, help_text="Only deliveries to this connector; all by default.")
    retry_policy = RetryPolicySerializer(required=False, allow_null=True)


class BackTestSerializer(Body):
    """What to replay, and under which policy; without one, under the default policy itself."""

    since = Moment(help_text="Deliveries that first failed from then on; within the last 90 days.")
    source = optional(96, help_text="Only deliveries of this source; all by default.")  # type: ignore[assignment]
    provider = optional(63, help_text="Only deliveries to this connector; all by default.")
    retry_policy = RetryPolicySerializer(required=False, allow_null=True)


class RetryAcknowledgementCreateSerializer(Body):
    """A review of one decision of the plan."""

    provider = Text(max_length=63)
    delivery_id = Text(max_length=64)
    audit_id = Text(max_length=64)
    acknowledgement_state = Word(RetryAcknowledgementState, default=RetryAcknowledgementState.ACCEPTED)
    external_ref = optional(200)
    notes = optional(2000, lines=True, help_text="Never shown again.")
    acknowledged_by = optional(128, help_text=LABEL)
