"""A policy as somebody writes it down."""

from typing import Any

import pytest

from rollback_audit.errors import InvalidInput
from rollback_audit.planning.facts import DEFAULT_POLICY, RetryPolicy
from rollback_audit.planning.policy import policy_from


@pytest.mark.parametrize(
    ("values", "policy"),
    [
        ({}, DEFAULT_POLICY),
        ({"max_retries": 5, "delay_minutes": 5, "multiplier": 1}, RetryPolicy(5, 5, 1.0)),
        ({"allow_immediate_retry": True}, RetryPolicy(retry_delay_minutes=0, allow_immediate_retry=True)),
        ({"retry_delay_minutes": 2000}, RetryPolicy(retry_delay_minutes=2000, max_delay_minutes=2000)),
        (
            {"jitter_ratio": 0.5, "retry_unknown_outcome": True},
            RetryPolicy(jitter_ratio=0.5, retry_unknown_outcome=True),
        ),
    ],
)
def test_what_is_left_out_follows_the_contract(values: dict[str, Any], policy: RetryPolicy) -> None:
    assert policy_from(values) == policy


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"max_retry_attempts": 0}, "max_retry_attempts"),
        ({"max_retry_attempts": 51}, "max_retry_attempts"),
        ({"max_retry_attempts": 3.0}, "max_retry_attempts"),
        ({"max_retry_attempts": True}, "max_retry_attempts"),
        ({"max_retry_attempts": None}, "max_retry_attempts"),
        ({"retry_delay_minutes": 0}, "retry_delay_minutes"),
        ({"retry_delay_minutes": "5"}, "retry_delay_minutes"),
        ({"retry_delay_minutes": 20, "max_delay_minutes": 10}, "max_delay_minutes"),
        ({"backoff_multiplier": float("nan")}, "backoff_multiplier"),
        ({"backoff_multiplier": 10.1}, "backoff_multiplier"),
        ({"jitter_ratio": 10**400}, "jitter_ratio"),
        ({"allow_immediate_retry": 1}, "allow_immediate_retry"),
        ({"delay_minutes": 5, "retry_delay_minutes": 5}, "retry_delay_minutes"),
        ({"secret": "hunter2"}, "policy"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        policy_from(values)
    assert list(refusal.value.fields) == [field]
    assert "hunter2" not in str(refusal.value.fields)
