"""`cavra worker`: the task cluster under its supervisor, and the sweeper."""

from django.conf import settings
from django.core.management.base import BaseCommand

from cavra_site import supervisor
from rollback_audit.engine.sweep import sweep

# The longest exchange with a receiver, and two seconds to record it.
_GRACE_SECONDS = 62


class Command(BaseCommand):
    help = "Carry out runs: the task cluster, and the sweeper that finds work no doorbell announced."
    requires_system_checks = ()

    def handle(self, *_args: object, **_options: object) -> None:
        supervisor.run(
            folder=settings.CAVRA_HOME / "run",
            sweep=sweep,
            workers=settings.Q_CLUSTER["workers"],
            task_seconds=settings.Q_CLUSTER["timeout"],
            grace_seconds=_GRACE_SECONDS,
        )
