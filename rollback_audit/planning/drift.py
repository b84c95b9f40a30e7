"""What has moved between an approval and the send it was given for."""

from typing import NamedTuple

from rollback_audit.planning.digest import request_digest
from rollback_audit.planning.facts import SendFacts
from rollback_audit.states import DriftField

# As much of a digest as a person compares, and as little as tells nothing of what it covers.
_SHOWN = 8
_DIGESTS = frozenset({DriftField.EVENT, DriftField.CONNECTOR_REVISION, DriftField.POLICY})


class Difference(NamedTuple):
    """One thing that moved, in public words: names, numbers, and the first eight characters of digests."""

    field: DriftField
    approved: str
    now: str


def differences(approved: SendFacts, now: SendFacts) -> tuple[Difference, ...]:
    """Everything that moved, in the order of DriftField; empty where the approval still fits the send."""
    pairs = zip(DriftField, approved, now, strict=True)
    return tuple(
        Difference(field, _shown(field, was), _shown(field, is_now)) for field, was, is_now in pairs if was != is_now
    )


def digest_of(facts: SendFacts) -> str:
    """The request digest of a send. The delivery's state is not in it: it is judged beside the digest."""
    return request_digest(
        event_digest=facts.event_digest,
        connector=facts.connector,
        connector_revision=facts.connector_revision,
        attempt_number=facts.attempt_number,
        policy_digest=facts.policy_digest,
        mode=facts.mode,
    )


def _shown(field: DriftField, value: object) -> str:
    return str(value)[:_SHOWN] if field in _DIGESTS else str(value)
