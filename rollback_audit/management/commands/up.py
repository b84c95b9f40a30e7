"""`cavra up`: web server and worker together, for a single machine."""

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from cavra_site.processes import Child, StopRequest, stand_together
from rollback_audit.management.commands.api import add_address

_GRACE_SECONDS = 70


class Command(BaseCommand):
    help = "Run web server and worker together. An embedded database is migrated first."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        add_address(parser)

    def handle(self, *_args: object, host: str, port: int, **_options: object) -> None:
        if connection.vendor == "sqlite":
            # A shared server is migrated by whoever runs it, once, and not by each web server that starts.
            call_command("migrate", verbosity=0)
        connection.close()
        stop = StopRequest()
        children = [Child("api", "--host", host, "--port", str(port)), Child("worker")]
        if not stand_together(children, stop, grace_seconds=_GRACE_SECONDS):
            raise CommandError("A process ended unexpectedly; the other was stopped.")
