"""Names and their addresses, looked up beside the wire.

libcurl would look them up too, but anew for each exchange, twenty at a time for all of them: behind one dead name
server every other name waits past its deadline, and so does whoever closes the client. Here a name is looked up once
however many exchanges wait for it, in a thread that nobody waits for.
"""

import socket
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue

KNOWN_SECONDS = 60
# A name that was not found is asked for again soon, but not by every exchange that waits in line.
UNKNOWN_SECONDS = 1

Addresses = tuple[str, ...]


class Names:
    """For one thread, which watches `fileno` and then calls `hear`."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Addresses]] = {}
        self._asked: set[str] = set()
        self._answers: SimpleQueue[tuple[str, Addresses]] = SimpleQueue()
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)

    def fileno(self) -> int:
        return self._bell.fileno()

    def close(self) -> None:
        """Look-ups that are still out end whenever they do, and nobody hears of them."""
        self._bell.close()
        self._rope.close()

    def known(self, name: str) -> Addresses | None:
        """The name's addresses, empty where it has none; None where it has to be asked for."""
        until, addresses = self._known.get(name, (0.0, ()))
        return addresses if time.monotonic() < until else None

    def ask(self, name: str) -> None:
        """Have the name looked up, unless it is being looked up already."""
        if name not in self._asked:
            self._asked.add(name)
            threading.Thread(target=_look_up, args=(name, self._answers, self._rope), daemon=True).start()

    def hear(self) -> list[str]:
        """The names that were answered for since the last call. All of them are known now."""
        with suppress(BlockingIOError):
            self._bell.recv(4096)
        names = []
        with suppress(Empty):
            while True:
                name, addresses = self._answers.get_nowait()
                kept = KNOWN_SECONDS if addresses else UNKNOWN_SECONDS
                self._known[name] = time.monotonic() + kept, addresses
                self._asked.discard(name)
                names.append(name)
        return names


def _look_up(name: str, answers: SimpleQueue[tuple[str, Addresses]], rope: socket.socket) -> None:
    try:  # as bytes, which no codec of ours changes
        found = socket.getaddrinfo(name.encode("ascii"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        found = []
    # A zone names a link of this machine. Without it the address is refused like any other of its kind.
    addresses = dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found)
    answers.put((name, tuple(addresses)))
    with suppress(OSError):  # the client has closed
        rope.send(b"\0")
