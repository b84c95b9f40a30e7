"""Bodies about worker health: telling of it, and answering an alert."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rollback_audit.api.serializers.body import Body
from rollback_audit.api.serializers.drills import Sending
from rollback_audit.api.serializers.fields import Switch, Text, Whole, Word, optional
from rollback_audit.api.serializers.plans import LABEL
from rollback_audit.engine.alerts import AlertTerms
from rollback_audit.engine.health import LONGEST_MINUTES, USUAL, Yardstick
from rollback_audit.engine.providers import ALL
from rollback_audit.planning.health import SUPPRESSION_WINDOW_MINUTES
from rollback_audit.states import AcknowledgementState

EXPECTED = "Default 30, or the recurring dry run's interval if longer. Twice as long without a run is missed."
STALE = "From how many minutes on the newest plan is stale."


class HealthAlertDeliverySerializer(Sending):
    """What to judge the worker by, and whom to tell."""

    ALIASES: ClassVar[Mapping[str, str]] = {"provider": "delivery_provider"}

    delivery_provider = Text(
        max_length=500,
        default=ALL,
        help_text='Names of connectors with commas between, or "all" that work.',
    )
    suppression_window_minutes = Whole(
        default=SUPPRESSION_WINDOW_MINUTES,
        min_value=1,
        max_value=LONGEST_MINUTES,
        help_text="The same condition is told once for each.",
    )
    force = Switch(default=False, help_text="Tell what is wrong again, whatever was told before.")
    expected_interval_minutes = Whole(required=False, min_value=1, max_value=LONGEST_MINUTES, help_text=EXPECTED)
    stale_metadata_minutes = Whole(
        default=USUAL.stale_metadata_minutes, min_value=1, max_value=LONGEST_MINUTES, help_text=STALE
    )


class HealthAlertAcknowledgementSerializer(Body):
    """A word on an alert, or on every alert that one package told of."""

    acknowledgement_state = Word(AcknowledgementState, default=AcknowledgementState.ACKNOWLEDGED)
    provider = optional(63, help_text="Where it was read.")
    plan_id = optional(64, help_text="Only if this package told of it.")
    external_ref = optional(200)
    notes = optional(2000, lines=True, help_text="Never shown again.")
    acknowledged_by = optional(128, help_text=LABEL)


def terms_of(values: Mapping[str, Any]) -> AlertTerms:
    """How a body wants alerts told."""
    return AlertTerms(**{name: values[name] for name in AlertTerms.__dataclass_fields__})


def yardstick_of(values: Mapping[str, Any]) -> Yardstick:
    """What a body wants the worker judged by."""
    return Yardstick(values.get("expected_interval_minutes"), values["stale_metadata_minutes"])
