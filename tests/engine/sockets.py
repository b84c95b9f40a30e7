"""Which of the project's modules open a socket, look up a name or start a process, as the interpreter itself tells."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from cavra_site import env

_EVENTS = frozenset({
    "socket.__new__", "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
    "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo", "subprocess.Popen", "os.system", "os.exec",
    "os.posix_spawn", "os.fork", "os.forkpty", "ctypes.dlopen",
})  # fmt: skip
_PACKAGES = (env.BASE_DIR / "rollback_audit", env.BASE_DIR / "cavra_site")

Seen = set[tuple[str, str]]
_watching: list[Seen] = []
_installed = threading.Event()


@contextmanager
def watched() -> Iterator[Seen]:
    """What the project did in the block, on any thread: the module that did it, and the interpreter's word for it.

    What servers of the tests do is not the project's: none of its modules is on their stack.
    """
    if not _installed.is_set():
        sys.addaudithook(_hear)  # for as long as the process lives: there is no way to take one away
        _installed.set()
    seen: Seen = set()
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and event in _EVENTS:
        module = _nearest_module(sys._getframe())
        if module:
            for seen in _watching:
                seen.add((module, event))


def _nearest_module(frame: FrameType | None) -> str:
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        for package in _PACKAGES:
            if path.is_relative_to(package):
                return path.relative_to(env.BASE_DIR).as_posix()
        frame = frame.f_back
    return ""
