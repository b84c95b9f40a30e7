"""Bodies about worker runs."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework.exceptions import ValidationError

from rollback_audit.api.serializers.body import Body
from rollback_audit.api.serializers.fields import Number, Switch, Whole, optional
from rollback_audit.api.serializers.plans import LABEL, RetryPolicySerializer, policy_of
from rollback_audit.engine.worker import RunRequest

RETRIES = "Accepted and without effect: one decision buys one attempt."


class WindowSerializer(Body):
    """The schedule a run belongs to."""

    ALIASES: ClassVar[Mapping[str, str]] = {"schedule_interval_minutes": "interval_minutes"}

    interval_minutes = Whole(default=60, min_value=1, max_value=10_080)
    cadence = optional(64, help_text="Default `every_{interval}_minutes`.")
    enabled = Switch(default=True, help_text="false answers 409 schedule_disabled.")


class WorkerRunCreateSerializer(Body):
    """What to run. Everything is optional; without `execute` it is a dry run."""

    generated_by = optional(128, help_text=LABEL)
    dry_run = Switch(
        required=False, help_text="Default true, unless execute is true. true wins over execute; false wants it."
    )
    execute = Switch(required=False, help_text="Default false.")
    retry_policy = RetryPolicySerializer(required=False, allow_null=True)
    source = optional(96)  # type: ignore[assignment]
    provider = optional(63)
    retry_plan_id = optional(64, help_text="Run exactly this plan; with its plan_digest.")
    plan_digest = optional(64)
    max_retry_deliveries = Whole(default=5, min_value=1, max_value=10_000)
    timeout_seconds = Number(default=10.0, min_value=0.1, max_value=60.0, help_text="For each whole exchange.")
    reason = optional(500, help_text="Required for a live run.")
    schedule = WindowSerializer(required=False, allow_null=True)
    retries = Whole(default=0, min_value=0, max_value=10, help_text=RETRIES)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        execute = attrs.pop("execute", None)
        if attrs.get("dry_run") is False and not execute:
            raise ValidationError({"execute": ["A live run says execute: true. dry_run: false alone is no order."]})
        attrs.setdefault("dry_run", not execute)
        for name, other in (("retry_plan_id", "plan_digest"), ("plan_digest", "retry_plan_id")):
            if attrs[name] and not attrs[other]:
                raise ValidationError({other: [f"This field is required with {name}."]})
        return attrs


def request_of(values: Mapping[str, Any]) -> RunRequest:
    """The run a body asks for."""
    schedule = values.get("schedule") or {}
    return RunRequest(
        dry_run=values["dry_run"],
        policy=policy_of(values),
        source=values["source"],
        provider=values["provider"],
        retry_plan_id=values["retry_plan_id"] or None,
        plan_digest=values["plan_digest"] or None,
        max_retry_deliveries=values["max_retry_deliveries"],
        timeout_seconds=values["timeout_seconds"],
        reason=values["reason"],
        generated_by=values["generated_by"],
        **schedule,
    )
