"""Every provider we deliver to: one small module and one line here."""

from datetime import datetime

from rollback_audit.delivery import (
    datadog,
    elastic,
    jira,
    otlp,
    pagerduty,
    sentinel,
    servicenow,
    slack,
    splunk,
    syslog,
    teams,
    webhook,
)
from rollback_audit.delivery.contract import (
    Addressed,
    Asking,
    Confirming,
    Connector,
    ConnectorSettings,
    Envelope,
    SigningIn,
    Step,
    WireRequest,
)
from rollback_audit.delivery.course import Course, checked_request
from rollback_audit.states import Category

CONNECTORS: dict[str, Connector] = {
    "datadog": datadog,
    "elastic": elastic,
    "jira": jira,
    "otlp": otlp,
    "pagerduty": pagerduty,
    "sentinel": sentinel,
    "servicenow": servicenow,
    "slack": slack,
    "splunk": splunk,
    "syslog": syslog,
    "teams": teams,
    "webhook": webhook,
}

# What some of them can do beside.
ADDRESSED: dict[str, Addressed] = {
    "datadog": datadog,
    "pagerduty": pagerduty,
}
ASKING: dict[str, Asking] = {
    "elastic": elastic,
    "jira": jira,
    "pagerduty": pagerduty,
    "servicenow": servicenow,
    "splunk": splunk,
}
SIGNING_IN: dict[str, SigningIn] = {
    "sentinel": sentinel,
}
CONFIRMING: dict[str, Confirming] = {
    "splunk": splunk,
}

# Reached by `tls://` and `tcp://` addresses.
STREAMING = frozenset({"syslog"})


def category(provider: str) -> Category:
    """What kind of receiver the provider is. KeyError for a provider that is not in the table."""
    return CONNECTORS[provider].CATEGORY


def build(settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> WireRequest:
    """The request that carries the envelope to this connector. Raises PayloadTooLarge over the vendor's limit."""
    return checked_request(CONNECTORS[settings.provider], settings, envelope, now=now)


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
    provider = settings.provider
    connector = CONNECTORS[provider]
    signing_in, confirming = SIGNING_IN.get(provider), CONFIRMING.get(provider)
    asking = ASKING.get(provider) if in_doubt else None
    if signing_in is None and confirming is None and asking is None:
        return Step(request=checked_request(connector, settings, envelope, now=now), judge=connector.judge)
    return Course(
        connector=connector,
        signing_in=signing_in,
        asking=asking,
        confirming=confirming,
        settings=settings,
        envelope=envelope,
        now=now,
        receipt=receipt,
    ).opening()
