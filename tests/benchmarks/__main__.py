"""`python -m tests.benchmarks [--small] [sqlite|postgresql ...]`: measure and write the tables of docs/benchmarks.md.

Every figure is a median of pairs: ours, then the least that could do it, in turn, on the same database and receiver.
`--small` takes about a minute, prints the tables and writes nothing.
"""

import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cavra_site import keys, sqlite
from tests import postgres
from tests.benchmarks.receiver import nginx

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_BEGIN, _END = "<!-- figures -->", "<!-- /figures -->"
_DELAY_SECONDS = 0.02
_SETTLE_SECONDS = 2.0
_SIGNING_SECRET = "whsec_" + "A" * 32

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Scale:
    deliveries: int
    failed: int
    retries: int
    each: int
    lines: int
    entries: int
    pairs: int


FULL = Scale(deliveries=1_000_000, failed=100_000, retries=20_000, each=190, lines=2_000, entries=1_000_000, pairs=5)
SMALL = Scale(deliveries=20_000, failed=2_000, retries=1_000, each=10, lines=200, entries=10_000, pairs=3)
_WRITERS = 8
_HEALTHY = 50
# Enough to keep a dead receiver's share of the wire taken from the first healthy answer to the last.
_DEAD = 100
# A dead receiver is to be felt: nothing stops the run, and its circuit stays closed.
_UNSTOPPED = {
    "CAVRA_CANARY_WAVES": "rest",
    "CAVRA_STOP_FAILURE_PERCENT": "100",
    "CAVRA_STOP_CONSECUTIVE_FAILURES": "10000",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Medians of ours and of the least, and of the ratios pair by pair. Seconds."""

    name: str
    ours: float
    least: float
    ratio: float
    mebibytes: float

    @classmethod
    def of(cls, name: str, pairs: list[tuple[Figures, Figures]]) -> "Pair":
        return cls(
            name=name,
            ours=statistics.median(ours["seconds"] for ours, _ in pairs),
            least=statistics.median(least["seconds"] for _, least in pairs),
            ratio=statistics.median(ours["seconds"] / least["seconds"] for ours, least in pairs),
            mebibytes=max(ours["mebibytes"] for ours, _ in pairs),
        )


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a ledger's proof costs. Seconds; of the verifier also its peak memory."""

    name: str
    exported: float
    verified: float
    proven: float
    mebibytes: float


def main(words: list[str]) -> None:
    scale = SMALL if "--small" in words else FULL
    names = [word for word in words if not word.startswith("-")] or ["sqlite", "postgresql"]
    plans, drains, crowds, writers, ledgers = [], [], [], [], []
    for name in names:
        plans.append(_planning(name, scale))
        drains.append(_draining(name, scale))
        crowds.append(_crowding(name, scale))
        if name == "postgresql":
            writers.append(_writing(name, scale))
        ledgers.append(_proving(name, scale))
    text = _report(scale, plans, drains, crowds) + _report_ledger(scale, writers, ledgers)
    sys.stdout.write(text)
    if scale is FULL and len(names) > 1:
        before, _, rest = DOCUMENT.read_text().partition(_BEGIN)
        DOCUMENT.write_text(f"{before}{_BEGIN}\n{text}{_END}{rest.partition(_END)[2]}")


def _planning(name: str, scale: Scale) -> Pair:
    with _home(name, ports={"webhook": 9}) as environment:
        _work(environment, "prepare", scale.deliveries, scale.failed)
        pairs = [(_work(environment, "plan"), _work(environment, "bare-plan")) for _ in range(scale.pairs)]
    return Pair.of(name, pairs)


def _draining(name: str, scale: Scale) -> Pair:
    with nginx(delay_seconds=_DELAY_SECONDS) as port, _home(name, ports={"webhook": port}) as environment:
        total = scale.retries * scale.pairs
        _work(environment, "prepare", total, total)
        _work(environment, "approve")
        with _worker(environment) as process:
            pairs = []
            for _ in range(scale.pairs):
                # Neither side pays for what the ledger's sealer still has to do.
                _work(environment, "sealed")
                ours = _work(environment, "drain", scale.retries)
                ours["mebibytes"] = _largest_descendant_mebibytes(process.pid)
                _work(environment, "sealed")
                pairs.append((ours, _work(environment, "bare-post", scale.retries, port)))
    return Pair.of(name, pairs)


def _crowding(name: str, scale: Scale) -> Pair:
    with nginx(delay_seconds=_DELAY_SECONDS) as port, _dead_receiver() as dead:
        names = [f"healthy{number}" for number in range(_HEALTHY)]
        with _home(name, ports=dict.fromkeys(names, port) | {"dead": dead}) as home:
            environment = home | _UNSTOPPED
            _work(environment, "prepare", 0, 1)
            with _worker(environment):
                _work(environment, "crowd", scale.each, 0)
                pairs = [
                    (_work(environment, "crowd", scale.each, _DEAD), _work(environment, "crowd", scale.each, 0))
                    for _ in range(scale.pairs)
                ]
    return Pair.of(name, pairs)


def _writing(name: str, scale: Scale) -> Pair:
    with _home(name, ports={"webhook": 9}) as environment:
        _work(environment, "prepare", 0, 0)
        with _worker(environment):
            pairs = [
                (_work(environment, "write", _WRITERS, scale.lines), _work(environment, "write", 1, scale.lines))
                for _ in range(scale.pairs)
            ]
    return Pair.of(name, pairs)


def _proving(name: str, scale: Scale) -> Ledger:
    with _home(name, ports={"webhook": 9}) as environment:
        _work(environment, "prepare", 0, 0)
        _work(environment, "fill", scale.entries)
        exported = _work(environment, "export")
        verified = [_work(environment, "verify") for _ in range(scale.pairs)]
        return Ledger(
            name=name,
            exported=exported["seconds"],
            verified=statistics.median(figures["seconds"] for figures in verified),
            proven=_work(environment, "prove")["seconds"],
            mebibytes=max(figures["mebibytes"] for figures in verified),
        )


@contextmanager
def _dead_receiver() -> Iterator[int]:
    """The port of a receiver that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
        yield listening.getsockname()[1]


@contextmanager
def _worker(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """`cavra worker` with its task cluster, up and idle."""
    with tempfile.TemporaryFile() as log:
        # A file: nobody would read a pipe, and a worker that cannot log stands still.
        process = subprocess.Popen(
            [sys.executable, "-m", "cavra_site.cli", "worker"], env=environment, stderr=log, start_new_session=True
        )
        try:
            while b"cluster_started" not in os.pread(log.fileno(), 1 << 20, 0):
                time.sleep(0.05)
            time.sleep(_SETTLE_SECONDS)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                sys.stderr.write("the worker had not ended a minute after it was asked to\n")
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _largest_descendant_mebibytes(pid: int) -> float:
    """The largest peak memory of a process and those it started, from /proc."""
    known = {pid}
    parents = {int(path.name): _status(path, "PPid:") for path in Path("/proc").iterdir() if path.name.isdigit()}
    while more := {child for child, parent in parents.items() if parent in known} - known:
        known |= more
    return max(_status(Path(f"/proc/{item}"), "VmHWM:") for item in known) / 1024


def _status(process: Path, word: str) -> int:
    try:
        lines = (process / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(word)), 0)


@contextmanager
def _home(name: str, *, ports: dict[str, int]) -> Iterator[dict[str, str]]:
    """The environment of a fresh state folder with webhook connectors, on a database of its own."""
    with tempfile.TemporaryDirectory(prefix="cavra-bench-") as folder:
        home = Path(folder)
        keys.ensure(home / "secret_key")
        (home / "signing_secret").write_text(_SIGNING_SECRET)
        entries = {name: _connector(port, secret_file=home / "signing_secret") for name, port in ports.items()}
        (home / "connectors.json").write_text(json.dumps({"connectors": entries}))
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CAVRA_")} | {
            "DJANGO_SETTINGS_MODULE": "cavra_site.settings",
            "CAVRA_HOME": folder,
            "CAVRA_CONNECTOR_CONFIG": str(home / "connectors.json"),
        }
        if name == "sqlite":
            yield environment
            return
        with postgres.server(durable=True) as url:
            yield environment | {"CAVRA_DATABASE_URL": url}


def _connector(port: int, *, secret_file: Path) -> dict[str, Any]:
    return {
        "provider": "webhook",
        "url": f"http://127.0.0.1:{port}/hook",
        "secret_file": str(secret_file),
        "allow_networks": ["127.0.0.0/8"],
        "allow_ports": [port],
        "allow_plain_http": True,
        "circuit_threshold": 10_000,
    }


def _work(environment: dict[str, str], *words: str | int) -> Figures:
    command = [sys.executable, "-m", "tests.benchmarks.work", *(str(word) for word in words)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    sys.stderr.write(f"{' '.join(str(word) for word in words)}: {figures}\n")
    return figures


def _report(scale: Scale, plans: list[Pair], drains: list[Pair], crowds: list[Pair]) -> str:
    lines = [
        f"Measured on {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, "
        f"SQLite {'.'.join(str(part) for part in sqlite.library_version())}, {_postgresql_version()}; "
        f"medians of {scale.pairs} pairs.",
        "",
        f"**P1** Plan {scale.failed:,} failed deliveries among {scale.deliveries:,}",
        "",
        "| database | ours | one bare INSERT … SELECT | ratio (goal ≤ 3) | peak memory (goal ≤ 200 MiB) |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.name} | {row.ours:.2f} s | {row.least:.2f} s | {row.ratio:.2f} | {row.mebibytes:.0f} MiB |"
        for row in plans
    ]
    lines += [
        "",
        f"**P2** Live drain of {scale.retries:,} approved retries, receiver of 20 ms, two workers, all recorded",
        "",
        "| database | ours | bare pycurl-multi loop | share of its rate (goal ≥ 0.7) | peak memory |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.name} | {row.ours:.2f} s ({scale.retries / row.ours:,.0f}/s) | {row.least:.2f} s "
        f"({scale.retries / row.least:,.0f}/s) | {1 / row.ratio:.2f} | {row.mebibytes:.0f} MiB |"
        for row in drains
    ]
    lines += [
        "",
        f"**P9** {scale.each * _HEALTHY:,} retries over {_HEALTHY} healthy receivers of 20 ms, alone and with "
        f"{_DEAD} over a dead one in the same run: time to confirmation, 95th percentile",
        "",
        "| database | with the dead one | without it | ratio (goal ≤ 1.1) |",
        "|---|---|---|---|",
    ]
    lines += [f"| {row.name} | {row.ours:.2f} s | {row.least:.2f} s | {row.ratio:.2f} |" for row in crowds]
    return "\n".join(lines) + "\n"


def _report_ledger(scale: Scale, writers: list[Pair], ledgers: list[Ledger]) -> str:
    lines = [
        "",
        f"**E5** {scale.lines:,} ledger lines, each in a transaction of 5 ms, while a worker seals the ledger",
        "",
        f"| database | {_WRITERS} writers | one writer | times its rate (goal ≥ 4) |",
        "|---|---|---|---|",
    ]
    lines += [f"| {row.name} | {row.ours:.2f} s | {row.least:.2f} s | {1 / row.ratio:.1f} |" for row in writers]
    lines += [
        "",
        f"**E8** A ledger of {scale.entries:,} entries: the bundle of everything, and the proof of one entry",
        "",
        "| database | bundle made | verified (goal ≤ 120 s) | peak memory (goal ≤ 300 MiB) | a proof (goal ≤ 50 ms) |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.name} | {row.exported:.2f} s | {row.verified:.2f} s | {row.mebibytes:.0f} MiB "
        f"| {row.proven * 1000:.1f} ms |"
        for row in ledgers
    ]
    return "\n".join(lines) + "\n"


def _postgresql_version() -> str:
    program = postgres.find("postgres")
    if program is None:
        return "no PostgreSQL"
    words = subprocess.run([str(program), "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return f"PostgreSQL {words[2]}"


if __name__ == "__main__":
    main(sys.argv[1:])
