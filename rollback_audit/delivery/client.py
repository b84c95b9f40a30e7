"""The one way out: the only module that opens sockets.

libcurl's multi interface, driven by its sockets. No redirect is followed; no proxy, netrc, cookie, HSTS or Alt-Svc
file is read; bodies are not decoded; TLS is verified against certifi's roots or the connector's own. Nothing that a
receiver or libcurl says leaves this module, other than as numbers and `FailureKind`s.
"""

import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Generic, Self

import certifi
import pycurl

from rollback_audit.delivery.answer import Answer
from rollback_audit.delivery.contract import KeyT, Send, Settlement, Step
from rollback_audit.delivery.failures import failure_of
from rollback_audit.delivery.outbound import METHODS, Route, header_lines, route_for
from rollback_audit.delivery.statuses import FINAL, outcome_of
from rollback_audit.states import FailureKind, Outcome

# Servers drop idle connections after two seconds (gunicorn) to 75 (nginx). A request that meets a closing connection
# may or may not have been read, so only connections that were in use a moment ago are used again.
IDLE_SECONDS = 1
DNS_CACHE_SECONDS = 60
CLOSE_SECONDS = 0.2

_ROOTS = certifi.where()
_GO_ON: int = pycurl.PREREQFUNC_OK
_ABORT: int = pycurl.PREREQFUNC_ABORT
# Reading is 1 and writing is 2 to libcurl's callbacks, to its socket_action and to selectors alike.
_WATCHABLE = frozenset({pycurl.POLL_IN, pycurl.POLL_OUT, pycurl.POLL_INOUT})


class _Dialled(socket.socket):
    """pycurl takes a copy of the descriptor and lets this one go without closing it."""

    def __del__(self) -> None:
        self.close()


class _Exchange(Generic[KeyT]):
    """One easy handle, used again and again, and what is known of the exchange that it carries now."""

    def __init__(self) -> None:
        self._url = self._trust = self._method = ""
        self._timeout_ms = 0
        self._send: Send[KeyT]
        self._route: Route
        self._answer = Answer()
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
            (pycurl.DNS_CACHE_TIMEOUT, DNS_CACHE_SECONDS),
            (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2),
            (pycurl.SSL_VERIFYPEER, 1),
            (pycurl.SSL_VERIFYHOST, 2),
            (pycurl.OPENSOCKETFUNCTION, self._open_socket),
            (pycurl.PREREQFUNCTION, self._before_request),
            (pycurl.HEADERFUNCTION, self._answer.read_header),
            (pycurl.WRITEFUNCTION, self._answer.read_body),
        ):
            handle.setopt(option, value)
        handle.unsetopt(pycurl.CAPATH)

    def load(self, send: Send[KeyT], route: Route, lines: list[str], submitted_at: float) -> None:
        """Make the handle carry this request. Options that have not changed since its last one are left alone."""
        self._send, self._route, self._submitted_at = send, route, submitted_at
        self._request_begun = self._dialled = self._forbidden = False
        self._answer.clear()
        request, handle = send.step.request, self.handle
        timeout_ms = max(1, int(send.timeout_seconds * 1000))
        trust = send.egress.ca_file or _ROOTS
        if request.url != self._url:
            handle.setopt(pycurl.URL, request.url)
            self._url = request.url
        if trust != self._trust:
            handle.setopt(pycurl.CAINFO, trust)
            self._trust = trust
        if request.method != self._method:
            handle.setopt(pycurl.CUSTOMREQUEST, request.method)
            self._method = request.method
        if timeout_ms != self._timeout_ms:
            handle.setopt(pycurl.TIMEOUT_MS, timeout_ms)
            self._timeout_ms = timeout_ms
        lines.append("Expect:")
        handle.setopt(pycurl.HTTPHEADER, lines)
        handle.setopt(pycurl.POSTFIELDS, request.body)

    def _open_socket(self, purpose: int, address: Any) -> Any:
        """Judge the address that is about to be dialled: names, odd spellings and rebinding all end up here."""
        if not self._route.permits(*address.addr[:2]):
            self._forbidden = True
            return pycurl.SOCKET_BAD
        self._dialled = True
        try:
            return _Dialled(address.family, address.socktype, address.protocol)
        except OSError:
            return pycurl.SOCKET_BAD

    def _before_request(self, remote_ip: str, local_ip: str, remote_port: int, local_port: int) -> int:
        """The connection stands and the first byte of the request is next. Two traps are caught here.

        A pooled connection may have been opened for a connector that is allowed more. And libcurl sends a request
        again, by itself, when a pooled connection closes without an answer: the receiver may have read the first.
        """
        if self._request_begun or not self._route.permits(remote_ip, remote_port):
            return _ABORT
        self._request_begun = True
        return _GO_ON

    def settle(self, error: int) -> Settlement[KeyT]:
        """What became of the exchange; `error` is libcurl's code, 0 for an answer that was read to its end."""
        status_code: int | None = self.handle.getinfo(pycurl.RESPONSE_CODE) or None
        retry_after_seconds: int | None = None
        kind: FailureKind | None
        if error or status_code is None or not self._answer.head_is_whole:
            outcome, kind = failure_of(
                error,
                request_begun=self._request_begun,
                name_resolved=bool(self.handle.getinfo(pycurl.NAMELOOKUP_TIME_T)),
                forbidden=self._forbidden and not self._dialled,
            )
        else:
            verdict = self._answer.verdict(status_code, self._send.step.judge)
            if isinstance(verdict, Step):
                raise NotImplementedError("exchanges of several steps")
            outcome, kind = outcome_of(status_code, verdict), verdict.failure_kind
            retry_after_seconds = self._answer.retry_after_seconds(status_code)
        return Settlement(
            key=self._send.key,
            outcome=outcome,
            failure_kind=kind,
            status_code=status_code if status_code in FINAL else None,
            retry_after_seconds=retry_after_seconds,
            duration_ms=_elapsed_ms(self._submitted_at),
        )


class Client(Generic[KeyT]):
    """Drives many exchanges at once. For one thread; not to be carried over a fork.

    No method raises for what a receiver does. Exchanges that `close` cuts are not settled: whoever owned them finds
    them still `sending` when the lease runs out.
    """

    def __init__(self, *, max_in_flight: int = 256) -> None:
        self._waiting: deque[tuple[Send[KeyT], float]] = deque()
        self._settled: list[Settlement[KeyT]] = []
        self._on_wire: dict[pycurl.Curl, _Exchange[KeyT]] = {}
        self._idle: list[_Exchange[KeyT]] = []
        self._max_in_flight = max_in_flight
        self._timer_at: float | None = None
        self._watched: dict[int, int] = {}
        self._selector = selectors.DefaultSelector()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, max_in_flight)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def submit(self, sends: Iterable[Send[KeyT]]) -> None:
        """Queue exchanges. They begin at the next `pump`, in order, as room comes free."""
        now = time.monotonic()
        self._waiting.extend((send, now) for send in sends)

    @property
    def pending(self) -> int:
        """Exchanges that `pump` has not handed back yet: queued, on the wire, or settled since."""
        return len(self._waiting) + len(self._on_wire) + len(self._settled)

    def pump(self, *, timeout_seconds: float) -> list[Settlement[KeyT]]:
        """Drive the exchanges; return as soon as some are settled, or with none once the time is up."""
        until = time.monotonic() + timeout_seconds
        self._begin_waiting()
        while not self._settled and self._on_wire:
            left = until - time.monotonic()
            self._drive(max(0.0, left))
            self._collect()
            self._begin_waiting()
            if left <= 0:
                break
        settled, self._settled = self._settled, []
        return settled

    def send_all(self, sends: Iterable[Send[KeyT]]) -> list[Settlement[KeyT]]:
        """Submit and pump until nothing is pending."""
        self.submit(sends)
        settled: list[Settlement[KeyT]] = []
        while self.pending:
            settled += self.pump(timeout_seconds=1.0)
        return settled

    def close(self) -> None:
        """Cut what is on the wire and give back every socket. May be called twice."""
        for exchange in self._on_wire.values():
            self._multi.remove_handle(exchange.handle)
        for exchange in (*self._on_wire.values(), *self._idle):
            exchange.handle.close()
        self._waiting.clear()
        self._on_wire.clear()
        self._idle.clear()
        # libcurl waits for every name look-up that is still out, so a dead name server would hold the caller for as
        # long as the system's resolver is patient, whatever the exchange's deadline was.
        letting_go = threading.Thread(target=self._let_go, daemon=True)
        letting_go.start()
        letting_go.join(CLOSE_SECONDS)

    def _let_go(self) -> None:
        self._multi.close()
        self._selector.close()

    def _begin_waiting(self) -> None:
        """Put queued exchanges on the wire while there is room."""
        begun = False
        while self._waiting and len(self._on_wire) < self._max_in_flight:
            begun |= self._begin(*self._waiting.popleft())
        if begun:
            self._tick()

    def _begin(self, send: Send[KeyT], submitted_at: float) -> bool:
        """Put one exchange on the wire, or settle it here and now as one that was never sent."""
        request = send.step.request
        route = route_for(request.url, send.egress)
        lines = header_lines(request)
        if send.start_by is not None and time.monotonic() > send.start_by:
            refusal = FailureKind.LEASE_LOST
        elif route is None:
            refusal = FailureKind.ADDRESS_FORBIDDEN
        elif lines is None or request.method not in METHODS:
            refusal = FailureKind.REQUEST_INVALID
        else:
            exchange = self._idle.pop() if self._idle else _Exchange()
            exchange.load(send, route, lines, submitted_at)
            self._on_wire[exchange.handle] = exchange
            self._multi.add_handle(exchange.handle)
            return True
        self._settled.append(
            Settlement(
                key=send.key,
                outcome=Outcome.NOT_SENT,
                failure_kind=refusal,
                status_code=None,
                retry_after_seconds=None,
                duration_ms=_elapsed_ms(submitted_at),
            )
        )
        return False

    def _drive(self, wait_seconds: float) -> None:
        if self._timer_at is not None:
            wait_seconds = min(wait_seconds, max(0.0, self._timer_at - time.monotonic()))
        for key, events in self._selector.select(wait_seconds):
            self._multi.socket_action(key.fd, events)
        if self._timer_at is not None and self._timer_at <= time.monotonic():
            self._tick()

    def _tick(self) -> None:
        """Let libcurl see to its clock: deadlines, and handles that were just added, which may be over at once."""
        self._timer_at = None
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._collect()

    def _collect(self) -> None:
        more = 1
        while more:
            more, whole, broken = self._multi.info_read()
            for handle in whole:
                self._finish(handle, 0)
            for handle, error, _ in broken:
                self._finish(handle, error)

    def _finish(self, handle: pycurl.Curl, error: int) -> None:
        exchange = self._on_wire.pop(handle)
        self._settled.append(exchange.settle(error))
        self._multi.remove_handle(handle)
        self._idle.append(exchange)

    def _watch_socket(self, events: int, fd: int, multi: pycurl.CurlMulti, data: object) -> None:
        """libcurl says what it waits for on a socket."""
        before = self._watched.pop(fd, None)
        if events not in _WATCHABLE:
            if before:
                self._selector.unregister(fd)
            return
        if before is None:
            self._selector.register(fd, events)
        elif before != events:
            self._selector.modify(fd, events)
        self._watched[fd] = events

    def _set_timer(self, after_ms: int) -> None:
        self._timer_at = None if after_ms < 0 else time.monotonic() + after_ms / 1000


def _elapsed_ms(since: float) -> int:
    return int((time.monotonic() - since) * 1000)
