"""`make test`: every suite this machine can run, one after the other, and a line for each it could not.

`python -m tests.everything SUITE ...` runs only the suites named; one of them that cannot run here has failed.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from tests import postgres
from tests.benchmarks.receiver import ECHO_MODULE
from tests.e2e.chromium import CHROMIUM
from tests.receivers_real import installed

_NO_TESTS = 5
_ALONE = "slow or chaos or e2e or benchmark or receivers"
_PARALLEL = ("-n", "auto", "--dist", "worksteal")


@dataclass(frozen=True, slots=True)
class Suite:
    """`missing` says what keeps the suite from running here, or None. Those `on_demand` run only when named."""

    name: str
    arguments: tuple[str, ...]
    missing: Callable[[], str | None] = lambda: None
    on_postgresql: bool = False
    on_demand: bool = False


def _postgresql_missing() -> str | None:
    if "CAVRA_DATABASE_URL" in os.environ or postgres.find("postgres"):
        return None
    return "no PostgreSQL server is installed and CAVRA_DATABASE_URL is not set"


def _browser_missing() -> str | None:
    return None if CHROMIUM.exists() else "no Chromium is installed"


def _nginx_missing() -> str | None:
    return None if ECHO_MODULE.exists() else "nginx with libnginx-mod-http-echo is not installed"


SUITES = (
    Suite("sqlite", ("-m", f"not ({_ALONE} or postgres)", *_PARALLEL)),
    Suite("postgresql", ("-m", f"not ({_ALONE})", *_PARALLEL), _postgresql_missing, on_postgresql=True),
    Suite("slow", ("-m", "slow", *_PARALLEL)),
    Suite("browser", ("-m", "e2e"), _browser_missing),
    Suite("receivers", ("-m", "receivers"), installed.missing, on_demand=True),
    Suite("chaos", ("-m", "chaos"), on_demand=True),
    Suite("chaos-postgresql", ("-m", "chaos"), _postgresql_missing, on_postgresql=True, on_demand=True),
    Suite("benchmark", ("-m", "benchmark"), _nginx_missing, on_demand=True),
)


def main(wanted: list[str]) -> int:
    outcomes: dict[str, str] = {}
    failed = False
    for suite in SUITES:
        if (wanted and suite.name not in wanted) or (not wanted and suite.on_demand):
            continue
        reason = suite.missing()
        if reason:
            outcomes[suite.name] = f"not run: {reason}"
            failed |= bool(wanted)
            continue
        print(f"== {suite.name}", flush=True)
        code = _run(suite)
        failed |= code not in {0, _NO_TESTS}
        outcomes[suite.name] = {0: "passed", _NO_TESTS: "has no tests"}.get(code, "FAILED")
    if not wanted:
        outcomes |= {
            suite.name: f"only when asked for: python -m tests.everything {suite.name}"
            for suite in SUITES
            if suite.on_demand
        }
    print("\n".join(f"{name:16} {outcome}" for name, outcome in outcomes.items()), flush=True)
    return int(failed)


def _run(suite: Suite) -> int:
    command = [sys.executable, "-m", "pytest", *suite.arguments]
    environment = {name: value for name, value in os.environ.items() if name != "CAVRA_DATABASE_URL"}
    if not suite.on_postgresql:
        return subprocess.call(command, env=environment)
    if "CAVRA_DATABASE_URL" in os.environ:
        return subprocess.call(command)
    with postgres.server() as url:
        return subprocess.call(command, env=environment | {"CAVRA_DATABASE_URL": url})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
