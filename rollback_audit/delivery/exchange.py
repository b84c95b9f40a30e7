"""The one way out: the only module that opens sockets. One libcurl handle, and what became of what it carried.

No redirect is followed; no proxy, netrc, cookie, HSTS or Alt-Svc file is read; bodies are not decoded; TLS is verified
against certifi's roots or the connector's own. Nothing that a receiver or libcurl says leaves this module, other than
as numbers and `FailureKind`s.
"""

import os
import socket
import time
from collections.abc import Sequence
from typing import Any, ClassVar, Generic

import certifi
import pycurl

from rollback_audit.delivery.answer import Answer
from rollback_audit.delivery.contract import STREAM, KeyT, Phase, Send, Settlement, Step
from rollback_audit.delivery.failures import failure_of
from rollback_audit.delivery.identity import names_its_host
from rollback_audit.delivery.outbound import (
    ASKING_METHODS,
    METHODS,
    Address,
    Route,
    header_lines,
    route_for,
    stream_route_for,
)
from rollback_audit.delivery.phases import whole
from rollback_audit.delivery.statuses import FINAL, outcome_of
from rollback_audit.delivery.stream import Stream
from rollback_audit.states import FailureKind, Outcome

# Servers drop idle connections after two seconds (gunicorn) to 75 (nginx). A request that meets a closing connection
# may or may not have been read, so only connections that were in use a moment ago are used again.
IDLE_SECONDS = 1
MAX_STEPS = 64
USER_AGENT = "cavra-rollback-audit"  # libcurl's own would name every library with its version

_ROOTS = certifi.where()
_GO_ON: int = pycurl.PREREQFUNC_OK
_ABORT: int = pycurl.PREREQFUNC_ABORT


class _Dialled(socket.socket):
    """pycurl takes a copy of the descriptor and lets this one go without closing it."""

    def __del__(self) -> None:
        self.close()


class Exchange(Generic[KeyT]):
    """One easy handle, used again and again, and what is known of the exchange that it carries now.

    `begin`, then for each of its steps `load`, the wire, `conclude`. `turn` is the client's: the shared word whose turn
    this exchange has.
    """

    is_kept: ClassVar[bool] = True

    send: Send[KeyT]
    step: Step
    submitted_at: float
    deadline: float

    def __init__(self) -> None:
        self._url = self._trust = self._method = self._lead = ""
        self._timeout_ms = 0
        self._is_nameless = False
        self.route: Route
        self._answer = Answer()
        self.turn = ""
        self.handle = handle = pycurl.Curl()
        for option, value in (
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.PROXY, ""),
            (pycurl.NOPROXY, "*"),
            (pycurl.NETRC, pycurl.NETRC_IGNORED),
            (pycurl.HTTP_CONTENT_DECODING, 0),
            (pycurl.NOSIGNAL, 1),
            (pycurl.POST, 1),
            (pycurl.MAXAGE_CONN, IDLE_SECONDS),
            (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2),
            (pycurl.SSL_VERIFYPEER, 1),
            (pycurl.SSL_VERIFYHOST, 2),
            (pycurl.USERAGENT, USER_AGENT),
            (pycurl.OPENSOCKETFUNCTION, self._open_socket),
            (pycurl.PREREQFUNCTION, self._before_request),
            (pycurl.HEADERFUNCTION, self._answer.read_header),
            (pycurl.WRITEFUNCTION, self._answer.read_body),
        ):
            handle.setopt(option, value)
        handle.unsetopt(pycurl.CAPATH)

    def begin(self, send: Send[KeyT], submitted_at: float, *, now: float) -> None:
        """Carry this exchange from now on. Its deadline counts from here, and covers every step."""
        self.send, self.step, self.submitted_at = send, send.step, submitted_at
        self.deadline = now + send.timeout_seconds
        self._steps_left = MAX_STEPS

    def load(self, step: Step, timeout_seconds: float) -> FailureKind | None:
        """Make the handle carry this step, or say why it must not be sent.

        Options that have not changed since the handle's last request are left alone.
        """
        self.step = step
        self._steps_left -= 1
        self._request_begun = self._dialled = self._forbidden = self._is_nameless = False
        request, handle, egress = step.request, self.handle, self.send.egress
        route = route_for(request.url, egress)
        if route is None:
            return FailureKind.ADDRESS_FORBIDDEN
        self.route = route
        lines = header_lines(request)
        if lines is None or request.method not in (METHODS if step.phase is Phase.EVENT else ASKING_METHODS):
            return FailureKind.REQUEST_INVALID
        self.give(timeout_seconds)
        trust = egress.ca_file or _ROOTS
        if request.url != self._url:
            handle.setopt(pycurl.URL, request.url)
            self._url = request.url
        if trust != self._trust:
            handle.setopt(pycurl.CAINFO, trust)
            # A resumed session shows no certificate.
            handle.setopt(pycurl.OPT_CERTINFO, int(trust != _ROOTS))
            handle.setopt(pycurl.SSL_SESSIONID_CACHE, int(trust == _ROOTS))
            self._trust = trust
        if request.method != self._method:
            handle.setopt(pycurl.HTTPGET if request.method == "GET" else pycurl.POST, 1)
            handle.setopt(pycurl.CUSTOMREQUEST, request.method)
            self._method = request.method
        lines.append("Expect:")
        handle.setopt(pycurl.HTTPHEADER, lines)
        if request.method != "GET":  # to set a body would make it a POST
            handle.setopt(pycurl.POSTFIELDS, request.body)
        return None

    def give(self, timeout_seconds: float) -> None:
        """Give the loaded step this long. What is left of a deadline may be nothing; libcurl would take 0 for ever."""
        timeout_ms = max(1, int(timeout_seconds * 1000))
        if timeout_ms != self._timeout_ms:
            self.handle.setopt(pycurl.TIMEOUT_MS, timeout_ms)
            self._timeout_ms = timeout_ms

    def lead_to(self, addresses: Sequence[str]) -> None:
        """Have libcurl dial these addresses for the route's name, in this order, and look up none itself."""
        lead = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
        lead = f"{self.route.name}:{self.route.port}:{lead}"
        if lead != self._lead:
            self.handle.setopt(pycurl.RESOLVE, [lead])
            self._lead = lead

    def may_go_on(self, due: float) -> bool:
        """Whether there may be one more step, begun at that moment (time.monotonic)."""
        return self._steps_left > 0 and due < self.deadline

    def conclude(self, error: int) -> "Settlement[KeyT] | Step | Stream":
        """What became of the step: the settlement of the whole, or the step that follows.

        `error` is libcurl's code, 0 for an answer that was read to its end. Whatever it said is dropped afterwards.
        """
        try:
            return self._judged(error)
        finally:
            self._answer.clear()

    def _judged(self, error: int) -> "Settlement[KeyT] | Step":
        status_code: int | None = self.handle.getinfo(pycurl.RESPONSE_CODE) or None
        if error or status_code is None or not self._answer.head_is_whole:
            return self.settlement(*self._failure(error, request_begun=self._request_begun), status_code=status_code)
        verdict = self._answer.verdict(status_code, self.step.judge)
        if isinstance(verdict, Step):
            return verdict
        return self.settlement(
            outcome_of(status_code, verdict),
            verdict.failure_kind,
            status_code=status_code,
            retry_after_seconds=self._answer.retry_after_seconds(status_code),
            already_held=verdict.already_held,
            receipt=verdict.receipt,
        )

    def settlement(
        self,
        outcome: Outcome,
        kind: FailureKind | None,
        *,
        status_code: int | None = None,
        retry_after_seconds: int | None = None,
        already_held: bool = False,
        receipt: int | None = None,
    ) -> Settlement[KeyT]:
        """How the whole exchange settles when its present step ends so."""
        step = self.step
        if step.phase is not Phase.EVENT:
            outcome, kind = whole(step.phase, outcome, kind, already_held=already_held)
        return Settlement(
            key=self.send.key,
            outcome=outcome,
            failure_kind=kind,
            status_code=status_code if status_code in FINAL else None,
            retry_after_seconds=retry_after_seconds,
            duration_ms=elapsed_ms(self.submitted_at),
            already_held=already_held,
            receipt=step.receipt if receipt is None else receipt,
        )

    def _failure(self, error: int, *, request_begun: bool) -> tuple[Outcome, FailureKind]:
        if self._is_nameless:
            return Outcome.NOT_SENT, FailureKind.TLS_UNTRUSTED
        return failure_of(
            error,
            request_begun=request_begun,
            name_resolved=bool(self.handle.getinfo(pycurl.NAMELOOKUP_TIME_T)),
            forbidden=self._forbidden and not self._dialled,
        )

    def _open_socket(self, purpose: int, address: Any) -> Any:
        """Judge the address that is about to be dialled: names, odd spellings and rebinding all end up here."""
        if not self.route.permits(*address.addr[:2]):
            self._forbidden = True
            return pycurl.SOCKET_BAD
        self._dialled = True
        try:
            return _Dialled(address.family, address.socktype, address.protocol)
        except OSError:
            return pycurl.SOCKET_BAD

    def _before_request(self, remote_ip: str, local_ip: str, remote_port: int, local_port: int) -> int:
        """The connection stands and the first byte of the request is next. Three traps are caught here.

        A pooled connection may have been opened for a connector that is allowed more. libcurl sends a request again,
        by itself, when a pooled connection closes without an answer: the receiver may have read the first. And it
        takes a common name for a host's; public authorities issue no such certificate, a connector's own might.
        """
        if self._request_begun or not self.route.permits(remote_ip, remote_port):
            return _ABORT
        if self._dialled and self._trust != _ROOTS and self._url.startswith("https:") and not self._names_its_host():
            self._is_nameless = True
            return _ABORT
        self._request_begun = True
        return _GO_ON

    def _names_its_host(self) -> bool:
        """Asked of a connection that was just made: pycurl tells of no certificate of one from the pool."""
        try:
            return names_its_host(self.handle.getinfo(pycurl.INFO_CERTINFO))
        except UnicodeDecodeError:  # pycurl's, of bytes in the certificate
            return False


class Dialling(Exchange[KeyT]):
    """An exchange of one STREAM. libcurl looks up the name and connects, under the same rules; then a `Stream` talks.

    The handle is not used again.
    """

    is_kept: ClassVar[bool] = False

    _address: Address

    def load(self, step: Step, timeout_seconds: float) -> FailureKind | None:
        self._request_begun = self._dialled = self._forbidden = False
        found = stream_route_for(step.request.url, self.send.egress)
        if found is None:
            return FailureKind.ADDRESS_FORBIDDEN
        if step.request.method != STREAM or step.phase is not Phase.EVENT:
            return FailureKind.REQUEST_INVALID
        self._address, self.route = found
        self.handle.setopt(pycurl.URL, f"http://{self._address.host}:{self._address.port}/")
        self.handle.setopt(pycurl.CONNECT_ONLY, 1)
        self.handle.setopt(pycurl.FRESH_CONNECT, 1)
        self.give(timeout_seconds)
        return None

    def conclude(self, error: int) -> "Settlement[KeyT] | Step | Stream":
        """The connected stream, or the settlement of an exchange that never got there."""
        if error:
            return self.settlement(*self._failure(error, request_begun=False))
        try:  # libcurl closes its own descriptor with the handle; the connection lives on in ours
            connection = socket.socket(fileno=os.dup(self.handle.getinfo(pycurl.ACTIVESOCKET)))
        except OSError:
            return self.settlement(Outcome.NOT_SENT, FailureKind.CONNECT_REFUSED)
        connection.setblocking(False)
        host = self._address.host.strip("[]").removesuffix(".")
        return Stream(
            connection,
            self.step.request.body,
            tls_host=host if self._address.scheme == "tls" else "",
            egress=self.send.egress,
        )


def elapsed_ms(since: float) -> int:
    """Whole milliseconds from a moment of time.monotonic until now."""
    return int((time.monotonic() - since) * 1000)
