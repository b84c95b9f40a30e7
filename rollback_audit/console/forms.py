"""What operators type. Forms read types and bounds; what is allowed, the engine decides."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from rollback_audit.console import words
from rollback_audit.engine import queries
from rollback_audit.engine.backtests import MOST_DAYS
from rollback_audit.engine.escalations import LONGEST_SLO_MINUTES
from rollback_audit.engine.executive_reports import DEFAULT_SCOPE, LONGEST_LOOKBACK_HOURS, ReportScope
from rollback_audit.errors import InvalidInput
from rollback_audit.planning.escalation import DEFAULT_POLICY as ESCALATION_POLICY
from rollback_audit.planning.escalation import EscalationPolicy
from rollback_audit.planning.facts import DEFAULT_POLICY, RetryPolicy
from rollback_audit.planning.policy import BOUNDS, completed
from rollback_audit.redaction import REFUSAL, credential_rule
from rollback_audit.states import (
    AcknowledgementState,
    ApprovalState,
    ClosureState,
    EscalationAcknowledgementState,
    EscalationLevel,
    HoldScope,
    RecoveryState,
    RetryAcknowledgementState,
    Source,
)

MOST_PER_RUN = 10_000
DEFAULT_LOOKBACK_DAYS = 7
# What the rule refuses, in the words that the fields have here.
_UNFITTING_DELAY = {
    "retry_delay_minutes": _("0 only with retry at once allowed."),
    "max_delay_minutes": _("Not below the first delay."),
}


class Typed(forms.CharField):
    """What somebody typed, unless it looks like a credential."""

    def clean(self, value: Any) -> str:
        typed: str = super().clean(value)
        if rule := credential_rule(typed):
            raise forms.ValidationError(REFUSAL.format(rule=rule), code="credential")
        return typed


def _options(values: Any, first: tuple[str, str] | None = None) -> list[tuple[str, str]]:
    drawn = [(str(value), words.name(str(value))) for value in values]
    return [first, *drawn] if first else drawn


def _connectors(label: Any, *, every: Any) -> forms.ChoiceField:
    """One connector or, where it is left empty, what `every` says."""
    return forms.ChoiceField(label=label, required=False, choices=[("", every), *_connector_names()])


def _connector_names() -> list[tuple[str, str]]:
    return [(name, name) for name in queries.connectors().order_by("name").values_list("name", flat=True)]


class ReferenceFields(forms.Form):
    """A ticket and a note beside somebody's word."""

    external_ref = Typed(
        label=_("Reference"), required=False, max_length=200, help_text=_("A ticket or change number.")
    )
    notes = Typed(
        label=_("Notes"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Kept in the database, never shown or sent."),
    )


class ReasonForm(forms.Form):
    reason = Typed(label=_("Reason"), max_length=500, help_text=_("Goes on record with your name."))


class HoldForm(ReasonForm):
    """What a legal hold keeps."""

    scope = forms.ChoiceField(label=_("Keeps"), choices=_options(HoldScope))
    subject_id = Typed(
        label=_("Id"),
        required=False,
        max_length=64,
        help_text=_("Of the audit, delivery or schedule; empty for everything."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["scope", "subject_id", "reason"])


class DeliverForm(forms.Form):
    """Deliver Ack Audit: which routes the package covers, and where it goes."""

    delivery_provider = forms.ChoiceField(label=_("Send to"), required=False)
    schedule_id = Typed(label=_("Only schedule"), required=False, max_length=64)
    provider = forms.ChoiceField(label=_("Only routes over"), required=False)
    owner = Typed(label=_("Only owner"), required=False, max_length=128)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["delivery_provider"] = _connectors(_("Send to"), every=_("all connectors"))
        self.fields["provider"] = _connectors(_("Only routes over"), every=_("any connector"))


class PolicyForm(forms.Form):
    """The retry policy with the contract's defaults and bounds. A field that is not sent keeps its default."""

    source = forms.ChoiceField(label=_("Evidence"), required=False)
    provider = forms.ChoiceField(label=_("Connector"), required=False)
    max_retry_attempts = forms.IntegerField(
        label=_("Most failures"),
        required=False,
        help_text=_("The first one included."),
        **BOUNDS["max_retry_attempts"]._asdict(),
    )
    retry_delay_minutes = forms.IntegerField(
        label=_("First delay (minutes)"), required=False, **BOUNDS["retry_delay_minutes"]._asdict()
    )
    backoff_multiplier = forms.FloatField(
        label=_("Multiplier"), required=False, **BOUNDS["backoff_multiplier"]._asdict()
    )
    max_delay_minutes = forms.IntegerField(
        label=_("Longest delay (minutes)"), required=False, **BOUNDS["max_delay_minutes"]._asdict()
    )
    jitter_ratio = forms.FloatField(label=_("Jitter (0 to 1)"), required=False, **BOUNDS["jitter_ratio"]._asdict())
    allow_immediate_retry = forms.BooleanField(
        label=_("Allow retry at once"), required=False, help_text=_("Needed for a first delay of 0.")
    )
    retry_unknown_outcome = forms.BooleanField(
        label=_("Retry unknown outcomes"),
        required=False,
        help_text=_("The receiver may get the evidence twice."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("initial", DEFAULT_POLICY._asdict())
        super().__init__(*args, **kwargs)
        self.fields["source"] = forms.ChoiceField(
            label=_("Evidence"), required=False, choices=_options(Source, ("", "all kinds"))
        )
        self.fields["provider"] = _connectors(_("Connector"), every=_("all connectors"))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                self.policy()
            except InvalidInput as refused:
                for name in refused.fields:
                    self.add_error(name, _UNFITTING_DELAY[name])
        return data

    def policy(self) -> RetryPolicy:
        sent = {name: self.cleaned_data.get(name) for name in RetryPolicy._fields}
        return completed({name: value for name, value in sent.items() if value is not None})


class DryRunForm(PolicyForm):
    max_retry_deliveries = forms.IntegerField(
        label=_("Most deliveries"), min_value=1, max_value=MOST_PER_RUN, required=False, help_text=_("5 if left empty.")
    )


class WhatIfForm(PolicyForm):
    """A policy to try on past failures."""

    lookback_days = forms.IntegerField(
        label=_("Looks back (days)"),
        min_value=1,
        max_value=MOST_DAYS,
        required=False,
        initial=DEFAULT_LOOKBACK_DAYS,
        help_text=_("At deliveries that first failed then."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["lookback_days"])


class LimitForm(forms.Form):
    max_retry_deliveries = forms.IntegerField(min_value=1, max_value=MOST_PER_RUN)


class ExecuteForm(LimitForm, ReasonForm):
    """A live run of one plan. `expected` is the number that the page stated."""

    plan_digest = Typed(widget=forms.HiddenInput, max_length=64)
    expected = forms.IntegerField(widget=forms.HiddenInput, min_value=0)


class ReviewForm(ReferenceFields):
    acknowledgement_state = forms.ChoiceField(label=_("Word"), choices=_options(RetryAcknowledgementState))
    provider = Typed(widget=forms.HiddenInput, max_length=63)
    delivery_id = Typed(widget=forms.HiddenInput, max_length=64)
    audit_id = Typed(widget=forms.HiddenInput, max_length=64)


class DecideForm(ReferenceFields):
    """A word on one entry, or on all of them where the key is left empty."""

    approval_state = forms.ChoiceField(label=_("Word"), choices=_options(ApprovalState))
    expires_in_minutes = forms.IntegerField(
        label=_("Good for (minutes)"), min_value=1, max_value=1440, required=False, help_text=_("A day if left empty.")
    )
    provider = Typed(widget=forms.HiddenInput, max_length=63, required=False)
    delivery_id = Typed(widget=forms.HiddenInput, max_length=64, required=False)
    audit_id = Typed(widget=forms.HiddenInput, max_length=64, required=False)


class AcknowledgeForm(ReferenceFields):
    acknowledgement_state = forms.ChoiceField(label=_("Word"), choices=_options(AcknowledgementState))


class ClosureForm(ReferenceFields):
    """A word on a recovery: those that may be said of an open one, or reopening a closed one."""

    def __init__(self, *args: Any, state: RecoveryState, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        words_now = [
            word for word in ClosureState if (word is ClosureState.REOPENED) is (state is RecoveryState.CLOSED)
        ]
        self.fields["closure_state"] = forms.ChoiceField(label=_("Word"), choices=_options(words_now))
        self.fields["verification_refs"] = Typed(
            label=_("Verified by"),
            required=False,
            max_length=4000,
            widget=forms.Textarea(attrs={"rows": 2}),
            help_text=_("Ids of deliveries, runs or ledger lines, apart by spaces."),
        )
        self.order_fields(["closure_state", "external_ref", "verification_refs", "notes"])


class EscalationForm(forms.Form):
    """Which open recoveries an escalation takes. A field that is not sent keeps its default."""

    recovery_slo_minutes = forms.IntegerField(
        label=_("Objective (minutes)"),
        min_value=1,
        max_value=LONGEST_SLO_MINUTES,
        required=False,
        help_text=_("From the first failure."),
    )
    at_risk_percent = forms.IntegerField(
        label=_("At risk from (%)"), min_value=1, max_value=100, required=False, help_text=_("Of the objective.")
    )
    minimum_level = forms.ChoiceField(label=_("From level"), required=False, choices=_options(EscalationLevel))
    provider = forms.ChoiceField(label=_("Connector"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("initial", ESCALATION_POLICY._asdict())
        super().__init__(*args, **kwargs)
        self.fields["provider"] = _connectors(_("Connector"), every=_("all connectors"))

    def policy(self) -> EscalationPolicy:
        sent = {name: self.cleaned_data.get(name) for name in EscalationPolicy._fields}
        if sent["minimum_level"]:
            sent["minimum_level"] = EscalationLevel(sent["minimum_level"])
        return ESCALATION_POLICY._replace(**{name: value for name, value in sent.items() if value})


class EscalationWordForm(ReferenceFields):
    """A word on an escalation, or on one of the connectors it is about."""

    acknowledgement_state = forms.ChoiceField(label=_("Word"), choices=_options(EscalationAcknowledgementState))

    def __init__(self, *args: Any, names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["provider"] = forms.ChoiceField(
            label=_("About"), required=False, choices=[("", _("all of it")), *((name, name) for name in names)]
        )
        self.order_fields(["acknowledgement_state", "provider", "external_ref", "notes"])


class SendForm(forms.Form):
    """Where a stored package goes: to one of these connectors, or to all of them."""

    def __init__(self, *args: Any, names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.names = names
        self.fields["delivery_provider"] = forms.ChoiceField(
            label=_("Send to"), required=False, choices=[("", _("all that work")), *((name, name) for name in names)]
        )


class ScopeForm(forms.Form):
    """What an executive report covers. A field that is not sent keeps its default."""

    lookback_hours = forms.IntegerField(
        label=_("Covers (hours)"), min_value=1, max_value=LONGEST_LOOKBACK_HOURS, required=False
    )
    recovery_slo_minutes = forms.IntegerField(
        label=_("Objective (minutes)"),
        min_value=1,
        max_value=LONGEST_SLO_MINUTES,
        required=False,
        help_text=_("For a recovery, from its first failure."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("initial", asdict(DEFAULT_SCOPE))
        super().__init__(*args, **kwargs)

    def scope(self) -> ReportScope:
        sent = {name: self.cleaned_data.get(name) for name in self.fields}
        return replace(DEFAULT_SCOPE, **{name: value for name, value in sent.items() if value})


class BundleForm(forms.Form):
    """What a bundle is about, as its link names it."""

    since = forms.DateTimeField(required=False)
    audit_id = Typed(max_length=64, required=False)
    run_id = Typed(max_length=64, required=False)
    delivery_id = Typed(max_length=64, required=False)
    session_id = Typed(max_length=64, required=False)


class ScheduleForm(forms.Form):
    schedule_id = Typed(label=_("Schedule id"), max_length=64)
    owner = Typed(label=_("Owner"), max_length=128)
    escalation_owner = Typed(label=_("Escalates to"), max_length=128, required=False)
    providers = forms.MultipleChoiceField(label=_("Connectors"), widget=forms.CheckboxSelectMultiple)
    interval_days = forms.IntegerField(label=_("Every (days)"), min_value=1, max_value=3650)
    next_due_at = forms.DateTimeField(
        label=_("Next due (UTC)"),
        widget=forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
    )
    acknowledgement_minutes = forms.IntegerField(label=_("Acknowledge within (minutes)"), min_value=1, max_value=525600)
    enabled = forms.BooleanField(label=_("Enabled"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["providers"] = forms.MultipleChoiceField(
            label=_("Connectors"), widget=forms.CheckboxSelectMultiple, choices=_connector_names()
        )

    def values(self) -> dict[str, Any]:
        data = dict(self.cleaned_data)
        data["next_due_at"] = data["next_due_at"].astimezone(UTC)
        return data
