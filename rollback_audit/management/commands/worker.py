"""`cavra worker`: the task cluster under its supervisor, the sweeper and the sealer."""

from django.conf import settings
from django.core.management.base import BaseCommand

from cavra_site import supervisor
from rollback_audit.engine.sealing import Sealer
from rollback_audit.engine.sweep import sweep

# The longest exchange with a receiver, and two seconds to record it.
_GRACE_SECONDS = 62


class Command(BaseCommand):
    help = (
        "Carry out runs: the task cluster, the sweeper that finds work no doorbell announced, and the ledger's sealer."
    )
    requires_system_checks = ()

    def handle(self, *_args: object, **_options: object) -> None:
        supervisor.run(
            folder=settings.CAVRA_HOME / "run",
            duties={"sweep": sweep, "seal": Sealer()},
            workers=settings.Q_CLUSTER["workers"],
            task_seconds=settings.Q_CLUSTER["timeout"],
            grace_seconds=_GRACE_SECONDS,
        )
