"""What the end of one request means for the exchange that it is part of."""

from rollback_audit.delivery.contract import Phase
from rollback_audit.states import FAILURE_CLASS, FailureClass, FailureKind, Outcome

# The event never left, so neither its outcome nor the event itself is in question: only the way to it is.
_BEFORE: dict[FailureKind, FailureKind] = {
    FailureKind.ANSWER_TIMEOUT: FailureKind.CONNECT_TIMEOUT,
    FailureKind.CONNECTION_LOST: FailureKind.TRY_LATER,
    FailureKind.ANSWER_MALFORMED: FailureKind.ANSWER_REJECTED,
    FailureKind.ANSWER_TOO_LARGE: FailureKind.ANSWER_REJECTED,
    FailureKind.PAYLOAD_REFUSED: FailureKind.ANSWER_REJECTED,
    FailureKind.REDIRECT_REFUSED: FailureKind.ANSWER_REJECTED,
}


def whole(
    phase: Phase, outcome: Outcome, kind: FailureKind | None, *, already_held: bool = False
) -> tuple[Outcome, FailureKind | None]:
    """The outcome of an exchange whose last request, of this phase, ended so.

    Before the event: not sent, whatever happened, unless the receiver said that it holds the event. After it: only the
    receiver's last word confirms, and without that word nobody can tell.
    """
    if phase is Phase.EVENT:
        return outcome, kind
    if phase is Phase.PREPARE:
        if outcome is Outcome.CONFIRMED and already_held:
            return outcome, None
        # An answer that is neither yes nor no nor the next step comes from a judge that broke off.
        kind = kind or FailureKind.ANSWER_REJECTED
        return Outcome.NOT_SENT, _BEFORE.get(kind, kind)
    if outcome is Outcome.CONFIRMED:
        return outcome, None
    if kind is not None and FAILURE_CLASS[kind] is FailureClass.UNKNOWN:
        return Outcome.UNKNOWN, kind
    return Outcome.UNKNOWN, FailureKind.ANSWER_TIMEOUT
