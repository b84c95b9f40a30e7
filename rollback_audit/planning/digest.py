"""Digests of what was planned: SHA-256 over a domain word and the RFC 8785 (JCS) form.

A plan makes two digests for each decision, up to a million times, so those two forms are written out by hand in key
order; a test holds them against a general RFC 8785 encoder. Every value in them is an integer, an enumeration word, a
hex digest or an id of our own making, so nothing in them ever needs escaping. `provider` is a connector's name, which
the configuration restricts to [a-z0-9_-].
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

import rfc8785

from rollback_audit.planning.facts import Decision, DeliveryFacts, RetryPolicy, Verdict
from rollback_audit.states import RunMode

REQUEST_DOMAIN = "cavra/retry-request/v1\n"
DECISION_DOMAIN = "cavra/retry-decision/v1\n"
PLAN_DOMAIN = b"cavra/retry-plan/v1\n"
POLICY_DOMAIN = b"cavra/retry-policy/v1\n"

_sha256 = hashlib.sha256


def canonical(value: Mapping[str, object]) -> bytes:
    """The RFC 8785 form, UTF-8."""
    return rfc8785.dumps(value)  # type: ignore[arg-type]


def policy_digest(policy: RetryPolicy) -> str:
    """64 hex characters that name a policy."""
    return _sha256(POLICY_DOMAIN + canonical(policy._asdict())).hexdigest()


def request_digest(
    *,
    event_digest: str,
    connector: str,
    connector_revision: str,
    attempt_number: int,
    policy_digest: str,
    mode: RunMode = RunMode.LIVE,
) -> str:
    """What would be sent: which event, over which connector as configured, as which attempt, under which policy.

    Plans bind the live send. A run that is not live has another digest, so no approval fits it.
    """
    form = (
        f'{REQUEST_DOMAIN}{{"attempt_number":{attempt_number},"connector":"{connector}",'
        f'"connector_revision":"{connector_revision}","event_digest":"{event_digest}","mode":"{mode}",'
        f'"policy_digest":"{policy_digest}"}}'
    )
    return _sha256(form.encode()).hexdigest()


def _moment(value: datetime | None) -> str:
    return "null" if value is None else f'"{value.isoformat()}"'


def decision_digest(
    facts: DeliveryFacts, verdict: Verdict, *, attempt_number: int, max_retry_attempts: int, request_digest: str
) -> str:
    """The decision as a person approves it. The clock is not in it: the same facts give the same digest tomorrow."""
    form = (
        f'{DECISION_DOMAIN}{{"action":"{verdict.action}","attempt_number":{attempt_number},'
        f'"audit_id":"{facts.audit_id}","delivery_id":"{facts.delivery_id}",'
        f'"failed_status_codes":[{facts.failed_status_codes}],'
        f'"latest_delivery_at":{_moment(facts.last_attempt_at)},"max_retry_attempts":{max_retry_attempts},'
        f'"next_retry_at":{_moment(verdict.next_retry_at)},"provider":"{facts.provider}",'
        f'"reason_code":"{verdict.reason_code}","request_digest":"{request_digest}",'
        f'"retry_count":{facts.failure_count or 1},"retry_delay_minutes":{verdict.retry_delay_minutes},'
        f'"source":"{facts.source}"}}'
    )
    return _sha256(form.encode()).hexdigest()


def bind(
    facts: DeliveryFacts, verdict: Verdict, *, connector_revision: str, policy: RetryPolicy, policy_digest: str
) -> Decision:
    """The verdict with its digests."""
    attempt_number = facts.attempt_count + 1
    request = request_digest(
        event_digest=facts.event_digest,
        connector=facts.provider,
        connector_revision=connector_revision,
        attempt_number=attempt_number,
        policy_digest=policy_digest,
    )
    decision = decision_digest(
        facts,
        verdict,
        attempt_number=attempt_number,
        max_retry_attempts=policy.max_retry_attempts,
        request_digest=request,
    )
    return Decision(
        verdict.action,
        verdict.reason_code,
        facts.failure_count or 1,
        verdict.retry_delay_minutes,
        verdict.next_retry_at,
        attempt_number,
        request,
        decision,
    )


class PlanDigest:
    """The digest of a plan, fed decision by decision in the order of their delivery keys."""

    def __init__(self, *, now: datetime, policy: RetryPolicy, source: str, provider: str) -> None:
        header = {"now": now.isoformat(), "policy": policy._asdict(), "provider": provider, "source": source}
        self._hash = _sha256(PLAN_DOMAIN + canonical(header) + b"\n")

    def add(self, decision_digests: Iterable[str]) -> None:
        for digest in decision_digests:
            self._hash.update(bytes.fromhex(digest))

    def hexdigest(self) -> str:
        return self._hash.hexdigest()
