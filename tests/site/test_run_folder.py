"""Each worker has a folder under CAVRA_HOME/run; one that was killed leaves its own until the next worker starts."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cavra_site import env, run_folder

# Says that it has a folder, and waits for the end of its input.
WORKER = """
import sys
from pathlib import Path
from cavra_site import run_folder

with run_folder.claimed(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""


@contextmanager
def worker(run: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", WORKER, str(run)]
    with subprocess.Popen(command, cwd=env.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process


def folders(run: Path) -> list[Path]:
    return sorted(run.glob("worker-*"))


def test_a_folder_goes_with_its_worker(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with run_folder.claimed(run) as ours:
        assert ours.watch.is_dir()
        (ours.watch / "beat").touch()
    assert folders(run) == []


def test_workers_side_by_side_leave_each_other_alone(tmp_path: Path) -> None:
    with worker(tmp_path), worker(tmp_path), run_folder.claimed(tmp_path):
        assert len(folders(tmp_path)) == 3
    assert folders(tmp_path) == []


def test_what_a_killed_worker_left_the_next_to_start_removes(tmp_path: Path) -> None:
    with worker(tmp_path) as killed:
        killed.kill()
    left = folders(tmp_path)
    assert len(left) == 1
    with run_folder.claimed(tmp_path) as ours:
        assert folders(tmp_path) == [ours.watch.parent] != left


def test_a_folder_stays_as_long_as_a_cluster_outlives_its_worker(tmp_path: Path) -> None:
    with run_folder.claimed(tmp_path) as ours:
        inherited = os.dup(ours.lock)
        # As when the worker is killed: nobody is left to tidy up.
        ours.watch.parent.rename(tmp_path / "worker-killed")
    with run_folder.claimed(tmp_path):
        assert tmp_path / "worker-killed" in folders(tmp_path)
    os.close(inherited)
    with run_folder.claimed(tmp_path):
        assert tmp_path / "worker-killed" not in folders(tmp_path)


def test_a_folder_whose_worker_died_before_it_was_locked_is_removed_too(tmp_path: Path) -> None:
    (tmp_path / "worker-half-made").mkdir()
    with run_folder.claimed(tmp_path):
        assert len(folders(tmp_path)) == 1
