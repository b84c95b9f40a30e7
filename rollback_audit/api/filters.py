"""What lists may be narrowed by. Values are read by the fields that read bodies, so one rule serves both."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError as FormProblem
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from rollback_audit.api.serializers.body import refuse_unknown
from rollback_audit.api.serializers.fields import Moment, Text, Word
from rollback_audit.engine import queries
from rollback_audit.planning.drills import DrillAction, DrillCategory
from rollback_audit.states import (
    OUTSTANDING,
    AcknowledgementState,
    Action,
    AlertLevel,
    ApprovalAction,
    Category,
    ClosureState,
    DeliveryState,
    EscalationAcknowledgementState,
    EscalationLevel,
    FailureKind,
    HealthAlertState,
    HealthCode,
    HoldScope,
    MetadataKind,
    ReasonCode,
    RecoveryState,
    ResultState,
    RetryAcknowledgementState,
    RunState,
    SkipReason,
    Source,
)


class Flag(StrEnum):
    TRUE = "true"
    FALSE = "false"


class Switched(Word):
    """true or false, as a query spells them."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(data) is Flag.TRUE


class _Parsed(forms.Field):
    """A form field that lets a serializer field read the value."""

    def __init__(self, *, reader: serializers.Field[Any, Any, Any, Any], **kwargs: Any) -> None:
        super().__init__(required=False)
        self._reader = reader

    def clean(self, value: Any) -> Any:
        if value is None:
            return None
        try:
            return self._reader.run_validation(value)
        except ValidationError as problem:
            raise FormProblem([str(message) for message in problem.detail]) from None


class _Strict(django_filters.Filter):  # type: ignore[misc]
    field_class = _Parsed


def _reads(
    reader: serializers.Field[Any, Any, Any, Any],
    schema: dict[str, Any],
    field_name: str | None,
    *,
    lookup_expr: str = "exact",
) -> django_filters.Filter:
    described = extend_schema_field(schema)
    return described(_Strict(field_name=field_name, lookup_expr=lookup_expr, reader=reader))


def text(most: int, field_name: str | None = None) -> django_filters.Filter:
    """Exactly this text."""
    return _reads(Text(max_length=most), {"type": "string", "minLength": 1, "maxLength": most}, field_name)


def word(words: type[StrEnum], field_name: str | None = None) -> django_filters.Filter:
    """One word of an enumeration."""
    return _reads(Word(words), {"type": "string", "enum": [item.value for item in words]}, field_name)


def switch(field_name: str | None = None) -> django_filters.Filter:
    """true or false."""
    return _reads(Switched(Flag), {"type": "boolean"}, field_name)


def not_before(field_name: str) -> django_filters.Filter:
    """From this moment on."""
    return _reads(Moment(), {"type": "string", "format": "date-time"}, field_name, lookup_expr="gte")


def before(field_name: str) -> django_filters.Filter:
    """Before this moment."""
    return _reads(Moment(), {"type": "string", "format": "date-time"}, field_name, lookup_expr="lt")


def check_query(query: Any, *, known: set[str]) -> None:
    """Refuse parameters that the address does not take, and any that is given twice. `query` is a QueryDict."""
    refused: Mapping[str, list[str]] = refuse_unknown(query.keys() - known, whole="query")
    twice = {name: ["Given more than once."] for name in query.keys() & known if len(query.getlist(name)) > 1}
    if refused or twice:
        raise ValidationError({**refused, **twice})


# Whatever the ledger keeps as a person's word.
_SAID = (AcknowledgementState, RetryAcknowledgementState, ClosureState)
AnyAcknowledgement = StrEnum(  # type: ignore[misc]
    "AnyAcknowledgement",
    {item.name: item.value for words in _SAID for item in words} | {"OUTSTANDING": OUTSTANDING},
)


class Filters(django_filters.FilterSet):  # type: ignore[misc]
    """What a list may be narrowed by. Every filter given must match."""


class HistoryFilters(Filters):
    """Lines that only the ledger knows are shown when `metadata_kind` asks for them."""

    schedule_id = text(64)
    provider = text(63)
    metadata_kind = word(MetadataKind)
    acknowledgement_state = word(AnyAcknowledgement)
    connector_delivery_source = word(Source, "source")
    delivery_success = switch()
    alert_level = word(AlertLevel)
    audit_id = text(64)
    delivery_id = text(64)
    cadence = text(64)
    since = not_before("created_at")
    until = before("created_at")

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found: QuerySet[Any] = super().filter_queryset(queryset)
        return found if self.form.cleaned_data["metadata_kind"] else queries.records_only(found)


class RunFilters(Filters):
    dry_run = switch()
    state = word(RunState)
    generated_by = text(128)
    since = not_before("generated_at")
    until = before("generated_at")


class ResultFilters(Filters):
    state = word(ResultState)
    skipped = word(SkipReason)
    provider = text(63, "delivery__provider")
    delivery_id = text(64, "delivery__delivery_id")


class PlanFilters(Filters):
    alert_level = word(AlertLevel)
    generated_by = text(128)
    since = not_before("generated_at")
    until = before("generated_at")


class DecisionFilters(Filters):
    action = word(Action)
    reason_code = word(ReasonCode)
    provider = text(63, "delivery__provider")
    source = word(Source, "delivery__source")
    delivery_id = text(64, "delivery__delivery_id")


class EntryFilters(Filters):
    action = word(ApprovalAction)
    provider = text(63, "decision__delivery__provider")
    delivery_id = text(64, "decision__delivery__delivery_id")


class DeliveryFilters(Filters):
    provider = text(63)
    state = word(DeliveryState)
    source = word(Source)
    failure_kind = word(FailureKind)
    blocked_by = word(ReasonCode)
    audit_id = text(64)
    delivery_id = text(64)
    since = not_before("last_attempt_at")
    until = before("last_attempt_at")


class RouteFilters(Filters):
    schedule_id = text(64, "schedule__schedule_id")
    provider = text(63)
    owner = text(128)
    action = word(DrillAction)
    category = word(DrillCategory)


class ScheduleFilters(Filters):
    owner = text(128)
    enabled = switch()


class RecoveryPlaybookFilters(Filters):
    generated_by = text(128)
    since = not_before("generated_at")
    until = before("generated_at")


class RecoveryClosureFilters(Filters):
    provider = text(63, "recovery__provider")
    closure_state = word(ClosureState)
    since = not_before("closed_at")
    until = before("closed_at")


class RecoveryFilters(Filters):
    provider = text(63)
    category = word(Category)
    state = word(RecoveryState)
    closure_state = word(ClosureState)
    since = not_before("opened_at")
    until = before("opened_at")


class LegalHoldFilters(Filters):
    scope = word(HoldScope)
    subject_id = text(64)
    in_force = _reads(Switched(Flag), {"type": "boolean"}, "released_at", lookup_expr="isnull")
    since = not_before("placed_at")
    until = before("placed_at")


class HealthAlertFilters(Filters):
    code = word(HealthCode)
    subject = text(64)
    severity = word(AlertLevel)
    state = word(HealthAlertState)
    acknowledgement_state = word(AcknowledgementState)
    health_id = text(64)
    since = not_before("last_told_at")
    until = before("last_told_at")


class EscalationFilters(Filters):
    alert_level = word(AlertLevel)
    minimum_level = word(EscalationLevel)
    generated_by = text(128)
    since = not_before("generated_at")
    until = before("generated_at")


class EscalationAcknowledgementFilters(Filters):
    provider = text(63)
    acknowledgement_state = word(EscalationAcknowledgementState)
    since = not_before("acknowledged_at")
    until = before("acknowledged_at")


class ReportFilters(Filters):
    alert_level = word(AlertLevel)
    cadence = text(64)
    generated_by = text(128)
    since = not_before("generated_at")
    until = before("generated_at")


class ConnectorFilters(Filters):
    provider = text(32)
    category = word(Category)


class CheckpointFilters(Filters):
    since = not_before("signed_at")
    until = before("signed_at")
