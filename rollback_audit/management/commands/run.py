"""`cavra run`: one pass of the retry worker, dry unless told otherwise."""

from django.core.management.base import BaseCommand, CommandParser

from rollback_audit.engine import worker
from rollback_audit.engine.worker import RunRequest
from rollback_audit.management.doors import actor, as_json, refusals


class Command(BaseCommand):
    help = "Run the retry worker and print the run. Dry by default; --execute queues a live run for `cavra worker`."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--execute", action="store_true", help="send what has been approved")
        parser.add_argument("--reason", default="", help="why (required with --execute)")
        parser.add_argument("--user", help="who runs it (default: whoever sits at this terminal)")
        parser.add_argument("--source", default="", help="only this kind of evidence")
        parser.add_argument("--provider", default="", help="only this connector")
        parser.add_argument("--limit", type=int, default=5, help="most deliveries to select (default: %(default)s)")

    def handle(self, *_args: object, execute: bool, reason: str, user: str | None, **options: object) -> None:
        request = RunRequest(
            dry_run=not execute,
            reason=reason,
            source=str(options["source"]),
            provider=str(options["provider"]),
            max_retry_deliveries=int(str(options["limit"])),
        )
        with refusals():
            answer = worker.start_run(actor=actor(user), request=request)
        self.stdout.write(as_json(answer.run))
