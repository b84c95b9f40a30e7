"""What is done on an island (tests/island.py) and what was seen there. Each function's answer goes through JSON."""

import random
import socket
import threading
import time
import zlib
from collections import Counter
from contextlib import suppress
from typing import Any

from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import Egress
from tests import island
from tests.delivery.conftest import send_to
from tests.delivery.hostile_urls import hostile_urls
from tests.delivery.registries import METADATA, may_be_dialled, wrapped
from tests.receivers import read_request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
PUBLIC = ("93.184.215.14", "8.8.8.8", "2606:4700::1111")
INTERNAL = (
    "127.0.0.1", "127.0.0.53", "10.0.0.5", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "192.0.0.192", "168.63.129.16", "0.0.0.0", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.5",
    "fd00:ec2::254", "fd12::1", "64:ff9b::a00:5", "2002:7f00:1::",
)  # fmt: skip
FLIPS = 500
PLAIN = Egress(allow_plain_http=True)


class Everywhere:
    """A server on some ports of every address there is. `hits` counts what was connected to, by address and port."""

    def __init__(self, *ports: int) -> None:
        self.hits: Counter[tuple[str, int]] = Counter()
        self._listeners = [
            socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
            for port in ports
        ]
        for listener in self._listeners:
            threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            address, port = connection.getsockname()[:2]
            self.hits[address.removeprefix("::ffff:"), port] += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(5)
            if connection.recv(1, socket.MSG_PEEK) == b"P":  # a TLS client is let go at once
                read_request(connection)
                connection.sendall(OK)


def rebinding() -> dict[str, Any]:
    """A name that leads somewhere else at every look-up: to a public address, to an internal one, to both at once."""
    draw = random.Random(1996)
    everywhere = Everywhere(80)
    answers: dict[str, list[str]] = {}

    def names(name: str) -> list[str]:
        return answers[name]

    outcomes: Counter[str] = Counter()
    with island.name_server(names), Client[Any]() as kept:
        for number in range(FLIPS):
            # One half knows the name from before, in clients that have forgotten it; the other is one client's.
            name = "flip.example" if number % 2 else f"flip{number}.example"
            inside, outside = draw.choice(INTERNAL), draw.choice(PUBLIC)
            answers[name] = draw.choice(([outside], [inside], [inside, outside], [outside, inside], [inside] * 3))
            with Client[Any]() as fresh:
                client = fresh if number % 2 else kept
                (settlement,) = client.send_all([send_to(f"http://{name}/", PLAIN, timeout_seconds=3)])
            outcomes[settlement.failure_kind or settlement.outcome] += 1
    return {
        "outcomes": outcomes,
        "internal_hits": sum(count for (address, _), count in everywhere.hits.items() if address not in PUBLIC),
        "public_hits": everywhere.hits.total(),
        "begun": island.connections_begun(),
    }


def silent_name_server() -> dict[str, Any]:
    """Exchanges with names that the name server never answers for, alone and beside others; then the client's end."""
    deadline = 1.0

    def names(name: str) -> list[str] | None:
        return ["8.8.8.8"] if name.startswith("good") else None

    Everywhere(80)
    with island.name_server(names):
        client = Client[Any]()
        (alone,) = client.send_all([send_to("http://dead.example/", PLAIN, timeout_seconds=deadline)])
        sends = [
            send_to(f"http://dead{number % 4}.example/", PLAIN, key=f"dead{number}", timeout_seconds=deadline)
            for number in range(200)
        ]
        client.submit(sends)
        client.pump(timeout_seconds=0.3)
        good = [
            send_to(f"http://good{number}.example/", PLAIN, key=f"good{number}", timeout_seconds=deadline)
            for number in range(20)
        ]
        settled = client.send_all(good)
        client.submit(sends[:20])
        client.pump(timeout_seconds=0.1)
        closing = time.monotonic()
        client.close()
        closed = time.monotonic()
    return {
        "deadline_ms": deadline * 1000,
        "dead": [[alone.failure_kind, alone.duration_ms]]
        + [[one.failure_kind, one.duration_ms] for one in settled if one.key.startswith("dead")],
        "good": [one.outcome for one in settled if one.key.startswith("good")],
        "close_ms": (closed - closing) * 1000,
    }


LISTED_NETWORK, LISTED_PORT = "10.0.0.0/24", 8080
LISTENING = (22, 25, 80, 443, 1080, 3128, 5432, 6379, 6514, 8000, 8080, 8081, 8088, 8443, 9200, 65_535)
EGRESSES = (
    (Egress(), {443, 6514, 8088, 8443, 9200}, False),
    (PLAIN, {80, 443, 6514, 8088, 8443, 9200}, False),
    (
        Egress(allow_plain_http=True, allow_networks=(LISTED_NETWORK,), allow_ports=(LISTED_PORT,)),
        {80, 443, 6514, 8080, 8088, 8443, 9200},
        True,
    ),
)


def url_fuzzing() -> dict[str, Any]:
    """Thousands of hostile URLs for each of three egresses, and where the connections went."""
    everywhere = Everywhere(*LISTENING)
    beyond: list[str] = []
    answer = {"hits": 0, "begun": 0, "urls": 0}
    outcomes: Counter[str] = Counter()

    def names(name: str) -> list[str]:
        return [((*INTERNAL, *PUBLIC, "10.0.0.7"))[zlib.crc32(name.lower().encode()) % (len(INTERNAL) + 4)]]

    with island.name_server(names):
        for egress, ports, listed in EGRESSES:
            everywhere.hits.clear()
            with Client[Any]() as client:
                urls = hostile_urls()
                settled = client.send_all([send_to(url, egress, timeout_seconds=5) for url in urls])
            outcomes.update(one.failure_kind or one.outcome for one in settled)
            beyond += [
                f"{address} {port}"
                for address, port in everywhere.hits
                if port not in ports
                or not (may_be_dialled(address, everything_listed=False) or (listed and address.startswith("10.0.0.")))
            ]
            answer["urls"] += len(settled)
            answer["hits"] += everywhere.hits.total()
    return {**answer, "begun": island.connections_begun(), "beyond": beyond, "outcomes": outcomes}


def metadata_with_everything_listed() -> dict[str, Any]:
    """Metadata services by address, in every wrapping and by name, from a connector that lists every network."""
    everywhere = Everywhere(80)
    egress = Egress(allow_plain_http=True, allow_networks=("0.0.0.0/0", "::/0"))
    spellings = [spelling for address in METADATA for spelling in wrapped(address)]
    named = {f"name{number}.example": [address] for number, address in enumerate(METADATA)}
    hosts = [f"[{spelling}]" if ":" in spelling else spelling for spelling in spellings] + list(named)
    with island.name_server(named.__getitem__), Client[Any]() as client:
        (reached,) = client.send_all([send_to("http://10.9.8.7/", egress)])
        settled = client.send_all(send_to(f"http://{host}/", egress, timeout_seconds=3) for host in hosts)
    return {
        "reached": reached.outcome,
        "outcomes": Counter(one.failure_kind or one.outcome for one in settled),
        "hits": [address for address, _ in everywhere.hits],
        "begun": island.connections_begun(),
    }
