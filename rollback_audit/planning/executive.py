"""What an executive report says of its figures: the risks, gravest first, and what to do about each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from rollback_audit.planning.packages import worst
from rollback_audit.states import AlertLevel, ReportRisk


class RiskFigures(NamedTuple):
    """The numbers that may be a risk."""

    breached_recovery_count: int = 0
    at_risk_recovery_count: int = 0
    unavailable_connector_count: int = 0
    suppressed_count: int = 0
    retryable_count: int = 0
    in_doubt_count: int = 0
    outstanding_escalation_count: int = 0
    delivery_count: int = 0


@dataclass(frozen=True, slots=True)
class Risk:
    code: ReportRisk
    alert_level: AlertLevel
    count: int


class Advice(NamedTuple):
    """A risk in words, and the step that ends it."""

    risk: str
    recommended_action: str


ADVICE: dict[ReportRisk, Advice] = {
    ReportRisk.RECOVERY_SLO_BREACHED: Advice(
        "Connector recovery SLO breached", "Escalate the recovery and follow its playbook to a closure."
    ),
    ReportRisk.EVIDENCE_SUPPRESSED: Advice(
        "Evidence was given up", "Look at what the receivers refused, mend the cause and deliver it anew."
    ),
    ReportRisk.RECOVERY_SLO_AT_RISK: Advice(
        "Connector recovery nears its SLO", "Follow the recovery's playbook before the objective passes."
    ),
    ReportRisk.CONNECTOR_UNAVAILABLE: Advice(
        "Connectors cannot be sent to", "Mend the configuration or end the hold after a test that is confirmed."
    ),
    ReportRisk.EVIDENCE_RETRYABLE: Advice(
        "Failed evidence is due for a retry", "Plan the retries, have them approved and run them."
    ),
    ReportRisk.OUTCOME_UNKNOWN: Advice(
        "Receivers may hold evidence twice or not at all", "Ask the receivers, then retry or close the deliveries."
    ),
    ReportRisk.ESCALATION_OUTSTANDING: Advice(
        "Escalations wait for an answer", "Acknowledge the escalations and name who has taken them."
    ),
    ReportRisk.NOTHING_DELIVERED: Advice(
        "No evidence was sent in the period", "Check that audits and drill notifications are still being delivered."
    ),
}
_CRITICAL = frozenset({ReportRisk.RECOVERY_SLO_BREACHED, ReportRisk.EVIDENCE_SUPPRESSED})


def risks(figures: RiskFigures) -> list[Risk]:
    """One entry for each risk that is there, in the order of `ReportRisk`: gravest first."""
    found = {
        ReportRisk.RECOVERY_SLO_BREACHED: figures.breached_recovery_count,
        ReportRisk.EVIDENCE_SUPPRESSED: figures.suppressed_count,
        ReportRisk.RECOVERY_SLO_AT_RISK: figures.at_risk_recovery_count,
        ReportRisk.CONNECTOR_UNAVAILABLE: figures.unavailable_connector_count,
        ReportRisk.EVIDENCE_RETRYABLE: figures.retryable_count,
        ReportRisk.OUTCOME_UNKNOWN: figures.in_doubt_count,
        ReportRisk.ESCALATION_OUTSTANDING: figures.outstanding_escalation_count,
        ReportRisk.NOTHING_DELIVERED: int(not figures.delivery_count),
    }
    return [Risk(code, _alert_level(code), count) for code, count in found.items() if count]


def alert_level(found: Iterable[Risk]) -> AlertLevel:
    """The gravest risk's."""
    return worst(*(risk.alert_level for risk in found))


def rate(part: int, whole: int) -> float:
    """A share from 0 to 1, four digits; 0 of nothing."""
    return round(part / whole, 4) if whole else 0.0


def _alert_level(code: ReportRisk) -> AlertLevel:
    return AlertLevel.CRITICAL if code in _CRITICAL else AlertLevel.WARNING
