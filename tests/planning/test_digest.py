"""Digests bind what was planned: each form is RFC 8785, each domain is its own, each value matters."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_audit.planning import digest
from rollback_audit.planning.facts import DEFAULT_POLICY, ConnectorFacts, DeliveryFacts, RetryPolicy
from rollback_audit.planning.retry import verdict
from tests.planning.given import (
    READY,
    after,
    connectors,
    deliveries,
    digests,
    failed,
    failures,
    moments,
    names,
    policies,
)

same = settings(derandomize=True, deadline=None, max_examples=150)


def general(domain: str, form: dict[str, Any]) -> str:
    """The digest as anybody would compute it from the documentation."""
    return hashlib.sha256(domain.encode() + rfc8785.dumps(form)).hexdigest()


@same
@given(event=digests, connector=names, revision=digests, number=st.integers(1, 10_000), policy=digests)
def test_the_request_digest_is_that_of_a_general_encoder(
    event: str, connector: str, revision: str, number: int, policy: str
) -> None:
    form = {
        "attempt_number": number,
        "connector": connector,
        "connector_revision": revision,
        "event_digest": event,
        "mode": "live",
        "policy_digest": policy,
    }
    assert digest.request_digest(
        event_digest=event,
        connector=connector,
        connector_revision=revision,
        attempt_number=number,
        policy_digest=policy,
    ) == general("cavra/retry-request/v1\n", form)


@same
@given(facts=deliveries(), connector=connectors, policy=policies(), now=moments)
def test_the_decision_digest_is_that_of_a_general_encoder(
    facts: DeliveryFacts, connector: ConnectorFacts, policy: RetryPolicy, now: datetime
) -> None:
    decided = verdict(facts, connector, policy, now=now)
    bound = digest.bind(
        facts, decided, connector_revision=connector.revision, policy=policy, policy_digest=digest.policy_digest(policy)
    )
    form = {
        "action": decided.action.value,
        "attempt_number": facts.attempt_count + 1,
        "audit_id": facts.audit_id,
        "delivery_id": facts.delivery_id,
        "failed_status_codes": [int(code) for code in facts.failed_status_codes.split(",") if code],
        "latest_delivery_at": facts.last_attempt_at.isoformat(),
        "max_retry_attempts": policy.max_retry_attempts,
        "next_retry_at": decided.next_retry_at.isoformat() if decided.next_retry_at else None,
        "provider": facts.provider,
        "reason_code": decided.reason_code.value,
        "request_digest": bound.request_digest,
        "retry_count": max(1, facts.failure_count),
        "retry_delay_minutes": decided.retry_delay_minutes,
        "source": str(facts.source),
    }
    assert bound.decision_digest == general("cavra/retry-decision/v1\n", form)


@same
@given(policy=policies())
def test_the_policy_digest_is_that_of_a_general_encoder(policy: RetryPolicy) -> None:
    assert digest.policy_digest(policy) == general("cavra/retry-policy/v1\n", policy._asdict())


def test_the_plan_digest_covers_header_and_decisions_in_their_order() -> None:
    decided = [hashlib.sha256(bytes([number])).hexdigest() for number in range(3)]
    header: dict[str, Any] = {
        "now": after(minutes=1).isoformat(),
        "policy": DEFAULT_POLICY._asdict(),
        "provider": "",
        "source": "",
    }
    whole = b"cavra/retry-plan/v1\n" + rfc8785.dumps(header) + b"\n" + b"".join(map(bytes.fromhex, decided))
    assert plan_digest(decided) == hashlib.sha256(whole).hexdigest()
    assert plan_digest(decided[:2], decided[2:]) == plan_digest(decided)
    assert plan_digest(decided[::-1]) != plan_digest(decided)


def plan_digest(*chunks: Iterable[str], **changes: Any) -> str:
    header: dict[str, Any] = {"now": after(minutes=1), "policy": DEFAULT_POLICY, "source": "", "provider": ""}
    plan = digest.PlanDigest(**(header | changes))
    for chunk in chunks:
        plan.add(chunk)
    return plan.hexdigest()


@pytest.mark.parametrize(
    "changes",
    [
        {"now": after(minutes=2)},
        {"policy": DEFAULT_POLICY._replace(max_retry_attempts=4)},
        {"source": "webhook"},
        {"provider": "webhook"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_plan_over_something_else_has_another_digest(changes: dict[str, Any]) -> None:
    assert plan_digest([], **changes) != plan_digest([])


@pytest.mark.parametrize(
    "changes",
    [
        {"max_retry_attempts": 4},
        {"retry_delay_minutes": 16},
        {"backoff_multiplier": 2.5},
        {"max_delay_minutes": 1_441},
        {"jitter_ratio": 0.5},
        {"allow_immediate_retry": True},
        {"retry_unknown_outcome": True},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_field_of_the_policy_is_bound(changes: dict[str, Any]) -> None:
    assert digest.policy_digest(DEFAULT_POLICY._replace(**changes)) != digest.policy_digest(DEFAULT_POLICY)


def decision(facts: DeliveryFacts, *, minutes: float = 60, revision: str = READY.revision) -> str:
    decided = verdict(facts, READY, DEFAULT_POLICY, now=after(minutes=minutes))
    policy = digest.policy_digest(DEFAULT_POLICY)
    return digest.bind(
        facts, decided, connector_revision=revision, policy=DEFAULT_POLICY, policy_digest=policy
    ).decision_digest


def test_an_approval_of_today_fits_the_same_facts_tomorrow() -> None:
    assert decision(failed(), minutes=60) == decision(failed(), minutes=24 * 60)


@pytest.mark.parametrize(
    "changed",
    [
        failed(delivery_id="gordackdelivery-0000000000000002"),
        failed(audit_id="gordackaudit-0000000000000002"),
        failed(provider="splunk"),
        failed(event_digest="f" * 64),
        failed(failed_status_codes="500"),
        failed(last_attempt_at=after(minutes=-2)),
        failures(2),
    ],
)
def test_every_fact_that_could_change_what_is_sent_is_bound(changed: DeliveryFacts) -> None:
    assert decision(changed) != decision(failed())


def test_another_configuration_of_the_connector_is_another_decision() -> None:
    assert decision(failed(), revision="1" * 32) != decision(failed())


def test_no_two_digests_share_a_domain() -> None:
    domains = [
        digest.REQUEST_DOMAIN.encode(),
        digest.DECISION_DOMAIN.encode(),
        digest.PLAN_DOMAIN,
        digest.POLICY_DOMAIN,
    ]
    assert not any(a.startswith(b) for a in domains for b in domains if a is not b)
    assert all(domain.endswith(b"\n") for domain in domains)
