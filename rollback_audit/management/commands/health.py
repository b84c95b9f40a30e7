"""`cavra health`: what is wrong with the worker, one line each; exits with 1 while anything is."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollback_audit.engine import health
from rollback_audit.engine.health import USUAL, Yardstick
from rollback_audit.management.doors import actor, as_json, refusals
from rollback_audit.records.alerts import WorkerHealthRecord


class Command(BaseCommand):
    help = "Say what is wrong with the worker, its schedules and its connectors. Exits with 1 while anything is."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", help="who looks (default: whoever sits at this terminal)")
        parser.add_argument(
            "--expected-interval-minutes",
            type=int,
            help="twice as long without a run is missed (default: 30, or the recurring dry run's interval if longer)",
        )
        parser.add_argument(
            "--stale-metadata-minutes",
            type=int,
            default=USUAL.stale_metadata_minutes,
            help="from then on the newest plan is stale (default: %(default)s)",
        )
        parser.add_argument("--json", action="store_true", help="print the record instead")

    def handle(
        self,
        *_args: object,
        user: str | None,
        expected_interval_minutes: int | None,
        stale_metadata_minutes: int,
        json: bool,
        **_options: object,
    ) -> None:
        by = Yardstick(expected_interval_minutes, stale_metadata_minutes)
        with refusals():
            record = health.read_health(actor=actor(user), by=by)
        self.stdout.write(as_json(record) if json else _said(record))
        if record.alerts:
            raise CommandError(f"The worker is not healthy: {record.alert_level}.")


def _said(record: WorkerHealthRecord) -> str:
    lines = [f"{item.severity:9} {item.code:24} {item.message} {item.recommendation}" for item in record.alerts]
    return "\n".join(lines) or "healthy"
