"""`cavra user create`: somebody who signs in to the console."""

import sys

from django.core.management.base import BaseCommand, CommandParser

from rollback_audit.engine import accounts
from rollback_audit.management.doors import refusals
from rollback_audit.states import Role


class Command(BaseCommand):
    help = "Create a user, or give one a role and a new password. The password is read from standard input."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        create = parser.add_subparsers(dest="action", required=True).add_parser("create")
        create.add_argument("--user", required=True, help="the name to sign in with")
        create.add_argument("--role", required=True, choices=[role.value for role in Role])

    def handle(self, *_args: object, user: str, role: str, **_options: object) -> None:
        password = sys.stdin.readline().rstrip("\r\n")
        with refusals():
            accounts.create(username=user, role=role, password=password)
