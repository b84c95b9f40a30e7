"""The worker keeps a task cluster alive, whatever is killed, and waits for a database that is away."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import OperationalError

from cavra_site import brokers, supervisor
from cavra_site.cluster import Cluster, is_stalled
from cavra_site.run_folder import RunFolder
from tests.waiting import within


class Stop:
    """A stop request that a test makes by itself, after a number of rounds."""

    def __init__(self, *, rounds: int) -> None:
        self.waited: list[float] = []
        self._rounds = rounds

    @property
    def made(self) -> bool:
        return len(self.waited) >= self._rounds

    def wait(self, *, seconds: float) -> bool:
        self.waited.append(seconds)
        return self.made


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name == supervisor.__name__]


def loop(sweep: supervisor.Duty, *, rounds: int) -> list[float]:
    stop = Stop(rounds=rounds)
    supervisor.repeat_until(stop, name="sweep", duty=sweep)
    return stop.waited


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_is_reported_once_and_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    calls = iter([True, True, True, False, False])

    def sweep(*, should_stop: Callable[[], bool]) -> None:
        if next(calls):
            raise OperationalError("hunter2")

    assert loop(sweep, rounds=5) == [1.0, 2.0, 4.0, 1.0, 1.0]
    assert events(caplog) == ["database_unavailable", "database_available"]


@pytest.mark.django_db(transaction=True)
def test_a_sweep_that_fails_does_not_end_the_worker(caplog: pytest.LogCaptureFixture) -> None:
    def sweep(*, should_stop: Callable[[], bool]) -> None:
        raise KeyError("hunter2")

    assert loop(sweep, rounds=2) == [1.0, 1.0]
    assert events(caplog) == ["duty_failed", "duty_failed"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (brokers.BEAT_FILE, brokers.GUARD_FILE):
        (tmp_path / name).touch()
    return tmp_path


def age(file: Path, seconds: float) -> None:
    file.touch()
    then = time.time() - seconds
    os.utime(file, (then, then))


def stalled(folder: Path) -> bool:
    return is_stalled(folder, workers=2, task_seconds=600)


def test_a_cluster_with_a_pulse_is_not_stalled(folder: Path) -> None:
    assert not stalled(folder)


@pytest.mark.parametrize("file", [brokers.BEAT_FILE, brokers.GUARD_FILE])
def test_a_cluster_without_a_pulse_or_a_guard_is_stalled(folder: Path, file: str) -> None:
    age(folder / file, 31)
    assert stalled(folder)


def test_a_pulse_may_wait_while_every_worker_has_a_task(folder: Path) -> None:
    age(folder / brokers.BEAT_FILE, 300)
    age(folder / f"{brokers.TASK_PREFIX}1", 300)
    assert stalled(folder)
    age(folder / f"{brokers.TASK_PREFIX}2", 300)
    assert not stalled(folder)


def test_a_task_that_takes_longer_than_tasks_may_excuses_nothing(folder: Path) -> None:
    age(folder / brokers.BEAT_FILE, 700)
    age(folder / f"{brokers.TASK_PREFIX}1", 700)
    age(folder / f"{brokers.TASK_PREFIX}2", 700)
    assert stalled(folder)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with (tmp_path / "lock").open("wb") as lock:
        folder = RunFolder(watch=tmp_path / "watch", lock=lock.fileno())
        folder.watch.mkdir()
        cluster = Cluster(folder=folder, workers=1, task_seconds=600)
        cluster.tend()
        yield cluster
        cluster.end(grace_seconds=10)


def pulses_again(folder: Path, since: float) -> bool:
    """Wait until a pulse has come back after `since`."""
    beat = folder / brokers.BEAT_FILE
    return within(30, lambda: beat.exists() and beat.stat().st_mtime > since)


def running_in_group(group: int) -> list[int]:
    """The group's processes that are not just waiting to be buried by the init process."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _parent, its_group, *_ = file.read_text().rpartition(")")[2].split()
            if int(its_group) == group and state != "Z":
                found.append(int(file.parent.name))
    return found


def tended(cluster: Cluster) -> Cluster:
    cluster.tend()
    return cluster


@pytest.mark.slow
def test_a_real_cluster_pulses_is_born_again_when_killed_and_leaves_nothing_behind(
    cluster: Cluster, tmp_path: Path
) -> None:
    watch = tmp_path / "watch"
    assert pulses_again(watch, time.time())
    first = cluster.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert within(30, lambda: tended(cluster).pid != first)
    assert within(30, lambda: not running_in_group(first))
    assert within(30, lambda: tended(cluster).pid not in {None, first})
    assert pulses_again(watch, time.time())
