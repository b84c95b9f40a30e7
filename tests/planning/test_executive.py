"""What an executive report warns of: one risk for each number that is one, gravest first."""

import pytest

from rollback_audit.planning import executive
from rollback_audit.planning.executive import RiskFigures
from rollback_audit.states import AlertLevel, ReportRisk

QUIET = RiskFigures(delivery_count=1)
CRITICAL, WARNING, HEALTHY = AlertLevel.CRITICAL, AlertLevel.WARNING, AlertLevel.HEALTHY

CASES = [
    ({"breached_recovery_count": 1}, ReportRisk.RECOVERY_SLO_BREACHED, CRITICAL, 1),
    ({"suppressed_count": 7}, ReportRisk.EVIDENCE_SUPPRESSED, CRITICAL, 7),
    ({"at_risk_recovery_count": 2}, ReportRisk.RECOVERY_SLO_AT_RISK, WARNING, 2),
    ({"unavailable_connector_count": 3}, ReportRisk.CONNECTOR_UNAVAILABLE, WARNING, 3),
    ({"retryable_count": 4}, ReportRisk.EVIDENCE_RETRYABLE, WARNING, 4),
    ({"in_doubt_count": 5}, ReportRisk.OUTCOME_UNKNOWN, WARNING, 5),
    ({"outstanding_escalation_count": 6}, ReportRisk.ESCALATION_OUTSTANDING, WARNING, 6),
    ({"delivery_count": 0}, ReportRisk.NOTHING_DELIVERED, WARNING, 1),
]


@pytest.mark.parametrize(("figures", "code", "level", "count"), CASES, ids=[case[1].value for case in CASES])
def test_each_number_is_its_own_risk(figures: dict[str, int], code: ReportRisk, level: AlertLevel, count: int) -> None:
    (risk,) = executive.risks(QUIET._replace(**figures))
    assert (risk.code, risk.alert_level, risk.count) == (code, level, count)
    assert executive.alert_level([risk]) is level


def test_a_quiet_period_has_no_risk() -> None:
    assert executive.risks(QUIET) == []
    assert executive.alert_level([]) is HEALTHY


def test_all_of_them_come_gravest_first_in_the_order_of_the_words() -> None:
    found = executive.risks(RiskFigures(1, 1, 1, 1, 1, 1, 1, 0))
    assert [risk.code for risk in found] == list(ReportRisk)
    assert executive.alert_level(found) is CRITICAL


def test_every_risk_says_what_to_do() -> None:
    assert set(executive.ADVICE) == set(ReportRisk)
    assert all(words.recommended_action.endswith(".") for words in executive.ADVICE.values())


@pytest.mark.parametrize(("part", "whole", "expected"), [(0, 0, 0.0), (1, 3, 0.3333), (3, 3, 1.0)])
def test_a_share_of_nothing_is_nothing(part: int, whole: int, expected: float) -> None:
    assert executive.rate(part, whole) == expected
