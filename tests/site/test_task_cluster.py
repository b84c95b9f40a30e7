"""What django-q2 keeps and says of a task that fails: nothing. A real cluster, and tasks that let an exception out."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib import admin
from django.urls import Resolver404, resolve
from django.utils.module_loading import import_string
from django_q.models import Failure, OrmQ, Schedule, Success, Task
from django_q.signing import SignedPackage

from cavra_site import brokers
from tests.site.shell import cavra, environment
from tests.waiting import within

MARKER = "hunter2"

# Put into the queue of a state folder of its own, and then asked for what is left, by processes of that folder.
_ENQUEUE = f"""
from django_q.tasks import async_task
async_task("rollback_audit.tasks.sweep", **{{"{MARKER}": 1}})
async_task("rollback_audit.tasks.drain", ["{MARKER}"])
async_task("builtins.int", "{MARKER}")
async_task("{MARKER}.no.such.function")
async_task("rollback_audit.tasks.run_schedules", save=True, cached=True)
"""
_LEFT = "from django_q.models import OrmQ; print(OrmQ.objects.count())"


def shell(code: str, *, home: Path) -> str:
    return cavra("shell", "--no-imports", "--verbosity", "0", "--command", code, home=home).stdout


@contextmanager
def cluster(home: Path, log: Path) -> Iterator[None]:
    (home / "watch").mkdir()
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "cavra_site.cli", "qcluster", "--skip-checks"],
            env=environment(home=home, CAVRA_LOG_LEVEL="debug") | {"_CAVRA_WATCH_FOLDER": str(home / "watch")},
            stdout=output,
            stderr=output,
            cwd=settings.BASE_DIR,
            start_new_session=True,
        )
        try:
            yield
        finally:
            running.terminate()
            try:
                running.wait(timeout=20)
            finally:
                os.killpg(running.pid, 9) if running.poll() is None else None


@pytest.mark.slow
def test_a_task_that_fails_leaves_its_type_in_the_log_and_nothing_else(tmp_path: Path) -> None:
    assert cavra("migrate", home=tmp_path).returncode == 0
    shell(_ENQUEUE, home=tmp_path)
    log = tmp_path / "log"
    with cluster(tmp_path, log):
        assert within(
            40, lambda: log.read_text().count("task_refused") == 2 and log.read_text().count("task_failed") == 2
        )
        assert within(20, lambda: shell(_LEFT, home=tmp_path).strip() == "0")
    said = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"TypeError"} <= {line.get("error") for line in said}
    assert MARKER not in log.read_text()
    kept = "from django_q.models import Task; print(Task.objects.count())"
    assert shell(kept, home=tmp_path).strip() == "0"
    database = b"".join(file.read_bytes() for file in tmp_path.glob("cavra.sqlite3*"))
    assert MARKER.encode() not in database


def test_a_task_becomes_a_call_that_has_no_result() -> None:
    package = SignedPackage.dumps({"id": "1", "func": "rollback_audit.tasks.drain", "args": ("run",), "kwargs": {}})
    task = SignedPackage.loads(brokers._contained(package))
    assert (task["func"], task["args"]) == ("cavra_site.brokers.carry_out", ("rollback_audit.tasks.drain", "run"))


@pytest.mark.parametrize("name", ["os.system", "rollback_audit.tasks.time.sleep", "cavra_site.brokers.carry_out", ""])
def test_what_is_none_of_ours_is_refused_and_not_named(name: str, caplog: pytest.LogCaptureFixture) -> None:
    brokers.carry_out(name, "true")
    assert [(record.message, record.__dict__.get("verb")) for record in caplog.records] == [("task_refused", None)]


def test_every_task_of_ours_exists_and_no_schedule_names_another() -> None:
    assert all(callable(import_string(name)) for name in brokers.OURS)


def test_results_are_off_and_every_task_is_over_when_it_ends() -> None:
    asked = {"save_limit": -1, "ack_failures": True, "max_attempts": 1}
    assert asked.items() <= settings.Q_CLUSTER.items()
    assert "error_reporter" not in settings.Q_CLUSTER


@pytest.mark.parametrize("model", [Failure, OrmQ, Schedule, Success, Task])
def test_the_queue_has_no_pages(model: type) -> None:
    assert model not in admin.site._registry
    with pytest.raises(Resolver404):
        resolve(f"/console/django_q/{model.__name__.lower()}/")
