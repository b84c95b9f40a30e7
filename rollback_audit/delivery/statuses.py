"""What a status code means where a vendor's reference says nothing else. Every connector's judge falls back on it."""

from rollback_audit.delivery.contract import Verdict
from rollback_audit.states import FAILURE_CLASS, FailureClass, FailureKind, Outcome

CONFIRMED = Verdict(failure_kind=None)

FINAL = range(200, 600)
_SUCCESS = range(200, 300)
_ERROR = range(400, 600)
_SERVER_ERROR = range(500, 600)

_KINDS: dict[int, FailureKind] = {
    **dict.fromkeys(range(300, 400), FailureKind.REDIRECT_REFUSED),
    **dict.fromkeys(range(400, 500), FailureKind.PAYLOAD_REFUSED),
    **dict.fromkeys(_SERVER_ERROR, FailureKind.SERVER_ERROR),
    **dict.fromkeys((401, 403, 407), FailureKind.CREDENTIAL_REFUSED),
    **dict.fromkeys((404, 410), FailureKind.ADDRESS_UNKNOWN),
    **dict.fromkeys((408, 425), FailureKind.TRY_LATER),
    429: FailureKind.RATE_LIMITED,
    503: FailureKind.UNAVAILABLE,
    **dict.fromkeys((502, 504), FailureKind.GATEWAY_FAILED),
}
_VERDICTS: dict[int, Verdict] = {
    **dict.fromkeys(_SUCCESS, CONFIRMED),
    **{status_code: Verdict(failure_kind=kind) for status_code, kind in _KINDS.items()},
}
_NOT_HTTP = Verdict(failure_kind=FailureKind.ANSWER_MALFORMED)


def verdict_for(status_code: int) -> Verdict:
    """The verdict on a complete answer with this status (RFC 9110, 15). Below 200 and from 600 on it is malformed."""
    return _VERDICTS.get(status_code, _NOT_HTTP)


def is_success(status_code: int) -> bool:
    return status_code in _SUCCESS


def is_error(status_code: int) -> bool:
    return status_code in _ERROR


def outcome_of(status_code: int, verdict: Verdict) -> Outcome:
    """The outcome that a complete answer settles as. Only a 2xx can be confirmed, whatever the verdict says."""
    if verdict.failure_kind is None:
        return Outcome.CONFIRMED if is_success(status_code) else Outcome.UNKNOWN
    if FAILURE_CLASS[verdict.failure_kind] is FailureClass.UNKNOWN:
        return Outcome.UNKNOWN
    return Outcome.ANSWERED_5XX if status_code in _SERVER_ERROR else Outcome.REFUSED
