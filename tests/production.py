"""`make lint`: Django's own checks on the settings a production site has, and no migration left to make."""

import os
import subprocess
import sys
import tempfile

_PRODUCTION = {"CAVRA_HTTPS": "on", "CAVRA_ALLOWED_HOSTS": "cavra.example.org"}
_COMMANDS = (
    ("migrate", "--verbosity", "0"),
    ("makemigrations", "--check", "--dry-run"),
    ("check", "--deploy", "--fail-level", "WARNING"),
)


def main() -> int:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CAVRA_")}
    with tempfile.TemporaryDirectory(prefix="cavra-production-") as home:
        environment = inherited | _PRODUCTION | {"CAVRA_HOME": home}
        for command in _COMMANDS:
            code = subprocess.call([sys.executable, "manage.py", *command], env=environment)
            if code:
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
