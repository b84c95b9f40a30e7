"""A PostgreSQL server of our own: a fresh cluster in a temporary folder, on 127.0.0.1, gone afterwards."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START_SECONDS = 30
_UNPRIVILEGED = ("postgres", "nobody")


def find(program: str) -> Path | None:
    """A program of the newest PostgreSQL server installed here; Debian keeps them out of the PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda path: int(path.parts[4]))
    if versions:
        return versions[-1]
    found = shutil.which(program)
    return Path(found) if found else None


@contextmanager
def server(*, durable: bool = False) -> Iterator[str]:
    """The URL of a running server's empty database, thrown away afterwards. `durable` syncs commits to disk."""
    initdb, postgres = find("initdb"), find("postgres")
    if initdb is None or postgres is None:
        raise FileNotFoundError("no PostgreSQL server is installed")
    folder = Path(tempfile.mkdtemp(prefix="cavra-postgres-"))
    user = _owner(folder)
    password = secrets.token_hex(16)
    password_file = folder / "password"
    password_file.write_text(password)
    shutil.chown(password_file, user=user)
    port = _free_port()
    data = folder / "data"
    _run_as(user, initdb, *f"-D {data} -U cavra --pwfile {password_file} -A scram-sha-256 -E UTF8 -N".split()).wait()
    options = {
        "fsync": "on" if durable else "off",
        "listen_addresses": "127.0.0.1",
        "max_connections": "200",
        "port": str(port),
        "unix_socket_directories": str(folder),
    }
    process = _run_as(user, postgres, "-D", data, *(f"--{name}={value}" for name, value in options.items()))
    try:
        _wait_until_it_listens(process, port)
        yield f"postgresql://cavra:{password}@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=_START_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _owner(folder: Path) -> str:
    """PostgreSQL refuses to run as root: then the folder is given to an account without rights."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    known = {entry.pw_name for entry in pwd.getpwall()}
    user = next(name for name in _UNPRIVILEGED if name in known)
    shutil.chown(folder, user=user)
    return user


def _run_as(user: str, *command: str | Path) -> subprocess.Popen[bytes]:
    # Its own session, so that a Ctrl-C at the terminal reaches it only through us.
    return subprocess.Popen(
        [str(part) for part in command],
        user=user if os.geteuid() == 0 else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the PostgreSQL server did not start")
