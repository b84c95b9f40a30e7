"""Receivers that mean harm: each exchange ends in time, in one of our words, and leaves nothing behind."""

import gc
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rollback_audit.delivery import splunk
from rollback_audit.delivery.answer import Answer
from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import Settlement
from rollback_audit.states import FailureKind, Outcome
from tests.delivery import hostile_servers
from tests.delivery.conftest import send_to
from tests.delivery.hostile_servers import CANARY, SERVERS
from tests.receivers import egress_to

DEADLINE_SECONDS = 1.0
GRACE_MS = 500
GROWTH_BYTES = 16 * 1024 * 1024
BODY = b"x" * 200_000

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with hostile_servers.running() as ports:
        yield ports


def send(client: Client[Any], ports: dict[str, int], *names: str) -> dict[str, Settlement[Any]]:
    """One exchange with each server, all at once, judged by a connector that parses what it gets."""
    settled = client.send_all(
        send_to(
            f"http://127.0.0.1:{ports[name]}/hook",
            egress_to(ports[name]),
            key=name,
            body=BODY,
            judge=splunk.judge,
            timeout_seconds=DEADLINE_SECONDS,
        )
        for name in names
    )
    return {settlement.key: settlement for settlement in settled}


def peak_bytes() -> int:
    """The most memory this process has held at once since its last `forget_peak`."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def forget_peak() -> None:
    try:
        CLEAR_REFS.write_text("5")
    except OSError:
        pytest.skip("a process's peak of memory is read and reset under /proc")


def assert_ended_well(settlement: Settlement[Any]) -> None:
    assert settlement.duration_ms <= DEADLINE_SECONDS * 1000 + GRACE_MS
    assert settlement.outcome in {Outcome.UNKNOWN, Outcome.REFUSED, Outcome.ANSWERED_5XX, Outcome.NOT_SENT}
    assert settlement.failure_kind in FailureKind
    assert CANARY.decode() not in repr(settlement)


@pytest.mark.parametrize("name", SERVERS)
def test_a_hostile_server_is_left_in_time_and_nothing_it_said_is_kept(
    name: str,
    ports: dict[str, int],
    client: Client[Any],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    send(client, ports, "stays open after a whole answer")  # whatever is loaded once is loaded
    forget_peak()
    before = peak_bytes()
    settlement = send(client, ports, name)[name]
    assert peak_bytes() - before <= GROWTH_BYTES
    assert_ended_well(settlement)
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_all_of_them_at_once_are_left_in_time_and_a_good_receiver_does_not_wait(
    ports: dict[str, int], client: Client[Any]
) -> None:
    assert len(SERVERS) >= 50
    forget_peak()
    before = peak_bytes()
    settled = send(client, ports, *SERVERS)
    assert peak_bytes() - before <= GROWTH_BYTES
    assert set(settled) == set(SERVERS)
    for settlement in settled.values():
        assert_ended_well(settlement)
    assert not [held for held in gc.get_objects() if type(held) is Answer and held._body]
    assert settled["stays open after a whole answer"].duration_ms < DEADLINE_SECONDS * 1000
