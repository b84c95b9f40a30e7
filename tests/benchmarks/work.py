"""What is measured, each piece in a process of its own: `python -m tests.benchmarks.work VERB NUMBER ...`.

Prints its figures as one line of JSON. The environment names the database and the connectors.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import django
import pycurl

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.models import Group  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from rollback_audit.engine import approvals, connectors, plans, proofs, receipts, roles, worker  # noqa: E402
from rollback_audit.engine.actors import SYSTEM, Actor, actor_for  # noqa: E402
from rollback_audit.engine.drain import IN_FLIGHT  # noqa: E402
from rollback_audit.models import Connector, Delivery, DeliveryAttempt, RetryDecision, RetryPlan, WorkerRun  # noqa: E402
from rollback_audit.states import Action, DeliveryState, Outcome, ReasonCode, Role  # noqa: E402
from tests.benchmarks import ledgers, seed  # noqa: E402

_BODY = b"x" * 460
_RUN_LIMIT = 10_000
# As many as the two workers have on the wire together.
_ON_THE_WIRE = 2 * IN_FLIGHT

Figures = dict[str, float]


def prepare(count: int, failed: int) -> Figures:
    """Migrate, configure and seed."""
    call_command("migrate", verbosity=0)
    roles.install()
    connectors.sync()
    if count:
        seed.deliveries(count, failed=failed, chosen=list(Connector.objects.all()))
    return {}


def plan() -> Figures:
    """Plan retries for everything that has failed."""
    actor = _person("planner", Role.RELEASE_MANAGER)
    before = _peak_mebibytes()
    seconds, (record, _) = _timed(lambda: plans.plan_retry(actor=actor))
    return {"seconds": seconds, "rows": record.decision_count, "mebibytes": _peak_mebibytes(), "before": before}


def bare_plan() -> Figures:
    """The least that could do it: one INSERT ... SELECT of as many and as wide rows, from the same open deliveries."""
    row = RetryPlan.objects.order_by("-pk")[0]
    row.pk, row.retry_plan_id = None, f"bare-{time.monotonic_ns()}"
    row.save(force_insert=True)

    def insert() -> int:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"""
                INSERT INTO "{RetryDecision._meta.db_table}" (plan_id, ordinal, delivery_id, action, reason_code,
                    retry_count, retry_delay_minutes, next_retry_at, attempt_number, latest_attempt_at,
                    failed_status_codes, request_digest, decision_digest)
                SELECT %s, row_number() OVER (ORDER BY delivery_id, provider), id, '{Action.RETRY}', '{ReasonCode.DUE}',
                       failure_count, 15, due_at, attempt_count + 1, last_attempt_at,
                       failed_status_codes, event_digest, event_digest
                FROM "{Delivery._meta.db_table}" WHERE state IN ('sending', 'failed') ORDER BY delivery_id, provider
                """,
                [row.pk],
            )
            return int(cursor.rowcount)

    seconds, rows = _timed(insert)
    return {"seconds": seconds, "rows": rows, "mebibytes": _peak_mebibytes()}


def approve() -> Figures:
    """Plan, ask and approve everything: what a drain needs beforehand."""
    record, _ = plans.plan_retry(actor=_person("planner", Role.RELEASE_MANAGER))
    asked, _ = approvals.request_approval(
        actor=_person("planner", Role.RELEASE_MANAGER), retry_plan_id=record.retry_plan_id, require_retry_ack=False
    )
    seconds, rows = 0.0, 0
    for name in ("owner", "second")[: asked.approvals_needed]:
        person = _person(name, Role.PLATFORM_OWNER)
        took, answer = _timed(
            lambda person=person: approvals.decide(actor=person, approval_plan_id=asked.approval_plan_id)  # type: ignore[misc]
        )
        seconds, rows = seconds + took, answer.decision_count
    return {"seconds": seconds, "rows": rows}


def live_drain(count: int) -> Figures:
    """Have the workers execute `count` approved retries, in runs of at most 10,000, everything recorded.

    Timed from the queued run's commit to its receipt.
    """
    owner = _person("owner", Role.PLATFORM_OWNER)
    plan = RetryPlan.objects.order_by("-pk")[0]
    seconds, delivered = 0.0, 0
    while delivered < count:
        request = worker.RunRequest(
            dry_run=False,
            reason="Benchmark.",
            retry_plan_id=plan.retry_plan_id,
            plan_digest=plan.plan_digest,
            max_retry_deliveries=min(_RUN_LIMIT, count - delivered),
        )
        run_id = worker.start_run(actor=owner, request=request).run.run_id
        took, run = _timed(lambda run_id=run_id: _finished(run_id))  # type: ignore[misc]
        seconds += took
        if run.delivered_count != run.selected_retry_count or not run.delivered_count:
            raise RuntimeError("not everything was delivered")
        delivered += run.delivered_count
    return {"seconds": seconds, "rows": delivered}


def sealed() -> Figures:
    """Wait until every entry has its place and is signed: what the workers still had to do for the ledger."""

    def wait() -> None:
        while proofs.status(actor=SYSTEM).unsequenced_count or proofs.status(actor=SYSTEM).unsigned_count:
            time.sleep(0.05)

    seconds, _ = _timed(wait)
    return {"seconds": seconds}


def crowd(each: int, dead: int) -> Figures:
    """Have the workers retry `each` deliveries over every healthy connector and `dead` over the dead one, in one run.

    The 95th percentile of the time from the queued run to a healthy delivery's confirmation.
    """
    healthy = list(Connector.objects.exclude(name="dead"))
    seed.deliveries(each * len(healthy), failed=each * len(healthy), chosen=healthy)
    if dead:
        seed.deliveries(dead, failed=dead, chosen=[Connector.objects.get(name="dead")])
    approve()
    plan = RetryPlan.objects.order_by("-pk")[0]
    request = worker.RunRequest(
        dry_run=False,
        reason="Benchmark.",
        retry_plan_id=plan.retry_plan_id,
        plan_digest=plan.plan_digest,
        max_retry_deliveries=_RUN_LIMIT,
        timeout_seconds=2.0,
    )
    started = worker.start_run(actor=_person("owner", Role.PLATFORM_OWNER), request=request).run
    run = _finished(started.run_id)
    if run.delivered_count != each * len(healthy):
        raise RuntimeError("not every healthy delivery was confirmed")
    settled = DeliveryAttempt.objects.filter(result__run=run, outcome=Outcome.CONFIRMED).values_list(
        "settled_at", flat=True
    )
    took = sorted((moment - run.generated_at).total_seconds() for moment in settled if moment)
    # What the dead one still waits for is nobody's business in the next round.
    Delivery.objects.filter(provider="dead").update(state=DeliveryState.CLOSED)
    return {"seconds": took[len(took) * 95 // 100], "rows": len(took), "mebibytes": 0.0}


def _finished(run_id: str) -> WorkerRun:
    """The run once it has its receipt. Looks twenty times a second: looking costs the workers something too."""
    while True:
        run = WorkerRun.objects.get(run_id=run_id)
        if run.state in receipts.FINISHED:
            return run
        time.sleep(0.05)


def bare_post(count: int, port: int) -> Figures:
    """The least that could do it: pycurl's multi interface, as many POSTs, as many at once, nothing recorded."""
    multi = pycurl.CurlMulti()
    idle = [_easy(port) for _ in range(_ON_THE_WIRE)]
    started, left, begun = time.perf_counter(), count, 0
    while left:
        while idle and begun < count:
            multi.add_handle(idle.pop())
            begun += 1
        while multi.perform()[0] == pycurl.E_CALL_MULTI_PERFORM:
            pass
        while True:
            queued, done, failed = multi.info_read()
            if failed:
                raise RuntimeError("a request failed")
            for handle in done:
                multi.remove_handle(handle)
                idle.append(handle)
            left -= len(done)
            if not queued:
                break
        multi.select(1.0)
    return {"seconds": time.perf_counter() - started, "rows": count, "mebibytes": _peak_mebibytes()}


def _easy(port: int) -> pycurl.Curl:
    handle = pycurl.Curl()
    handle.setopt(pycurl.URL, f"http://127.0.0.1:{port}/hook")
    handle.setopt(pycurl.POSTFIELDS, _BODY)
    handle.setopt(pycurl.HTTPHEADER, ["Content-Type: application/json", "Expect:"])
    handle.setopt(pycurl.WRITEFUNCTION, lambda chunk: None)
    handle.setopt(pycurl.NOSIGNAL, 1)
    return handle


def _person(name: str, role: Role) -> Actor:
    user, _ = get_user_model().objects.get_or_create(username=name)
    user.groups.add(Group.objects.get(name=role.value))
    return actor_for(get_user_model().objects.get(pk=user.pk))


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def _peak_mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


_VERBS: dict[str, Callable[..., Figures]] = {
    "prepare": prepare,
    "plan": plan,
    "bare-plan": bare_plan,
    "approve": approve,
    "drain": live_drain,
    "sealed": sealed,
    "bare-post": bare_post,
    "crowd": crowd,
    "write": ledgers.write,
    "fill": ledgers.fill,
    "export": ledgers.export,
    "verify": ledgers.verify,
    "prove": ledgers.prove,
}

if __name__ == "__main__":
    figures: Any = _VERBS[sys.argv[1]](*(int(word) for word in sys.argv[2:]))
    sys.stdout.write(json.dumps(figures) + "\n")
