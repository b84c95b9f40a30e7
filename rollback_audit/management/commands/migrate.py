"""`cavra migrate`: the database, the roles, the schedules and the ledger's key. Safe to repeat."""

from typing import Any

from django.conf import settings
from django.core.management.commands.migrate import Command as DjangoMigrate
from django_q.models import Schedule

from rollback_audit.engine import roles, schedules, signing_keys

_SWEEP = "cavra-sweep"
_DRY_RUN = "cavra-dry-run"


class Command(DjangoMigrate):
    help = "Bring the database up to date, install the roles and the schedules by name, make the ledger's key."

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if not (options["app_label"] or options["plan"] or options["check_unapplied"]):
            roles.install()
            install_schedules()
            signing_keys.ensure(settings.CAVRA_LEDGER_KEY_FILE)


def install_schedules() -> None:
    """Install ours by name, twice without harm; any other schedule is left alone."""
    schedules.install(interval_minutes=settings.CAVRA_DRY_RUN_MINUTES)
    Schedule.objects.update_or_create(
        name=_DRY_RUN,
        defaults={
            "func": "rollback_audit.tasks.run_schedules",
            "schedule_type": Schedule.MINUTES,
            "minutes": settings.CAVRA_DRY_RUN_MINUTES,
            "repeats": -1,
        },
    )
    # Beside the sweeper in every worker process: the queue finds work even where that one is busy with a long run.
    Schedule.objects.update_or_create(
        name=_SWEEP,
        defaults={"func": "rollback_audit.tasks.sweep", "schedule_type": Schedule.MINUTES, "minutes": 1, "repeats": -1},
    )
