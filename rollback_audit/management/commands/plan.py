"""`cavra plan`: a retry plan, as JSON; or what another policy would have made of past failures."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollback_audit.engine import backtests, clock, plans
from rollback_audit.management.backtests import as_table, read_policy, read_since
from rollback_audit.management.doors import actor, as_json, refusals
from rollback_audit.records.backtests import BackTestRecord


class Command(BaseCommand):
    help = (
        "Plan retries for every delivery that is neither delivered nor closed, and print the plan. "
        "With --what-if, plan nothing: replay past failures through another policy and print it beside the present one."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", help="who plans (default: whoever sits at this terminal)")
        parser.add_argument("--source", default="", help="only this kind of evidence")
        parser.add_argument("--provider", default="", help="only this connector")
        parser.add_argument("--what-if", metavar="POLICY", help="max_retries=5,retry_delay_minutes=5 or a JSON object")
        parser.add_argument(
            "--since", metavar="T", help="with --what-if: 7d, 12h or 2026-01-31T12:00Z, at most 90 days"
        )
        parser.add_argument("--json", action="store_true", help="with --what-if: print JSON instead of a table")

    def handle(self, *_args: object, user: str | None, source: str, provider: str, **options: object) -> None:
        what_if, since = options["what_if"], options["since"]
        if (what_if is None) is not (since is None):
            raise CommandError("--what-if and --since go together.")
        if what_if is None and options["json"]:
            raise CommandError("--json goes with --what-if; a plan is always JSON.")
        with refusals():
            if what_if is None:
                plan, _ = plans.plan_retry(actor=actor(user), source=source, provider=provider)
                self.stdout.write(as_json(plan))
                return
            tested = _back_test(user, source, provider, policy=str(what_if), since=str(since))
            self.stdout.write(as_json(tested) if options["json"] else as_table(tested))


def _back_test(user: str | None, source: str, provider: str, *, policy: str, since: str) -> BackTestRecord:
    return backtests.back_test(
        actor=actor(user),
        policy=read_policy(policy),
        since=read_since(since, now=clock.now()),
        source=source,
        provider=provider,
    )
