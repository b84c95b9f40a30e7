"""A client in a thread of its own, so that exchanges go on while the caller talks to the database."""

from collections.abc import Iterable
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Generic, Self

from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import KeyT, Send, Settlement

# How long a new exchange may wait while others are on the wire and none of them ends.
_BEGIN_SECONDS = 0.01


class Wire(Generic[KeyT]):
    """Takes exchanges in, hands settlements out. Everything but the constructor is for one calling thread."""

    def __init__(self, *, max_in_flight: int) -> None:
        self._max_in_flight = max_in_flight
        self._inbox: SimpleQueue[list[Send[KeyT]] | None] = SimpleQueue()
        self._outbox: SimpleQueue[list[Settlement[KeyT]] | BaseException] = SimpleQueue()
        self._pending = 0
        self._thread = Thread(target=self._drive, name="wire", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Cut what is on the wire; it is not settled."""
        self._inbox.put(None)
        self._thread.join()

    @property
    def pending(self) -> int:
        """Exchanges that `collect` has not handed back yet."""
        return self._pending

    def submit(self, sends: Iterable[Send[KeyT]]) -> None:
        """Queue exchanges; they begin in order, as room comes free."""
        batch = list(sends)
        if batch:
            self._pending += len(batch)
            self._inbox.put(batch)

    def collect(self, *, timeout_seconds: float) -> list[Settlement[KeyT]]:
        """What has been settled since the last call; waits for something to be, until the time is up."""
        settled: list[Settlement[KeyT]] = []
        try:
            settled += self._take(timeout_seconds)
            while True:
                settled += self._take(0.0)
        except Empty:
            self._pending -= len(settled)
            return settled

    def _take(self, timeout_seconds: float) -> list[Settlement[KeyT]]:
        item = self._outbox.get(timeout=timeout_seconds) if timeout_seconds else self._outbox.get_nowait()
        if isinstance(item, BaseException):
            raise item
        return item

    def _drive(self) -> None:
        try:
            with Client[KeyT](max_in_flight=self._max_in_flight) as client:
                while self._fill(client):
                    settled = client.pump(timeout_seconds=_BEGIN_SECONDS)
                    if settled:
                        self._outbox.put(settled)
        except BaseException as failure:
            self._outbox.put(failure)

    def _fill(self, client: Client[KeyT]) -> bool:
        """Hand the client what has come in, waiting for something while it has nothing to do. False: stop."""
        try:
            while True:
                batch = self._inbox.get(block=client.pending == 0)
                if batch is None:
                    return False
                client.submit(batch)
        except Empty:
            return True
