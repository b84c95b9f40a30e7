"""`cavra check`: Django's checks, and those of the site: its connectors and its SQLite library."""

from importlib import import_module
from typing import Any

from django.core.management.commands.check import Command as DjangoCheck


class Command(DjangoCheck):
    help = "Check the settings, the connectors and the SQLite library. --deploy asks what a production site needs."

    def handle(self, *app_labels: Any, **options: Any) -> None:
        # Registered here and not at the start: Django runs whatever is registered before most other commands, too.
        import_module("rollback_audit.checks")
        super().handle(*app_labels, **options)
