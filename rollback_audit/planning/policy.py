"""A retry policy as somebody writes it down: names and plain values in, a policy within the contract's bounds out."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from rollback_audit.errors import InvalidInput
from rollback_audit.planning.facts import DEFAULT_POLICY, RetryPolicy

ALIASES = {
    "delay_minutes": "retry_delay_minutes",
    "max_retries": "max_retry_attempts",
    "multiplier": "backoff_multiplier",
}
_EXPECTED = {int: "a whole number", float: "a number"}


class Bounds(NamedTuple):
    """The least and the most that a field takes, both included."""

    min_value: float
    max_value: float


BOUNDS = {
    "max_retry_attempts": Bounds(1, 50),
    "retry_delay_minutes": Bounds(0, 10_080),
    "backoff_multiplier": Bounds(1.0, 10.0),
    "max_delay_minutes": Bounds(0, 43_200),
    "jitter_ratio": Bounds(0.0, 1.0),
}


def policy_from(values: Mapping[str, Any]) -> RetryPolicy:
    """The policy that these values make of the default one. Raises InvalidInput, which names each field refused."""
    refused: dict[str, list[str]] = {}
    read: dict[str, Any] = {}
    for sent, value in values.items():
        name = ALIASES.get(sent, sent)
        if name not in RetryPolicy._fields:
            # Not repeated: it is whatever somebody typed.
            refused["policy"] = [f"It has an unknown field. Known are {', '.join(RetryPolicy._fields)}."]
        elif name in read:
            refused[name] = ["It is given twice."]
        elif problem := _problem(name, value):
            refused[name] = [problem]
        else:
            read[name] = value
    if refused:
        raise InvalidInput(refused)
    return completed(read)


def completed(values: Mapping[str, Any]) -> RetryPolicy:
    """The policy of values within their bounds. Delays that are left out follow the others, as in the contract.

    Raises InvalidInput where the values do not go together.
    """
    policy = DEFAULT_POLICY._replace(**values)
    if "retry_delay_minutes" not in values and policy.allow_immediate_retry:
        policy = policy._replace(retry_delay_minutes=0)
    if "max_delay_minutes" not in values:
        policy = policy._replace(max_delay_minutes=max(policy.retry_delay_minutes, policy.max_delay_minutes))
    if policy.retry_delay_minutes == 0 and not policy.allow_immediate_retry:
        raise InvalidInput({"retry_delay_minutes": ["0 needs allow_immediate_retry."]})
    if policy.max_delay_minutes < policy.retry_delay_minutes:
        raise InvalidInput({"max_delay_minutes": ["It must be at least retry_delay_minutes."]})
    return policy


def _problem(name: str, value: Any) -> str | None:
    kind = type(getattr(DEFAULT_POLICY, name))
    if kind is bool:
        return None if type(value) is bool else "Expected true or false."
    least, most = BOUNDS[name]
    fits = type(value) in {int, kind} and least <= value <= most
    return None if fits else f"Expected {_EXPECTED[kind]} from {least:g} to {most:g}."
