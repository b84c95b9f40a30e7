"""`cavra prune`: what old evidence would go; with --execute it goes. Its hashes stay, so what is left still proves."""

from django.core.management.base import BaseCommand, CommandParser

from rollback_audit.engine import retention
from rollback_audit.management.doors import actor, as_json, refusals
from rollback_audit.planning.retention import LEAST_DAYS


class Command(BaseCommand):
    help = (
        "Say which old ledger lines and rows are no longer needed. With --execute: remove them, for good. "
        "Legal holds and whatever is still open are kept; hashes, checkpoints and keys stay for ever."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            type=int,
            required=True,
            metavar="DAYS",
            help=f"at least {LEAST_DAYS}; by the database's clock",
        )
        parser.add_argument("--execute", action="store_true", help="remove them")
        parser.add_argument("--reason", default="", help="why (required with --execute)")
        parser.add_argument("--user", help="who prunes (default: whoever sits at this terminal)")

    def handle(
        self, *_args: object, older_than: int, execute: bool, reason: str, user: str | None, **_options: object
    ) -> None:
        with refusals():
            found = retention.prune(actor=actor(user), older_than_days=older_than, reason=reason, dry_run=not execute)
        self.stdout.write(as_json(found))
