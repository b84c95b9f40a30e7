"""What an exchange that broke off means: libcurl's error numbers in our words."""

from enum import IntEnum

from rollback_audit.states import FailureKind, Outcome


class CurlError(IntEnum):
    """The numbers of libcurl-errors(3) that are told apart."""

    UNSUPPORTED_PROTOCOL = 1
    URL_MALFORMAT = 3
    COULDNT_RESOLVE_HOST = 6
    WEIRD_SERVER_REPLY = 8
    WRITE_ERROR = 23
    OPERATION_TIMEDOUT = 28
    SSL_CONNECT_ERROR = 35
    ABORTED_BY_CALLBACK = 42
    SEND_ERROR = 55
    RECV_ERROR = 56
    SSL_CERTPROBLEM = 58
    SSL_CIPHER = 59
    PEER_FAILED_VERIFICATION = 60
    BAD_CONTENT_ENCODING = 61
    SSL_CACERT_BADFILE = 77
    SSL_ISSUER_ERROR = 83
    TOO_LARGE = 100


_NOT_SENT: dict[int, FailureKind] = {
    CurlError.COULDNT_RESOLVE_HOST: FailureKind.NAME_UNRESOLVED,
    CurlError.OPERATION_TIMEDOUT: FailureKind.CONNECT_TIMEOUT,
    CurlError.ABORTED_BY_CALLBACK: FailureKind.ADDRESS_FORBIDDEN,
    CurlError.URL_MALFORMAT: FailureKind.ADDRESS_FORBIDDEN,
    CurlError.UNSUPPORTED_PROTOCOL: FailureKind.ADDRESS_FORBIDDEN,
    CurlError.PEER_FAILED_VERIFICATION: FailureKind.TLS_UNTRUSTED,
    CurlError.SSL_ISSUER_ERROR: FailureKind.TLS_UNTRUSTED,
    CurlError.SSL_CACERT_BADFILE: FailureKind.TLS_UNTRUSTED,
    CurlError.SSL_CONNECT_ERROR: FailureKind.TLS_FAILED,
    CurlError.SSL_CERTPROBLEM: FailureKind.TLS_FAILED,
    CurlError.SSL_CIPHER: FailureKind.TLS_FAILED,
    CurlError.SEND_ERROR: FailureKind.TLS_FAILED,  # connected, no request yet: only a handshake is talking
    CurlError.RECV_ERROR: FailureKind.TLS_FAILED,
}
_UNKNOWN: dict[int, FailureKind] = {
    CurlError.OPERATION_TIMEDOUT: FailureKind.ANSWER_TIMEOUT,
    CurlError.WRITE_ERROR: FailureKind.ANSWER_TOO_LARGE,
    CurlError.TOO_LARGE: FailureKind.ANSWER_TOO_LARGE,
    CurlError.WEIRD_SERVER_REPLY: FailureKind.ANSWER_MALFORMED,
    CurlError.UNSUPPORTED_PROTOCOL: FailureKind.ANSWER_MALFORMED,
    CurlError.BAD_CONTENT_ENCODING: FailureKind.ANSWER_MALFORMED,
}


def failure_of(error: int, *, request_begun: bool, name_resolved: bool, forbidden: bool) -> tuple[Outcome, FailureKind]:
    """The outcome of an exchange without a whole answer.

    Once the request may have begun nobody can tell what became of it, so the outcome is unknown whatever the error.
    `forbidden`: every address that the name led to was refused.
    """
    if request_begun:
        return Outcome.UNKNOWN, _UNKNOWN.get(error, FailureKind.CONNECTION_LOST)
    if forbidden:
        return Outcome.NOT_SENT, FailureKind.ADDRESS_FORBIDDEN
    if error == CurlError.OPERATION_TIMEDOUT and not name_resolved:
        return Outcome.NOT_SENT, FailureKind.NAME_UNRESOLVED
    return Outcome.NOT_SENT, _NOT_SENT.get(error, FailureKind.CONNECT_REFUSED)
