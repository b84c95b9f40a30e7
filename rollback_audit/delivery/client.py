"""Drives many exchanges at once: libcurl's multi interface, by its sockets, and a timer heap.

An exchange is one request, or a few that follow from one another (`contract.Step`) under one deadline. What may be
dialled and what is read of an answer is decided in `exchange.py`.
"""

import heapq
import itertools
import selectors
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Generic, Self

import pycurl

from rollback_audit.delivery.contract import STREAM, KeyT, Send, Settlement, Step
from rollback_audit.delivery.exchange import Dialling, Exchange, elapsed_ms
from rollback_audit.delivery.names import Names
from rollback_audit.delivery.stream import WAIT_MOMENT, Stream
from rollback_audit.states import FailureKind, Outcome

# How long to leave a stream alone that only waits for an acknowledgement.
MOMENT_SECONDS = 0.02

# Reading is 1 and writing is 2 to libcurl's callbacks, to its socket_action and to selectors alike.
_WATCHABLE = frozenset({pycurl.POLL_IN, pycurl.POLL_OUT, pycurl.POLL_INOUT})


class Client(Generic[KeyT]):
    """Drives many exchanges at once. For one thread; not to be carried over a fork.

    No method raises for what a receiver does. Exchanges that `close` cuts are not settled: whoever owned them finds
    them still `sending` when the lease runs out.
    """

    def __init__(self, *, max_in_flight: int = 256) -> None:
        self._waiting: deque[tuple[Send[KeyT], float]] = deque()
        self._settled: list[Settlement[KeyT]] = []
        self._on_wire: dict[pycurl.Curl, Exchange[KeyT]] = {}
        # Begun and not with libcurl: between two steps (None), or talking over a stream.
        self._aside: dict[Exchange[KeyT], Stream | None] = {}
        # By shared word: the exchanges that wait while another one has the turn.
        self._turns: dict[str, list[tuple[Send[KeyT], float]]] = {}
        # By name: the exchanges that wait until it has been looked up. They are aside as well.
        self._looking: dict[str, list[Exchange[KeyT]]] = {}
        self._idle: list[Exchange[KeyT]] = []
        self._max_in_flight = max_in_flight
        self._timer_at: float | None = None
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._watched: dict[int, int] = {}
        self._selector = selectors.DefaultSelector()
        self._names = Names()
        self._selector.register(self._names, selectors.EVENT_READ, self._hear_names)
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
        return (
            len(self._waiting)
            + len(self._on_wire)
            + len(self._aside)
            + sum(map(len, self._turns.values()))
            + len(self._settled)
        )

    def pump(self, *, timeout_seconds: float) -> list[Settlement[KeyT]]:
        """Drive the exchanges; return as soon as some are settled, or with none once the time is up."""
        until = time.monotonic() + timeout_seconds
        self._begin_waiting()
        while not self._settled and (self._on_wire or self._aside):
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
        for stream in self._aside.values():
            if stream is not None:
                stream.close()
        for exchange in (*self._on_wire.values(), *self._aside, *self._idle):
            exchange.handle.close()
        for held in (self._waiting, self._on_wire, self._aside, self._turns, self._looking, self._agenda, self._idle):
            held.clear()
        self._multi.close()
        self._selector.close()
        self._names.close()

    def _begin_waiting(self) -> None:
        """Put queued exchanges on the wire while there is room."""
        begun = False
        while self._waiting and len(self._on_wire) + len(self._aside) < self._max_in_flight:
            begun |= self._begin(*self._waiting.popleft())
        if begun:
            self._tick()

    def _begin(self, send: Send[KeyT], submitted_at: float) -> bool:
        """Put an exchange's first step on the wire, unless it is too late for it or it must not be sent."""
        now = time.monotonic()
        if send.start_by is not None and now > send.start_by:
            self._settled.append(_lease_lost(send, submitted_at))
            return False
        exchange = self._idle.pop() if self._idle and send.step.request.method != STREAM else self._new(send.step)
        exchange.begin(send, submitted_at, now=now)
        return self._put(exchange, send.step, send.timeout_seconds)

    def _new(self, step: Step) -> Exchange[KeyT]:
        return Dialling() if step.request.method == STREAM else Exchange()

    def _put(self, exchange: Exchange[KeyT], step: Step, timeout_seconds: float) -> bool:
        """Put a step on the wire; or have it wait for its turn, or settle the exchange, without."""
        if step.shared and not self._take_turn(exchange, step, timeout_seconds):
            return False
        refusal = exchange.load(step, timeout_seconds)
        if refusal is not None:
            self._settle(exchange, exchange.settlement(Outcome.NOT_SENT, refusal))
            return False
        return self._dial(exchange)

    def _dial(self, exchange: Exchange[KeyT]) -> bool:
        """Hand a loaded step to libcurl once its addresses are known."""
        if name := exchange.route.name:
            addresses = self._names.known(name)
            if addresses is None:
                self._look_up(exchange, name)
                return False
            if not addresses:
                self._settle(exchange, exchange.settlement(Outcome.NOT_SENT, FailureKind.NAME_UNRESOLVED))
                return False
            exchange.lead_to(addresses)
        self._on_wire[exchange.handle] = exchange
        self._multi.add_handle(exchange.handle)
        return True

    def _look_up(self, exchange: Exchange[KeyT], name: str) -> None:
        self._aside[exchange] = None
        self._looking.setdefault(name, []).append(exchange)
        self._at(exchange.deadline, partial(self._give_up, exchange, name))
        self._names.ask(name)

    def _hear_names(self) -> None:
        """Go on with the exchanges whose names have been looked up."""
        for name in self._names.hear():
            for exchange in self._looking.pop(name, ()):
                del self._aside[exchange]
                exchange.give(exchange.deadline - time.monotonic())
                self._dial(exchange)

    def _give_up(self, exchange: Exchange[KeyT], name: str) -> None:
        """Settle an exchange whose deadline came before its name's addresses. It may be another exchange's by now."""
        waiting = self._looking.get(name, [])
        if exchange in waiting and exchange.deadline <= time.monotonic():
            waiting.remove(exchange)
            del self._aside[exchange]
            self._settle(exchange, exchange.settlement(Outcome.NOT_SENT, FailureKind.NAME_UNRESOLVED))

    def _take_turn(self, exchange: Exchange[KeyT], step: Step, timeout_seconds: float) -> bool:
        """Whether the exchange may take a shared step now. If not, it gives its handle back and waits."""
        if exchange.send.reopen is None:
            return True
        waiting = self._turns.get(step.shared)
        if waiting is None:
            self._turns[step.shared] = []
            exchange.turn = step.shared
            return True
        waiting.append((replace(exchange.send, timeout_seconds=timeout_seconds), exchange.submitted_at))
        self._let_rest(exchange)
        return False

    def _pass_turn(self, exchange: Exchange[KeyT], failure: Settlement[KeyT] | None) -> None:
        """The shared step is done: those that waited for it open anew. Or it failed, and they fail with it."""
        waiting = self._turns.pop(exchange.turn)
        exchange.turn = ""
        for send, submitted_at in waiting:
            if failure is not None:
                settlement = replace(failure, key=send.key, duration_ms=elapsed_ms(submitted_at))
                self._settled.append(settlement)
            elif send.reopen is not None:
                self._waiting.appendleft((replace(send, step=send.reopen()), submitted_at))  # they have waited

    def _drive(self, wait_seconds: float) -> None:
        if self._timer_at is not None:
            wait_seconds = min(wait_seconds, max(0.0, self._timer_at - time.monotonic()))
        if self._agenda:
            wait_seconds = min(wait_seconds, max(0.0, self._agenda[0][0] - time.monotonic()))
        for key, events in self._selector.select(wait_seconds):
            if key.data is None:
                self._multi.socket_action(key.fd, events)
            else:
                key.data()
        if self._timer_at is not None and self._timer_at <= time.monotonic():
            self._tick()
        while self._agenda and self._agenda[0][0] <= time.monotonic():
            heapq.heappop(self._agenda)[2]()

    def _at(self, due: float, action: Callable[[], object]) -> None:
        """Have something done at that moment (time.monotonic)."""
        heapq.heappush(self._agenda, (due, next(self._numbers), action))

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
        end = exchange.conclude(error)
        self._multi.remove_handle(handle)
        if isinstance(end, Settlement):
            self._settle(exchange, end)
        elif isinstance(end, Step):
            self._follow(exchange, end)
        else:
            self._aside[exchange] = end
            self._at(exchange.deadline, partial(self._time_out, exchange, end))
            self._advance(exchange, end)

    def _settle(self, exchange: Exchange[KeyT], settlement: Settlement[KeyT]) -> None:
        if exchange.turn:
            self._pass_turn(exchange, settlement)
        self._settled.append(settlement)
        self._let_rest(exchange)

    def _let_rest(self, exchange: Exchange[KeyT]) -> None:
        if exchange.is_kept:
            self._idle.append(exchange)
        else:
            exchange.handle.close()

    def _follow(self, exchange: Exchange[KeyT], step: Step) -> None:
        """Go on with the same exchange, at once or after a while, if there is time left for it."""
        if exchange.turn:
            self._pass_turn(exchange, None)
        exchange.step = step
        due = time.monotonic() + step.after_seconds
        if not exchange.may_go_on(due):
            self._settle(exchange, exchange.settlement(Outcome.NOT_SENT, FailureKind.CONNECT_TIMEOUT))
        else:
            self._aside[exchange] = None
            self._at(due, partial(self._resume, exchange))

    def _resume(self, exchange: Exchange[KeyT]) -> None:
        del self._aside[exchange]
        self._put(exchange, exchange.step, exchange.deadline - time.monotonic())

    def _advance(self, exchange: Exchange[KeyT], stream: Stream) -> None:
        """Let a stream go on; then wait for what it waits for, or settle."""
        if self._aside.get(exchange) is not stream:
            return
        wanted = stream.advance()
        if isinstance(wanted, tuple):
            self._end(exchange, stream, *wanted)
            return
        self._listen(exchange, stream, wanted)
        if wanted == WAIT_MOMENT:
            self._at(time.monotonic() + MOMENT_SECONDS, partial(self._advance, exchange, stream))

    def _listen(self, exchange: Exchange[KeyT], stream: Stream, events: int) -> None:
        if events and not stream.watched:
            self._selector.register(stream, events, partial(self._advance, exchange, stream))
        elif events and events != stream.watched:
            self._selector.modify(stream, events, partial(self._advance, exchange, stream))
        elif stream.watched and not events:
            self._selector.unregister(stream)
        stream.watched = events

    def _time_out(self, exchange: Exchange[KeyT], stream: Stream) -> None:
        if self._aside.get(exchange) is stream:
            self._end(exchange, stream, *stream.timed_out())

    def _end(self, exchange: Exchange[KeyT], stream: Stream, outcome: Outcome, kind: FailureKind | None) -> None:
        del self._aside[exchange]
        self._listen(exchange, stream, 0)
        stream.close()
        self._settle(exchange, exchange.settlement(outcome, kind))

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


def _lease_lost(send: Send[KeyT], submitted_at: float) -> Settlement[KeyT]:
    return Settlement(
        key=send.key,
        outcome=Outcome.NOT_SENT,
        failure_kind=FailureKind.LEASE_LOST,
        status_code=None,
        retry_after_seconds=None,
        duration_ms=elapsed_ms(submitted_at),
    )
