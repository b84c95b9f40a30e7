"""The `cavra` command in a process of its own, with a state folder and none of the session's settings."""

import os
import subprocess
import sys
from pathlib import Path

from cavra_site import env

COMMAND = (sys.executable, "-m", "cavra_site.cli")


def environment(*, home: Path, **environ: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(env.PREFIX)}
    return kept | {"CAVRA_HOME": str(home)} | environ


def cavra(*arguments: str, home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(home=home, **environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=env.BASE_DIR,
    )
