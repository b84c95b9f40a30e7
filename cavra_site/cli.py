"""The `cavra` command: a thin door to Django's management commands."""

import os
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from cavra_site import env, keys, logs, processes

# These make what is missing: the signing key has to be there before Django loads.
_MAKE_KEYS = {"demo", "migrate", "up"}
_TASK_CLUSTER = "qcluster"


def main() -> None:
    logs.catch_the_rest()
    processes.end_with_parent()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cavra_site.settings")
    verb = sys.argv[1] if len(sys.argv) > 1 else "help"
    if verb == _TASK_CLUSTER:
        logs.withhold_stderr()
    try:
        key_file = _prepare(verb)
    except env.EnvironmentProblem as problem:
        sys.exit(f"cavra: {problem}")
    except OSError as problem:
        sys.exit(f"cavra: CAVRA_HOME: {problem.strerror}")
    try:
        execute_from_command_line(["cavra", *sys.argv[1:]])
    except ImproperlyConfigured:
        if keys.read(key_file):
            raise
        sys.exit("cavra: CAVRA_SECRET_KEY_FILE: there is no key yet; cavra migrate makes one")


def _prepare(verb: str) -> Path:
    """Make the state folder, and the key where the verb may. The key's file."""
    environment = env.read()
    environment.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    key_file = environment.secret_key_file or environment.home / "secret_key"
    if verb in _MAKE_KEYS:
        keys.ensure(key_file)
    if verb == "demo":
        # Never the operator's own file: the demo writes this one.
        os.environ["CAVRA_CONNECTOR_CONFIG"] = str(environment.home / env.DEMO_CONNECTORS)
    return key_file


if __name__ == "__main__":
    main()
