"""`cavra plan`: a retry plan, as JSON."""

from django.core.management.base import BaseCommand, CommandParser

from rollback_audit.engine import plans
from rollback_audit.management.doors import actor, as_json, refusals


class Command(BaseCommand):
    help = "Plan retries for every delivery that is neither delivered nor closed, and print the plan."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", help="who plans (default: whoever sits at this terminal)")
        parser.add_argument("--source", default="", help="only this kind of evidence")
        parser.add_argument("--provider", default="", help="only this connector")

    def handle(self, *_args: object, user: str | None, source: str, provider: str, **_options: object) -> None:
        with refusals():
            plan, _ = plans.plan_retry(actor=actor(user), source=source, provider=provider)
        self.stdout.write(as_json(plan))
