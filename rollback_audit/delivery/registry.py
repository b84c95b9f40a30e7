"""Every provider we deliver to: one small module and one line here."""

from datetime import datetime

from rollback_audit.delivery import jira, pagerduty, servicenow, slack, splunk, teams, webhook
from rollback_audit.delivery.contract import (
    Addressed,
    Asking,
    Confirming,
    Connector,
    ConnectorSettings,
    Envelope,
    PayloadTooLarge,
    SigningIn,
    Step,
    WireRequest,
)
from rollback_audit.states import Category

CONNECTORS: dict[str, Connector] = {
    "jira": jira,
    "pagerduty": pagerduty,
    "servicenow": servicenow,
    "slack": slack,
    "splunk": splunk,
    "teams": teams,
    "webhook": webhook,
}

# What some of them can do beside.
ADDRESSED: dict[str, Addressed] = {
    "pagerduty": pagerduty,
}
ASKING: dict[str, Asking] = {
    "jira": jira,
    "pagerduty": pagerduty,
    "servicenow": servicenow,
}
SIGNING_IN: dict[str, SigningIn] = {}
CONFIRMING: dict[str, Confirming] = {}

# Named by the contract and not built yet: refused by that name, so that nobody takes it for a typing error.
NOT_SUPPORTED_YET = frozenset({"datadog", "elastic", "otlp", "sentinel", "syslog"})


def category(provider: str) -> Category:
    """What kind of receiver the provider is. KeyError for a provider that is not in the table."""
    return CONNECTORS[provider].CATEGORY


def build(settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> WireRequest:
    """The request that carries the envelope to this connector. Raises PayloadTooLarge over the vendor's limit."""
    connector = CONNECTORS[settings.provider]
    request = connector.build(settings, envelope, now=now)
    if len(request.body) > connector.MAX_BODY_BYTES:
        raise PayloadTooLarge
    return request


def opening(
    settings: ConnectorSettings,
    envelope: Envelope,
    *,
    now: datetime,
    in_doubt: bool = False,
    receipt: int | None = None,
) -> Step:
    """The first step of the exchange that carries the envelope. Raises PayloadTooLarge.

    `in_doubt` says that the receiver may hold the event already: one that can be asked is asked first.
    """
    return Step(request=build(settings, envelope, now=now), judge=CONNECTORS[settings.provider].judge)
