"""The doorbell: tells an idle worker that there is work. It carries an id; the work itself is in the tables.

A bell that is lost, rung twice or answered late changes nothing: the sweeper finds the same work.
"""

from django.db import transaction
from django_q.conf import Conf
from django_q.tasks import async_task

_TASK = "rollback_audit.tasks.drain"


def ring(run_id: str) -> None:
    """Ring for a run when the transaction that queues it commits: a broker in the database is part of it."""
    if Conf.ORM:
        async_task(_TASK, run_id)
    else:
        transaction.on_commit(lambda: async_task(_TASK, run_id), robust=True)
