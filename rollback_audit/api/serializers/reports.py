"""Bodies about escalations and executive reports."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rollback_audit.api.serializers.body import Body
from rollback_audit.api.serializers.fields import Number, Switch, Text, Whole, Word, optional
from rollback_audit.api.serializers.plans import LABEL
from rollback_audit.api.serializers.runs import RETRIES
from rollback_audit.engine.escalations import LONGEST_SLO_MINUTES, MOST_ROUTES
from rollback_audit.engine.executive_reports import (
    DEFAULT_SCOPE,
    LONGEST_INTERVAL_MINUTES,
    LONGEST_LOOKBACK_HOURS,
    ReportScope,
)
from rollback_audit.engine.providers import ALL
from rollback_audit.planning.escalation import DEFAULT_POLICY, EscalationPolicy
from rollback_audit.states import EscalationAcknowledgementState, EscalationLevel

_TO = 'Names of connectors with commas between, or "all": those that work and have not had it.'
_SLO = "How long a recovery may take, from its first failure on."


class EscalationPlanCreateSerializer(Body):
    """Which open recoveries to escalate. Everything is optional."""

    recovery_slo_minutes = Whole(
        default=DEFAULT_POLICY.recovery_slo_minutes, min_value=1, max_value=LONGEST_SLO_MINUTES, help_text=_SLO
    )
    at_risk_percent = Whole(
        default=DEFAULT_POLICY.at_risk_percent,
        min_value=1,
        max_value=100,
        help_text="The share of the objective from which on a recovery is at risk.",
    )
    minimum_level = Word(EscalationLevel, default=DEFAULT_POLICY.minimum_level)
    provider = optional(63, help_text="Only the recovery of this connector; all by default.")
    generated_by = optional(128, help_text=LABEL)


class _DeliverySerializer(Body):
    ALIASES: ClassVar[Mapping[str, str]] = {"provider": "delivery_provider"}

    delivery_provider = Text(max_length=500, default=ALL, help_text=_TO)
    timeout_seconds = Number(default=10.0, min_value=0.1, max_value=60.0, help_text="For each whole exchange.")
    retries = Whole(default=0, min_value=0, max_value=10, help_text=RETRIES)
    generated_by = optional(128, help_text=LABEL)


class EscalationDeliverySerializer(_DeliverySerializer):
    """Where to send the escalation."""

    max_routes = Whole(
        default=MOST_ROUTES, min_value=1, max_value=MOST_ROUTES, help_text="Most recoveries that the event carries."
    )


class EscalationAcknowledgementCreateSerializer(Body):
    """A word on the escalation, or on one connector that it is about. The latest counts."""

    provider = optional(63)
    acknowledgement_state = Word(EscalationAcknowledgementState, default=EscalationAcknowledgementState.ACCEPTED)
    external_ref = optional(200)
    notes = optional(2000, lines=True, help_text="Never shown again.")
    acknowledged_by = optional(128, help_text=LABEL)


class ReportWindowSerializer(Body):
    """The window that the report is stored for."""

    ALIASES: ClassVar[Mapping[str, str]] = {"schedule_interval_minutes": "interval_minutes"}

    interval_minutes = Whole(default=1_440, min_value=1, max_value=LONGEST_INTERVAL_MINUTES)
    cadence = optional(64, help_text="Default `every_{interval}_minutes`.")
    enabled = Switch(default=True, help_text="false answers 409 schedule_disabled.")


class ReportRunCreateSerializer(Body):
    """What the report covers, and its window. Everything is optional."""

    recovery_slo_minutes = Whole(
        default=DEFAULT_SCOPE.recovery_slo_minutes, min_value=1, max_value=LONGEST_SLO_MINUTES, help_text=_SLO
    )
    lookback_hours = Whole(default=DEFAULT_SCOPE.lookback_hours, min_value=1, max_value=LONGEST_LOOKBACK_HOURS)
    schedule = ReportWindowSerializer(required=False, allow_null=True)
    generated_by = optional(128, help_text=LABEL)


class ReportDeliverySerializer(_DeliverySerializer):
    """Where to send the stored report."""


def policy_of(values: Mapping[str, Any]) -> EscalationPolicy:
    """The policy of an escalation's body."""
    return EscalationPolicy(**{name: values[name] for name in EscalationPolicy._fields})


def scope_of(values: Mapping[str, Any]) -> ReportScope:
    """What a report's body asks to cover."""
    return ReportScope(lookback_hours=values["lookback_hours"], recovery_slo_minutes=values["recovery_slo_minutes"])
