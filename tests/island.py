"""A machine of its own for a test: every address in the world is on it, and nothing leads off it.

A process in namespaces of its own (user, mount, network) whose loopback answers for all of IPv4 and IPv6, so that a
connection that should not have been made arrives somewhere and is counted. Names are answered by the test.

`run("package.module:function")` calls the function there and gives back what it returned, by way of JSON.
"""

import importlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_UNSHARE = ("unshare", "--user", "--map-root-user", "--mount", "--net", "--fork", "--kill-child")
_IP = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "ip"
_FILES = {"resolv.conf": "nameserver 127.0.0.1\n", "nsswitch.conf": "hosts: dns\n"}
_A, _AAAA = 1, 28
_NO_ERROR = 0x8180

# The addresses of a name, IPv4 and IPv6 as they come; None where the name server keeps silent.
Names = Callable[[str], list[str] | None]


def missing() -> str | None:
    """What keeps islands from being made here, or None."""
    if shutil.which("unshare") is None or shutil.which(_IP) is None:
        return "unshare (util-linux) or ip (iproute2) is not installed"
    # Some machines make namespaces and allow nothing in them.
    probe = f"mount --bind /etc/hosts /etc/hosts && {_IP} link set lo up && {_IP} route add local 0.0.0.0/0 dev lo"
    tried = subprocess.run([*_UNSHARE, "sh", "-c", probe], capture_output=True, check=False)
    return None if tried.returncode == 0 else "namespaces may not be made here"


def run(function: str, *, timeout_seconds: float = 100) -> Any:
    """Call `function` (`package.module:name`) on an island. CalledProcessError where it raises."""
    command = [*_UNSHARE, sys.executable, "-m", "tests.island", function]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=timeout_seconds)
    return json.loads(ended.stdout)


@contextmanager
def name_server(names: Names) -> Iterator[None]:
    """Answer every look-up of this island. A second family that a name has no addresses of is answered as empty."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 53))
        threading.Thread(target=_answer_all, args=(server, names), daemon=True).start()
        yield


def _answer_all(server: socket.socket, names: Names) -> None:
    with suppress(OSError):
        while True:
            query, client = server.recvfrom(1024)
            end = query.index(b"\0", 12) + 5
            labels, kind = query[12 : end - 5], struct.unpack(">H", query[end - 4 : end - 2])[0]
            addresses = names(_dotted(labels))
            if addresses is not None:
                server.sendto(_answer(query[:2], query[12:end], kind, addresses), client)


def _dotted(labels: bytes) -> str:
    parts = []
    while labels:
        parts.append(labels[1 : 1 + labels[0]].decode("latin-1"))
        labels = labels[1 + labels[0] :]
    return ".".join(parts)


def _answer(query_id: bytes, question: bytes, kind: int, addresses: list[str]) -> bytes:
    family = {_A: socket.AF_INET, _AAAA: socket.AF_INET6}.get(kind)
    packed = [
        socket.inet_pton(family, address)
        for address in addresses
        if family is not None and (":" in address) == (family == socket.AF_INET6)
    ]
    records = b"".join(
        b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(address)) + address for address in packed
    )  # lives 0 seconds
    return query_id + struct.pack(">5H", _NO_ERROR, 1, len(packed), 0, 0) + question + records


def connections_begun() -> int:
    """TCP connections that anything on this island has tried to open, wherever to."""
    names, values = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line[:4] == "Tcp:")
    return int(dict(zip(names, values, strict=True))["ActiveOpens"])


def _settle_in() -> None:
    subprocess.check_call([_IP, "link", "set", "lo", "up"])
    subprocess.check_call([_IP, "route", "add", "local", "0.0.0.0/0", "dev", "lo"])
    subprocess.check_call([_IP, "-6", "route", "add", "local", "::/0", "dev", "lo"])
    with tempfile.TemporaryDirectory(prefix="cavra-island-") as folder:  # a mount outlives its file's name
        for name, text in _FILES.items():
            source = Path(folder, name)
            source.write_text(text)
            subprocess.check_call(["mount", "--bind", source, Path("/etc", name).resolve()])


def main(function: str) -> None:
    _settle_in()
    module, _, name = function.partition(":")
    print(json.dumps(getattr(importlib.import_module(module), name)()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
