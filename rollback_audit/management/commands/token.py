"""`cavra token create`: a bearer token for the API, shown once."""

from django.core.management.base import BaseCommand, CommandParser

from rollback_audit.engine import tokens
from rollback_audit.management.doors import refusals
from rollback_audit.states import Role


class Command(BaseCommand):
    help = "Create an API token and print it, and nothing else. The user is made if need be."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        create = parser.add_subparsers(dest="action", required=True).add_parser("create")
        create.add_argument("--user", required=True)
        create.add_argument("--role", required=True, choices=[role.value for role in Role])
        create.add_argument("--days", type=int, default=90, help="until it expires (default: %(default)s)")

    def handle(self, *_args: object, user: str, role: str, days: int, **_options: object) -> None:
        with refusals():
            self.stdout.write(tokens.create(username=user, role=role, days=days))
