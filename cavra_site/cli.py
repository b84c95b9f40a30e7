"""The `cavra` command: a thin door to Django's management commands."""

import os
import sys

from django.core.management import execute_from_command_line

from cavra_site import env, keys, processes

# These make what is missing: the signing key has to be there before Django loads.
_MAKE_KEYS = {"demo", "migrate", "up"}


def main() -> None:
    processes.end_with_parent()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cavra_site.settings")
    verb = sys.argv[1] if len(sys.argv) > 1 else "help"
    try:
        _prepare(verb)
    except (env.EnvironmentProblem, OSError) as problem:
        sys.exit(f"cavra: {problem}")
    execute_from_command_line(["cavra", *sys.argv[1:]])


def _prepare(verb: str) -> None:
    environment = env.read()
    environment.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if verb in _MAKE_KEYS:
        keys.ensure(environment.secret_key_file or environment.home / "secret_key")
    if verb == "demo":
        # Never the operator's own file: the demo writes this one.
        os.environ["CAVRA_CONNECTOR_CONFIG"] = str(environment.home / env.DEMO_CONNECTORS)


if __name__ == "__main__":
    main()
