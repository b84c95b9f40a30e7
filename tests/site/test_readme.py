"""The README's blocks, run in their order by a shell against a demo, and their answers held against the README's."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cavra_site import env

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

README = (env.BASE_DIR / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
READY = "Ctrl-C stops everything."
ELLIPSIS = "…"


def shown_answers() -> dict[int, Any]:
    """The answers in the README, by the number of the shell block they follow."""
    answers: dict[int, Any] = {}
    count = 0
    for language, text in BLOCK.findall(README):
        if language == "sh":
            count += 1
        else:
            answers[count] = json.loads(text)
    return answers


def as_script(folder: Path) -> str:
    """The shell blocks as one script that leaves each block's `$answer` in a file of the block's number."""
    blocks = [text for language, text in BLOCK.findall(README) if language == "sh"]
    return "".join(
        f"{text}printf %s \"${{answer-}}\" > '{folder}/{number}.json'\n" for number, text in enumerate(blocks, start=1)
    )


def shows(shown: Any, real: Any) -> bool:
    """Whether the README's shortened answer is part of the real one. A text ends at `…`, a list shows some of it."""
    if isinstance(shown, dict):
        return isinstance(real, dict) and all(key in real and shows(value, real[key]) for key, value in shown.items())
    if isinstance(shown, list) and shown and isinstance(shown[0], dict):
        return all(any(shows(item, other) for other in real) for item in shown)
    if isinstance(shown, str) and shown.endswith(ELLIPSIS):
        return isinstance(real, str) and real.startswith(shown.removesuffix(ELLIPSIS))
    return bool(shown == real)


def free_pair() -> int:
    """A port that is free, and the next one too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """A shell's environment in which `cavra` is this checkout's, with a state folder and a port of its own."""
    programs = tmp_path / "bin"
    programs.mkdir()
    cavra = programs / "cavra"
    cavra.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cavra_site.cli "$@"\n')
    cavra.chmod(0o755)
    port = str(free_pair())
    kept = {name: value for name, value in os.environ.items() if not name.startswith(env.PREFIX)}
    return kept | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CAVRA_HOME": str(tmp_path / "home"),
        "CAVRA_PORT": port,
        "PORT": port,
    }


@pytest.fixture
def demo(shell: dict[str, str], tmp_path: Path) -> Iterator[None]:
    with (tmp_path / "demo.log").open("w") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "cavra_site.cli", "demo"],
            cwd=env.BASE_DIR,
            env=shell,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        with running:
            assert running.stdout is not None
            said = []
            for line in running.stdout:
                said.append(line)
                if READY in line:
                    break
            assert said, (tmp_path / "demo.log").read_text()
            yield
            running.send_signal(signal.SIGTERM)
            assert running.wait(timeout=90) == 0


@pytest.mark.usefixtures("demo")
def test_the_flow_in_the_readme_leads_from_failed_to_delivered(shell: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", as_script(tmp_path)],
        cwd=env.BASE_DIR,
        env=shell,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    for number, shown in shown_answers().items():
        real = json.loads((tmp_path / f"{number}.json").read_text(encoding="utf-8"))
        assert shows(shown, real), f"block {number}: {shown}\nis not in\n{json.dumps(real, indent=2)}"


def test_every_request_in_the_readme_is_answered_in_it() -> None:
    requests = [
        text for language, text in BLOCK.findall(README) if language == "sh" and ("curl" in text or "answer=" in text)
    ]
    assert len(requests) == len(shown_answers()) > 0
