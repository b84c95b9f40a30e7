"""`cavra connectors`: what is configured and how it stands; `cavra connectors test NAME` sends one harmless event."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollback_audit.engine import connectors, queries
from rollback_audit.engine.actors import Actor
from rollback_audit.management.doors import actor, as_json, refusals


class Command(BaseCommand):
    help = "List the connectors, or test one by sending it a harmless event."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        test = parser.add_subparsers(dest="action").add_parser("test")
        test.add_argument("name")
        test.add_argument("--user", help="who tests (default: whoever sits at this terminal)")

    def handle(self, *_args: object, action: str | None, user: str | None = None, **options: object) -> None:
        with refusals():
            if action == "test":
                self._test(name=str(options["name"]), actor=actor(user))
            else:
                self._list()

    def _list(self) -> None:
        connectors.sync()
        rows = [connectors.record(row) for row in queries.connectors()]
        for row in rows:
            self.stdout.write(f"{row.name:24} {row.provider:12} {row.standing:20} {row.problem or ''}".rstrip())
        if not rows:
            self.stdout.write("No connector is configured. Name a file in CAVRA_CONNECTOR_CONFIG.")

    def _test(self, *, name: str, actor: Actor) -> None:
        result = connectors.test(actor=actor, name=name)
        self.stdout.write(as_json(result))
        if not result.succeeded:
            raise CommandError("The test event was not delivered.")
