"""The `cavra` command: a thin door to Django's management commands."""

import os
import sys

from django.core.management import execute_from_command_line

from cavra_site import env, keys

# These make what is missing: the signing key has to be there before Django loads.
_MAKE_KEYS = {"demo", "migrate", "up"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cavra_site.settings")
    try:
        environment = env.read()
    except env.EnvironmentProblem as problem:
        sys.exit(f"cavra: {problem}")
    environment.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if len(sys.argv) > 1 and sys.argv[1] in _MAKE_KEYS:
        keys.ensure(environment.secret_key_file or environment.home / "secret_key")
    execute_from_command_line(sys.argv)
