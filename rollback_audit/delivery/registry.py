"""Every provider we deliver to: one small module and one line here."""

from datetime import datetime

from rollback_audit.delivery import splunk, webhook
from rollback_audit.delivery.contract import Connector, ConnectorSettings, Envelope, PayloadTooLarge, WireRequest
from rollback_audit.states import Category

CONNECTORS: dict[str, Connector] = {
    "splunk": splunk,
    "webhook": webhook,
}

# Named by the contract and not built yet: refused by that name, so that nobody takes it for a typing error.
NOT_SUPPORTED_YET = frozenset(
    {"datadog", "elastic", "jira", "otlp", "pagerduty", "sentinel", "servicenow", "slack", "syslog", "teams"}
)


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
