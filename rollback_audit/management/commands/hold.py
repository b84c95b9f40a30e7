"""`cavra hold`: legal holds, which keep evidence from being pruned."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from rollback_audit.engine import holds, queries
from rollback_audit.management.doors import actor, as_json, refusals
from rollback_audit.states import HoldScope, Permission

_NAMED = (HoldScope.AUDIT, HoldScope.DELIVERY, HoldScope.SCHEDULE)


class Command(BaseCommand):
    help = "Hold evidence back from pruning, release it, and list what is held."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        place = verbs.add_parser("place", help="hold from now on")
        what = place.add_mutually_exclusive_group(required=True)
        for scope in _NAMED:
            what.add_argument(f"--{scope}", metavar="ID", help=f"one {scope}, and whatever decided on it")
        what.add_argument("--everything", action="store_true", help="nothing may be pruned")
        release = verbs.add_parser("release", help="end a hold")
        release.add_argument("hold_id")
        for verb in (place, release):
            verb.add_argument("--reason", required=True, help="why; goes on record")
        listed = verbs.add_parser("list", help="the holds in force, oldest first")
        listed.add_argument("--all", action="store_true", help="released ones too")
        for verb in (place, release, listed):
            verb.add_argument("--user", help="who does it (default: whoever sits at this terminal)")

    def handle(self, *_args: object, verb: str, user: str | None, **options: Any) -> None:
        with refusals():
            who = actor(user)
            if verb == "list":
                who.require(Permission.VIEW_EVIDENCE)
                rows = queries.legal_holds().order_by("id")
                found = rows if options["all"] else rows.filter(released_at=None)
                self.stdout.write(as_json([holds.record(row) for row in found]))
                return
            if verb == "release":
                hold, _ = holds.release(actor=who, hold_id=options["hold_id"], reason=options["reason"])
            else:
                scope = next((item for item in _NAMED if options[item] is not None), HoldScope.EVERYTHING)
                subject_id = options.get(scope) if scope in _NAMED else ""
                hold, _ = holds.place(actor=who, scope=scope, subject_id=str(subject_id), reason=options["reason"])
            self.stdout.write(as_json(hold))
