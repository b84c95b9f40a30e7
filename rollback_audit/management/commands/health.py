"""`cavra health`: what is wrong with the worker, one line each; exits with 1 while anything is. It can tell it, too."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollback_audit.engine import alerts, health
from rollback_audit.engine.alerts import AlertAnswer, AlertTerms
from rollback_audit.engine.health import USUAL, Yardstick
from rollback_audit.management.doors import actor, as_json, refusals
from rollback_audit.planning.health import SUPPRESSION_WINDOW_MINUTES
from rollback_audit.records.alerts import WorkerHealthRecord


class Command(BaseCommand):
    help = "Say what is wrong with the worker, its schedules and its connectors. Exits with 1 while anything is."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", help="who looks or tells (default: whoever sits at this terminal)")
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
        parser.add_argument("--deliver", action="store_true", help="tell the connectors what is new")
        parser.add_argument(
            "--suppression-window-minutes",
            type=int,
            default=SUPPRESSION_WINDOW_MINUTES,
            help="with --deliver: tell the same condition once for each (default: %(default)s)",
        )

    def handle(self, *_args: object, user: str | None, json: bool, deliver: bool, **options: Any) -> None:
        by = Yardstick(options["expected_interval_minutes"], options["stale_metadata_minutes"])
        with refusals():
            who = actor(user)
            if deliver:
                terms = AlertTerms(suppression_window_minutes=options["suppression_window_minutes"])
                answer = alerts.deliver_alerts(actor=who, terms=terms, by=by)
                record = answer.health
                self.stderr.write(_told(answer))
            else:
                record = health.read_health(actor=who, by=by)
        self.stdout.write(as_json(record) if json else _said(record))
        if record.alerts:
            raise CommandError(f"The worker is not healthy: {record.alert_level}.")


def _told(answer: AlertAnswer) -> str:
    if answer.plan is None or answer.sent is None:
        return "Nothing new to tell."
    told = f"{answer.plan.health_id} to {', '.join(answer.plan.selected_providers)}"
    return f"Told {told}." if answer.sent.success else f"Not confirmed everywhere, and in the retry plan: {told}."


def _said(record: WorkerHealthRecord) -> str:
    lines = [f"{item.severity:9} {item.code:24} {item.message} {item.recommendation}" for item in record.alerts]
    return "\n".join(lines) or "healthy"
