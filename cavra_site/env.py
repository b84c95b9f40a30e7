"""The environment, read once and strictly.

`SETTINGS` lists every variable the project knows. A variable that is not listed, or whose value is not understood,
stops the start with one line that names it. Values are never repeated: they may hold a password.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cavra_site import database
from rollback_audit.planning.waves import read_waves

BASE_DIR = database.BASE_DIR
PREFIX = "CAVRA_"
DEMO_CONNECTORS = "demo-connectors.json"

_HOST = re.compile(r"\.?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]|\*")
_RATE = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour|day)")


class EnvironmentProblem(Exception):
    """A variable is unknown or not understood. The text names the variable, never its value."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable. `read` turns its text into a value or raises ValueError with what was expected."""

    name: str
    read: Callable[[str], object]
    default: str | None
    meaning: str


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError("expected a path")
    return (BASE_DIR / Path(text).expanduser()).resolve()


def _switch(text: str) -> bool:
    if text not in {"on", "off"}:
        raise ValueError("expected on or off")
    return text == "on"


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"expected a whole number from {least} to {most}")
        return int(text)

    return read


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return text

    return read


def _waves(text: str) -> str:
    read_waves(text)
    return text


def _rate(text: str) -> str:
    if not _RATE.fullmatch(text):
        raise ValueError("expected a rate such as 600/minute")
    return text


def _hosts(text: str) -> list[str]:
    hosts = text.split(",")
    if not all(_HOST.fullmatch(host) for host in hosts):
        raise ValueError("expected host names without a scheme or port, separated by commas")
    return hosts


def _origins(text: str) -> list[str]:
    origins = text.split(",") if text else []
    for origin in origins:
        parts = urlsplit(origin)
        if (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.path
            or parts.query
            or "@" in parts.netloc
        ):
            raise ValueError("expected origins such as https://cavra.example.org, separated by commas")
    return origins


def _redis(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"redis", "rediss", "unix"} or not (parts.hostname or parts.scheme == "unix"):
        raise ValueError("expected redis://host:port/number")
    return text


_SETTINGS = (
    Setting("CAVRA_HOME", _path, ".cavra", "Folder of everything the project keeps beside its database."),
    Setting(
        "CAVRA_DATABASE_URL",
        database.parse,
        None,
        "`sqlite:///path` or `postgresql://user:password@host:port/name`. Default: SQLite in `CAVRA_HOME`.",
    ),
    Setting("CAVRA_REDIS_URL", _redis, None, "Broker and cache. Default: the database is the broker."),
    Setting(
        "CAVRA_CONNECTOR_CONFIG",
        _path,
        None,
        "File with the connectors: JSON, TOML or YAML. Default: that of the demo, if any.",
    ),
    Setting(
        "CAVRA_SECRET_KEY_FILE",
        _path,
        None,
        "File with the signing key. Default: `CAVRA_HOME/secret_key`, made by the first `cavra migrate`.",
    ),
    Setting(
        "CAVRA_LEDGER_KEY_FILE",
        _path,
        None,
        "File with the key that signs the ledger's checkpoints; only workers need it. "
        "Default: `CAVRA_HOME/ledger_key`, made by the first `cavra migrate`.",
    ),
    Setting(
        "CAVRA_CHECKPOINT_FILE",
        _path,
        None,
        "File that each signed checkpoint is appended to; best on another disk than the database. "
        "Default: `CAVRA_HOME/checkpoints.txt`.",
    ),
    Setting("CAVRA_ALLOWED_HOSTS", _hosts, "127.0.0.1,localhost,[::1]", "Host names the web server answers to."),
    Setting("CAVRA_TRUSTED_ORIGINS", _origins, "", "Origins whose forms are trusted, when a proxy ends TLS."),
    Setting("CAVRA_PORT", _whole(1, 65535), "8000", "Port of the web server."),
    Setting(
        "CAVRA_HTTPS",
        _switch,
        "off",
        "`on` in production: cookies, redirects and HSTS for TLS that ends at a proxy, which sets `X-Forwarded-Proto`.",
    ),
    Setting(
        "CAVRA_FOUR_EYES",
        _one_of("on", "off", "strict"),
        "on",
        "Whoever made a plan cannot approve its retries; with `strict`, nor execute them. `off`: one person may.",
    ),
    Setting(
        "CAVRA_SECOND_APPROVER_ABOVE",
        _whole(0, 1_000_000),
        "100",
        "Approval plans with more entries need two approvers; 0: all of them do.",
    ),
    Setting(
        "CAVRA_CANARY_WAVES",
        _waves,
        "1,10,10%,rest",
        "How many deliveries of a live run go to each connector before its answers are looked at; the last is `rest`.",
    ),
    Setting("CAVRA_STOP_FAILURE_PERCENT", _whole(0, 100), "50", "Above this failure rate a connector's part stops."),
    Setting(
        "CAVRA_STOP_CONSECUTIVE_FAILURES", _whole(1, 10_000), "5", "After so many failures in a row it stops, too."
    ),
    Setting("CAVRA_DRY_RUN_MINUTES", _whole(1, 10080), "30", "Interval of the recurring dry run."),
    Setting(
        "CAVRA_EXECUTIVE_REPORT_MINUTES",
        _whole(0, 1440),
        "0",
        "Minutes between stored executive reports, up to a day; 0 stores none. Sending one is a person's.",
    ),
    Setting("CAVRA_WEB_THREADS", _whole(1, 64), "8", "Requests the web server handles at once."),
    Setting("CAVRA_TASK_WORKERS", _whole(1, 32), "2", "Processes of the task cluster."),
    Setting("CAVRA_DATABASE_POOL", _whole(1, 64), "8", "Most PostgreSQL connections one process opens."),
    Setting("CAVRA_USER_RATE", _rate, "1200/minute", "API requests of one signed-in identity."),
    Setting("CAVRA_ANONYMOUS_RATE", _rate, "60/minute", "API requests of one address that is not signed in."),
    Setting("CAVRA_LOG_LEVEL", _one_of("debug", "info", "warning", "error"), "info", "Least level that is logged."),
    Setting("CAVRA_DEBUG", _switch, "off", "Django's error pages, for developers: they show what must stay private."),
)
SETTINGS: Mapping[str, Setting] = {setting.name: setting for setting in _SETTINGS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Every variable as a value; fields are the variables' names, without prefix, in lower case."""

    home: Path
    database_url: database.DatabaseAddress | None
    redis_url: str | None
    connector_config: Path | None
    secret_key_file: Path | None
    ledger_key_file: Path | None
    checkpoint_file: Path | None
    allowed_hosts: list[str]
    trusted_origins: list[str]
    port: int
    https: bool
    four_eyes: str
    second_approver_above: int
    canary_waves: str
    stop_failure_percent: int
    stop_consecutive_failures: int
    dry_run_minutes: int
    executive_report_minutes: int
    web_threads: int
    task_workers: int
    database_pool: int
    user_rate: str
    anonymous_rate: str
    log_level: str
    debug: bool


def read(environ: Mapping[str, str] = os.environ) -> Environment:
    """The environment as values. Raises EnvironmentProblem for a variable that is unknown or not understood."""
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in SETTINGS)
    if unknown:
        raise EnvironmentProblem(f"{unknown[0]}: no such setting (docs/settings.md lists them all)")
    return Environment(**{_field(name): _value(setting, environ) for name, setting in SETTINGS.items()})  # type: ignore[arg-type]


def _field(name: str) -> str:
    return name.removeprefix(PREFIX).lower()


def _value(setting: Setting, environ: Mapping[str, str]) -> object:
    text = environ.get(setting.name, setting.default)
    if text is None:
        return None
    try:
        return setting.read(text)
    except ValueError as problem:
        # Only our own readers' words: those of urllib or int would repeat the value.
        raise EnvironmentProblem(f"{setting.name}: {_words(problem)}") from None


def _words(problem: ValueError) -> str:
    text = str(problem)
    return text if text.startswith("expected ") else "not understood"
