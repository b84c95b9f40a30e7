"""Sends in a process of its own, under whatever environment that was given: `sent(targets, environ)`."""

import json
import os
import subprocess
import sys
from typing import Any, NamedTuple

from rollback_audit.delivery.client import Client
from tests.delivery.conftest import send_to
from tests.receivers import egress_to


class Target(NamedTuple):
    """One exchange: where to, over which port of 127.0.0.1, trusting which file, by which method."""

    url: str
    port: int
    ca_file: str | None = None
    method: str = "POST"


def sent(targets: list[Target], environ: dict[str, str]) -> list[str]:
    """What became of each exchange: its kind of failure, or its outcome."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.delivery.posts"],
        input=json.dumps(targets),
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=60,
    )
    answer: list[str] = json.loads(ended.stdout)
    return answer


def main() -> None:
    targets = [Target(*fields) for fields in json.load(sys.stdin)]
    with Client[Any]() as client:
        settled = client.send_all(
            send_to(one.url, egress_to(one.port, ca_file=one.ca_file), key=number, method=one.method)
            for number, one in enumerate(targets)
        )
    print(json.dumps([one.failure_kind or one.outcome for one in sorted(settled, key=lambda one: one.key)]))


if __name__ == "__main__":
    main()
