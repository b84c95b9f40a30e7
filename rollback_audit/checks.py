"""What `cavra check` asks of a site beside Django's own questions. Each answer has an id and names no value.

Registered by that command alone (management/commands/check.py): every other one starts with a broken connector, which
stands misconfigured while the others work.
"""

import os
from collections.abc import Iterator

from django.conf import settings
from django.core import checks
from django.db import connection

from cavra_site import sqlite
from rollback_audit.delivery import config

SITE = "site"


@checks.register(SITE)
def check_connectors(**_options: object) -> list[checks.CheckMessage]:
    """E001 for a file that cannot be used, E002 for each connector in it that cannot."""
    # Digests are of no use here, and a site may be checked before it has a key.
    found = config.load(settings.CAVRA_CONNECTOR_CONFIG, environ=os.environ, digest_key=b"")
    return list(_connector_errors(found))


@checks.register(SITE)
def check_sqlite(**_options: object) -> list[checks.CheckMessage]:
    """Which SQLite library serves, and whether it can be trusted with a write-ahead log: I001, or W001 where not."""
    if connection.vendor != "sqlite":
        return []
    version = sqlite.library_version()
    served = f"SQLite {'.'.join(map(str, version))} serves, with journal_mode={sqlite.journal_mode()}."
    if sqlite.wal_is_safe(version):
        return [checks.Info(served, id="rollback_audit.I001")]
    return [
        checks.Warning(
            f"{served} Its write-ahead log can corrupt a database, so readers and writers wait for each other.",
            hint="Install what requirements.lock names (make setup): it brings a library that is free of the fault.",
            id="rollback_audit.W001",
        )
    ]


def _connector_errors(found: config.Configuration) -> Iterator[checks.CheckMessage]:
    for problem in found.problems:
        if problem.connector is None:
            hint = "No connector works until the file is mended; docs/connectors.md shows one."
            yield checks.Error(str(problem), hint=hint, id="rollback_audit.E001")
        else:
            hint = "The others work; this one does not until it is mended. docs/connectors.md lists the keys."
            yield checks.Error(str(problem), hint=hint, id="rollback_audit.E002")
