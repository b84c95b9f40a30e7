"""The doorbell: tells idle workers that there is work. It carries an id; the work itself is in the tables.

A bell that is lost, rung twice or answered late changes nothing: the sweeper finds the same work.
"""

from django.db import transaction
from django_q.conf import Conf
from django_q.tasks import async_task

_TASK = "rollback_audit.tasks.drain"


# A second worker pays its way once each has a good batch to send.
_RESULTS_A_WORKER = 500


def ring(run_id: str, *, result_count: int) -> None:
    """Ring for a run when the transaction that queues it commits: a broker in the database is part of it.

    A long run is worth several workers: each takes what the others have not.
    """
    for _ in range(max(1, min(Conf.WORKERS, result_count // _RESULTS_A_WORKER))):
        if Conf.ORM:
            async_task(_TASK, run_id)
        else:
            transaction.on_commit(lambda: async_task(_TASK, run_id), robust=True)
