"""`cavra run`: one pass of the retry worker, dry unless told otherwise; `cavra run pause RUN` and such change one."""

import argparse
from collections.abc import Callable

from django.core.management.base import BaseCommand, CommandParser

from rollback_audit.engine import worker
from rollback_audit.engine.runs import RunAnswer
from rollback_audit.engine.worker import RunRequest
from rollback_audit.management.doors import actor, as_json, refusals

_CHANGES: dict[str, Callable[..., RunAnswer]] = {
    "pause": worker.pause_run,
    "resume": worker.resume_run,
    "abort": worker.abort_run,
}


class Command(BaseCommand):
    help = (
        "Run the retry worker and print the run. Dry by default; --execute queues a live run for `cavra worker`. "
        "With pause, resume or abort: change a live run."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--execute", action="store_true", help="send what has been approved")
        parser.add_argument("--reason", default="", help="why (required with --execute)")
        parser.add_argument("--user", help="who runs it (default: whoever sits at this terminal)")
        parser.add_argument("--source", default="", help="only this kind of evidence")
        parser.add_argument("--provider", default="", help="only this connector")
        parser.add_argument("--limit", type=int, default=5, help="most deliveries to select (default: %(default)s)")
        verbs = parser.add_subparsers(dest="change")
        for name in _CHANGES:
            change = verbs.add_parser(name)
            change.add_argument("run_id")
            change.add_argument("--reason", required=True, help="why; goes on record")
            # Left out, it leaves alone what was said before the verb.
            change.add_argument("--user", default=argparse.SUPPRESS, help="who does it")

    def handle(
        self, *_args: object, execute: bool, reason: str, user: str | None, change: str | None = None, **options: object
    ) -> None:
        with refusals():
            if change is not None:
                answer = _CHANGES[change](actor=actor(user), run_id=str(options["run_id"]), reason=reason)
            else:
                request = RunRequest(
                    dry_run=not execute,
                    reason=reason,
                    source=str(options["source"]),
                    provider=str(options["provider"]),
                    max_retry_deliveries=int(str(options["limit"])),
                )
                answer = worker.start_run(actor=actor(user), request=request)
        self.stdout.write(as_json(answer.run))
