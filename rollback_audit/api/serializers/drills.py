"""Bodies about drills: schedules, notifications, acknowledgements, audit packages and their delivery."""

import re
from collections.abc import Mapping
from typing import Any

from rollback_audit.api.serializers.body import Body
from rollback_audit.api.serializers.fields import Moment, Names, Number, Switch, Text, Whole, Word, optional
from rollback_audit.api.serializers.plans import LABEL
from rollback_audit.api.serializers.runs import RETRIES
from rollback_audit.engine.drill_input import MOST_NOTES, MOST_REFERENCE, RouteWord
from rollback_audit.engine.providers import ALL
from rollback_audit.redaction import check_text
from rollback_audit.states import AcknowledgementState

_SCHEDULE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# An address of ours: /rollback-drill-notifications/schedules/acknowledgements would mean two things.
_RESERVED = frozenset({"schedules"})
_TEN_YEARS_IN_DAYS = 3650
_YEAR_IN_MINUTES = 525_600


class ScheduleId(Text):
    default_error_messages = {"form": "Expected letters, digits, dots, dashes and underscores, at most 64."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=64, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not _SCHEDULE_ID.fullmatch(text) or text in _RESERVED:
            self.fail("form")
        return text


class DrillScheduleChangeSerializer(Body):
    """What to change of a schedule; what is left out stays."""

    owner = Text(max_length=128)
    escalation_owner = optional(128)
    providers = Names(allow_empty=False, help_text="Names of connectors.")
    interval_days = Whole(min_value=1, max_value=_TEN_YEARS_IN_DAYS)
    next_due_at = Moment()
    acknowledgement_minutes = Whole(default=240, min_value=1, max_value=_YEAR_IN_MINUTES)
    enabled = Switch(default=True)


class DrillScheduleCreateSerializer(DrillScheduleChangeSerializer):
    """A drill schedule."""

    schedule_id = ScheduleId()


class Sending(Body):
    """What every delivery takes."""

    generated_by = optional(128, help_text=LABEL)
    timeout_seconds = Number(default=10.0, min_value=0.1, max_value=60.0, help_text="For each whole exchange.")
    retries = Whole(default=0, min_value=0, max_value=10, help_text=RETRIES)


class RoutingPolicySerializer(Body):
    """Which connectors drills of a category go to, instead of their schedule's own."""

    due_soon = Names(required=False)
    stale = Names(required=False)
    scheduled = Names(required=False)


class DrillNotificationSerializer(Sending):
    """Which drills to notify about."""

    provider = Text(max_length=500, default=ALL, help_text='Names of connectors with commas between, or "all".')
    schedule_id = optional(64, help_text="Only this schedule.")
    force = Switch(default=False, help_text="Also schedules that are not due.")
    routing_policy = RoutingPolicySerializer(required=False, allow_null=True)


class AuditPackageCreateSerializer(Body):
    """Which routes to package; all of them by default."""

    schedule_id = optional(64)
    provider = optional(63)
    owner = optional(128)
    generated_by = optional(128, help_text=LABEL)


class AuditDeliverySerializer(Sending):
    """Which routes to package, and which connectors to deliver the package to."""

    schedule_id = optional(64)
    provider = optional(63)
    owner = optional(128)
    delivery_provider = Text(
        max_length=500, default=ALL, help_text='Names of connectors with commas between, or "all".'
    )
    cadence = Text(max_length=64, default="on_demand")
    schedule_ref = optional(128)
    next_delivery_at = Moment(default=None, allow_null=True)


class AcknowledgementCreateSerializer(Body):
    """A word on the newest route of a schedule and provider, or on that of one notification plan."""

    provider = Text(max_length=63)
    acknowledgement_state = Word(AcknowledgementState, default=AcknowledgementState.ACKNOWLEDGED)
    external_ref = optional(200)
    notes = optional(2000, lines=True, help_text="Never shown again.")
    plan_id = optional(64)
    acknowledged_by = optional(128, help_text=LABEL)


class RouteWordSerializer(Body):
    """A word on one route. What is left out is taken from the body around it."""

    schedule_id = Text(max_length=64)
    provider = Text(max_length=63)
    acknowledgement_state = Word(AcknowledgementState, required=False)
    external_ref = optional(200)
    notes = optional(2000, lines=True, help_text="Never shown again.")
    plan_id = optional(64)


class BulkAcknowledgementSerializer(Body):
    """Words on up to a hundred routes. All are recorded, or none."""

    routes = RouteWordSerializer(many=True, allow_empty=False, max_length=100)  # type: ignore[call-arg]
    acknowledgement_state = Word(AcknowledgementState, default=AcknowledgementState.ACKNOWLEDGED)
    external_ref = optional(200)
    notes = optional(2000, lines=True, help_text="Never shown again.")
    plan_id = optional(64)
    acknowledged_by = optional(128, help_text=LABEL)


def words_of(values: Mapping[str, Any]) -> list[RouteWord]:
    """The words of a bulk body, each filled up from the body around it."""
    shared = {name: values[name] for name in ("acknowledgement_state", "external_ref", "notes", "plan_id")}
    # Here, so that a refusal names them and not the hundred routes they are for.
    check_text("external_ref", shared["external_ref"], MOST_REFERENCE)
    check_text("notes", shared["notes"], MOST_NOTES, multiline=True)
    return [
        RouteWord(**{**shared, **{name: value for name, value in route.items() if value}}) for route in values["routes"]
    ]
