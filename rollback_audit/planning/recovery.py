"""Recovery of a connector: what to do about its failures, who may close it when, and how it stands against its time.

Three tables, each with its cases in tests/planning/test_recovery.py. A recovery is one outage of one connector; its
clock starts with the first failure, however late somebody asked for a playbook.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from rollback_audit.states import FAILURE_CLASS, Category, ClosureState, FailureClass, FailureKind, RecoveryState

DEFAULT_SLO_MINUTES = 240
CLOSING = frozenset({ClosureState.RESOLVED, ClosureState.MITIGATED})


class SloState(StrEnum):
    """A recovery against its time. Never stored, since it depends on how long one may take."""

    OPEN = "open"
    CLOSED = "closed"
    BREACHED = "breached"


class RecoveryStep(StrEnum):
    """What to do about an outage, in this order. The last three always apply."""

    CHECK_CONFIGURATION = "check_configuration"
    RENEW_CREDENTIAL = "renew_credential"
    CHECK_ADDRESS = "check_address"
    ALLOW_NETWORK = "allow_network"
    CHECK_NAME = "check_name"
    CHECK_NETWORK = "check_network"
    CHECK_CERTIFICATE = "check_certificate"
    LOWER_RATE = "lower_rate"
    ASK_RECEIVER = "ask_receiver"
    CHECK_PAYLOAD = "check_payload"
    SHRINK_PAYLOAD = "shrink_payload"
    CHECK_WORKERS = "check_workers"
    LOOK_FOR_EVENT = "look_for_event"
    SEND_TEST = "send_test"
    RETRY_DELIVERIES = "retry_deliveries"
    CLOSE_RECOVERY = "close_recovery"


CALLED_FOR: dict[FailureKind, tuple[RecoveryStep, ...]] = {
    FailureKind.NAME_UNRESOLVED: (RecoveryStep.CHECK_NAME,),
    FailureKind.ADDRESS_FORBIDDEN: (RecoveryStep.ALLOW_NETWORK,),
    FailureKind.CONNECT_REFUSED: (RecoveryStep.CHECK_NETWORK,),
    FailureKind.CONNECT_TIMEOUT: (RecoveryStep.CHECK_NETWORK,),
    FailureKind.TLS_FAILED: (RecoveryStep.CHECK_NETWORK, RecoveryStep.CHECK_CERTIFICATE),
    FailureKind.TLS_UNTRUSTED: (RecoveryStep.CHECK_CERTIFICATE,),
    FailureKind.PAYLOAD_TOO_LARGE: (RecoveryStep.SHRINK_PAYLOAD,),
    FailureKind.REQUEST_INVALID: (RecoveryStep.CHECK_CONFIGURATION,),
    FailureKind.CONNECTOR_UNAVAILABLE: (RecoveryStep.CHECK_CONFIGURATION,),
    FailureKind.LEASE_LOST: (RecoveryStep.CHECK_WORKERS,),
    FailureKind.PAYLOAD_REFUSED: (RecoveryStep.CHECK_PAYLOAD,),
    FailureKind.REDIRECT_REFUSED: (RecoveryStep.CHECK_ADDRESS,),
    FailureKind.CREDENTIAL_REFUSED: (RecoveryStep.RENEW_CREDENTIAL,),
    FailureKind.ADDRESS_UNKNOWN: (RecoveryStep.CHECK_ADDRESS,),
    FailureKind.RATE_LIMITED: (RecoveryStep.LOWER_RATE,),
    FailureKind.TRY_LATER: (RecoveryStep.ASK_RECEIVER,),
    FailureKind.UNAVAILABLE: (RecoveryStep.LOWER_RATE, RecoveryStep.ASK_RECEIVER),
    FailureKind.GATEWAY_FAILED: (RecoveryStep.ASK_RECEIVER,),
    FailureKind.SERVER_ERROR: (RecoveryStep.ASK_RECEIVER,),
    FailureKind.ANSWER_REJECTED: (RecoveryStep.ASK_RECEIVER, RecoveryStep.CHECK_PAYLOAD),
    FailureKind.ANSWER_TIMEOUT: (RecoveryStep.ASK_RECEIVER,),
    FailureKind.CONNECTION_LOST: (RecoveryStep.CHECK_NETWORK,),
    FailureKind.ANSWER_MALFORMED: (RecoveryStep.ASK_RECEIVER,),
    FailureKind.ANSWER_TOO_LARGE: (RecoveryStep.ASK_RECEIVER,),
    FailureKind.WORKER_LOST: (RecoveryStep.CHECK_WORKERS,),
}
_ALWAYS = frozenset({RecoveryStep.SEND_TEST, RecoveryStep.RETRY_DELIVERIES, RecoveryStep.CLOSE_RECOVERY})

_SENTENCES: dict[RecoveryStep, str] = {
    RecoveryStep.CHECK_CONFIGURATION: "Run `cavra check` and mend the configuration key that it names.",
    RecoveryStep.ALLOW_NETWORK: "Correct the receiver's name, or list its network under allow_networks if it is yours.",
    RecoveryStep.CHECK_NAME: "Check the receiver's name, and that the name server of this machine knows it.",
    RecoveryStep.CHECK_NETWORK: "Check that the receiver listens and that no firewall or proxy is in the way.",
    RecoveryStep.CHECK_CERTIFICATE: "Check that the receiver's certificate is valid, names it and is trusted.",
    RecoveryStep.CHECK_WORKERS: "Check that the workers are up and reach the database; the sweeper settles the rest.",
    RecoveryStep.SEND_TEST: "Send a test event; a confirmed one proves the connector and ends its hold.",
    RecoveryStep.RETRY_DELIVERIES: "Plan the retry of what failed, have it approved and run it.",
    RecoveryStep.CLOSE_RECOVERY: "Close the recovery with a reference to the test or delivery that proves it.",
}
_FITTING: dict[RecoveryStep, dict[Category, str]] = {
    RecoveryStep.RENEW_CREDENTIAL: {
        Category.SIEM: "Check that the ingest credential is valid and may write to the index; renew it.",
        Category.ITSM: "Check that the integration user is active and may create records; renew its credential.",
        Category.CHATOPS: "Check that the app is still installed in the channel; renew its credential.",
        Category.WEBHOOK: "Check with the receiver's owner that both sides hold the same signing secret.",
    },
    RecoveryStep.CHECK_ADDRESS: {
        Category.SIEM: "Check the ingest address, and that its index, table or stream still exists.",
        Category.ITSM: "Check the instance's address, and that its project or table still exists.",
        Category.CHATOPS: "Check that the channel's incoming hook still exists; make a new one if it was removed.",
        Category.WEBHOOK: "Check the address with the receiver's owner; redirects are not followed.",
    },
    RecoveryStep.LOWER_RATE: {
        Category.SIEM: "Check the ingest quota; raise it, or send fewer events at once.",
        Category.ITSM: "Check the instance's API limits; raise them, or send fewer records at once.",
        Category.CHATOPS: "Send fewer messages: chat services take about one a second for a channel.",
        Category.WEBHOOK: "Ask the receiver's owner how many requests it takes, and send fewer.",
    },
    RecoveryStep.ASK_RECEIVER: {
        Category.SIEM: "Look at the vendor's status page and the health of the ingest tier.",
        Category.ITSM: "Look at the vendor's status page, and for a maintenance window of the instance.",
        Category.CHATOPS: "Look at the chat service's status page; meanwhile tell people another way.",
        Category.WEBHOOK: "Ask the receiver's owner what its log says of the moment of the failure.",
    },
    RecoveryStep.CHECK_PAYLOAD: {
        Category.SIEM: "Check that the index and source type take these events; what was refused is not sent again.",
        Category.ITSM: "Check the required fields and record type; what was refused is not sent again.",
        Category.CHATOPS: "Check that the app may post this kind of message; what was refused is not sent again.",
        Category.WEBHOOK: "Ask the receiver's owner which fields it refuses; what was refused is not sent again.",
    },
    RecoveryStep.SHRINK_PAYLOAD: {
        Category.SIEM: "Deliver fewer routes at once, by owner or schedule, or raise the event size limit.",
        Category.ITSM: "Deliver fewer routes at once, by owner or schedule; the record's fields are limited.",
        Category.CHATOPS: "Deliver fewer routes at once, by owner or schedule; a message's size is limited.",
        Category.WEBHOOK: "Deliver fewer routes at once, by owner or schedule, or raise the receiver's limit.",
    },
    RecoveryStep.LOOK_FOR_EVENT: {
        Category.SIEM: "Search for the event id before sending again: the receiver may hold it.",
        Category.ITSM: "Look for a record with the event id before sending again: there may be one.",
        Category.CHATOPS: "Look in the channel before sending again: the message may be there.",
        Category.WEBHOOK: "Ask the receiver's owner for the event id before sending again: it may hold it.",
    },
}


def steps(kinds: Iterable[FailureKind]) -> list[RecoveryStep]:
    """What to do about failures of these kinds, in order, each step once."""
    called = set(_ALWAYS)
    for kind in kinds:
        called.update(CALLED_FOR[kind])
        if FAILURE_CLASS[kind] is FailureClass.UNKNOWN:
            called.add(RecoveryStep.LOOK_FOR_EVENT)
    return [step for step in RecoveryStep if step in called]


def sentence(step: RecoveryStep, category: Category) -> str:
    """The step as an operator of that kind of receiver reads it."""
    return _FITTING[step][category] if step in _FITTING else _SENTENCES[step]


class Refusal(NamedTuple):
    """Why a word on a recovery is refused: a stable code, and what to do."""

    code: str
    detail: str


def why_not(state: RecoveryState, word: ClosureState, *, proven: bool, has_other_open: bool) -> Refusal | None:
    """Why this word may not be said of the recovery now; None where it may.

    `proven`: a test or a delivery of the connector was confirmed after its latest failure. `has_other_open`: another
    recovery of the connector is open.
    """
    if word is ClosureState.REOPENED:
        if state is RecoveryState.OPEN:
            return Refusal("recovery_open", "The recovery is open already.")
        if has_other_open:
            return Refusal("recovery_open_elsewhere", "The connector has another open recovery; go on with that one.")
        return None
    if state is RecoveryState.CLOSED:
        return Refusal("recovery_closed", "The recovery is closed; reopen it first.")
    if word is ClosureState.RESOLVED and not proven:
        detail = "Nothing has been confirmed since the latest failure. Send a test event or retry a delivery first."
        return Refusal("recovery_unproven", detail)
    return None


def needs_reason(word: ClosureState) -> bool:
    """Whether the word wants a reason; `resolved` has its proof."""
    return word is not ClosureState.RESOLVED


def state_after(state: RecoveryState, word: ClosureState) -> RecoveryState:
    """What an allowed word makes of a recovery."""
    if word is ClosureState.REOPENED:
        return RecoveryState.OPEN
    return RecoveryState.CLOSED if word in CLOSING else state


def slo_due_at(first_failure_at: datetime, *, slo_minutes: int) -> datetime:
    """When the recovery has to be closed: minutes after the first failure of the outage."""
    return first_failure_at + timedelta(minutes=slo_minutes)


def slo_state(first_failure_at: datetime, closed_at: datetime | None, *, slo_minutes: int, now: datetime) -> SloState:
    """How a recovery stands against its time; `closed_at` is None while it is open.

    The very end is too late, and a late closing stays a breach.
    """
    late = (closed_at or now) >= slo_due_at(first_failure_at, slo_minutes=slo_minutes)
    if late:
        return SloState.BREACHED
    return SloState.OPEN if closed_at is None else SloState.CLOSED
