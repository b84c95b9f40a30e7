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


class _Range(NamedTuple):
    kind: type[int] | type[float]
    least: float
    most: float


_RANGES = {
    "max_retry_attempts": _Range(int, 1, 50),
    "retry_delay_minutes": _Range(int, 0, 10_080),
    "backoff_multiplier": _Range(float, 1, 10),
    "max_delay_minutes": _Range(int, 0, 43_200),
    "jitter_ratio": _Range(float, 0, 1),
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
    return _completed(read)


def _problem(name: str, value: Any) -> str | None:
    bounds = _RANGES.get(name)
    if bounds is None:
        return None if type(value) is bool else "Expected true or false."
    kind, least, most = bounds
    fits = type(value) in {int, kind} and least <= value <= most
    return None if fits else f"Expected {_EXPECTED[kind]} from {least} to {most}."


def _completed(read: dict[str, Any]) -> RetryPolicy:
    """Delays that are left out follow the others, as in the contract."""
    at_once = read.get("allow_immediate_retry", False)
    delay = read.setdefault("retry_delay_minutes", 0 if at_once else DEFAULT_POLICY.retry_delay_minutes)
    longest = read.setdefault("max_delay_minutes", max(delay, DEFAULT_POLICY.max_delay_minutes))
    if delay == 0 and not at_once:
        raise InvalidInput({"retry_delay_minutes": ["0 needs allow_immediate_retry."]})
    if longest < delay:
        raise InvalidInput({"max_delay_minutes": ["It must be at least retry_delay_minutes."]})
    return DEFAULT_POLICY._replace(**read)
