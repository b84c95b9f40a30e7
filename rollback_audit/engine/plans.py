"""Retry plans: facts from the open deliveries, the pure rule on each, and the plan in one transaction.

Facts are streamed in the order of delivery keys and decisions written in bulk, so memory does not grow with the backlog
and the digest is computed while streaming.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection, transaction

from rollback_audit.engine import bulk, circuits, clock, connectors, ledger, present, providers
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.labels import label
from rollback_audit.errors import InvalidInput, UnknownRecord
from rollback_audit.ids import new_id
from rollback_audit.models import Connector, Delivery, RetryDecision, RetryPlan
from rollback_audit.planning.digest import PlanDigest, bind, policy_digest
from rollback_audit.planning.facts import DEFAULT_POLICY, ConnectorFacts, DeliveryFacts, RetryPolicy
from rollback_audit.planning.retry import verdict
from rollback_audit.planning.schedule import plan_alert_level
from rollback_audit.records.history import HistoryRow
from rollback_audit.records.plans import RetryPlanRecord
from rollback_audit.states import Action, AlertLevel, DeliveryState, MetadataKind, Permission, RepeatCheck, Source

_CHUNK = 2_000
_COLUMNS = (
    "plan_id",
    "ordinal",
    "delivery_id",
    "latest_attempt_at",
    "failed_status_codes",
    "action",
    "reason_code",
    "retry_count",
    "retry_delay_minutes",
    "next_retry_at",
    "attempt_number",
    "request_digest",
    "decision_digest",
)


def plan_retry(
    *,
    actor: Actor,
    policy: RetryPolicy = DEFAULT_POLICY,
    source: str = "",
    provider: str = "",
    generated_by: str = "",
) -> tuple[RetryPlanRecord, HistoryRow]:
    """Plan retries for everything that is neither delivered nor closed, or for one source or connector of it.

    Returns the plan with its first decisions, and its line in the ledger.
    """
    actor.require(Permission.PLAN_RETRY)
    connectors.sync()
    circuits.let_probe()
    with transaction.atomic():
        plan, line = build_plan(actor=actor, policy=policy, source=source, provider=provider, generated_by=generated_by)
    return read_plan(actor=actor, retry_plan_id=plan.retry_plan_id), line


def read_plan(*, actor: Actor, retry_plan_id: str, most: int = 1000) -> RetryPlanRecord:
    """A stored plan with its first `most` decisions."""
    actor.require(Permission.VIEW_EVIDENCE)
    return with_decisions(find_plan(retry_plan_id), most=most)


def find_plan(retry_plan_id: str) -> RetryPlan:
    """The row of a plan's id. Raises UnknownRecord."""
    plan = RetryPlan.objects.filter(retry_plan_id=retry_plan_id).first()
    if plan is None:
        raise UnknownRecord("No retry plan with this id.")
    return plan


def with_decisions(plan: RetryPlan, *, most: int) -> RetryPlanRecord:
    """A plan's record with its first `most` decisions."""
    first = RetryDecision.objects.filter(plan=plan).select_related("plan", "delivery").order_by("ordinal")[:most]
    return present.plan(plan, list(first))


def build_plan(
    *, actor: Actor, policy: RetryPolicy, source: str, provider: str, generated_by: str
) -> tuple[RetryPlan, HistoryRow]:
    """Decide, store and record a plan inside the caller's transaction."""
    check_filters(source=source, provider=provider)
    now = clock.now()
    plan = RetryPlan.objects.create(
        retry_plan_id=new_id("gordackretry"),
        plan_digest="",
        policy=policy._asdict(),
        policy_digest=policy_digest(policy),
        connector_revisions=dict(Connector.objects.values_list("name", "revision")),
        source=source,
        provider=provider,
        decision_count=0,
        retryable_count=0,
        waiting_count=0,
        suppressed_count=0,
        alert_level=AlertLevel.HEALTHY,
        generated_by=label("generated_by", generated_by, actor=actor),
        actor=actor.name,
        maker_id=actor.user_id,
        generated_at=now,
    )
    digest = PlanDigest(now=now, policy=policy, source=source, provider=provider)
    counts = _decide_all(plan, policy=policy, now=now, digest=digest)
    _complete(plan, counts=counts, digest=digest.hexdigest())
    line = ledger.row(
        MetadataKind.RETRY_PLAN,
        session_id=plan.retry_plan_id,
        signer=actor.name,
        at=now,
        record=present.plan(plan),
        decision_count=plan.decision_count,
        blocked_count=plan.suppressed_count,
        approval_required_count=plan.retryable_count,
        connector_delivery_source=source or None,
        provider=provider or None,
        alert_level=plan.alert_level,
    )
    ledger.append([line])
    return plan, line


def check_filters(*, source: str, provider: str) -> None:
    """Whether there is such a source and such a connector, where one is named. Raises InvalidInput."""
    if source and source not in set(Source):
        raise InvalidInput({"source": ["Unknown source."]})
    providers.check(provider)


def _complete(plan: RetryPlan, *, counts: Counter[str], digest: str) -> None:
    plan.plan_digest = digest
    plan.decision_count = counts.total()
    plan.retryable_count = counts[Action.RETRY]
    plan.waiting_count = counts[Action.WAIT]
    plan.suppressed_count = counts[Action.SUPPRESS]
    plan.alert_level = plan_alert_level(retryable_count=plan.retryable_count, waiting_count=plan.waiting_count)
    plan.save(
        update_fields=[
            "plan_digest",
            "decision_count",
            "retryable_count",
            "waiting_count",
            "suppressed_count",
            "alert_level",
        ]
    )


def _decide_all(plan: RetryPlan, *, policy: RetryPolicy, now: datetime, digest: PlanDigest) -> Counter[str]:
    counts: Counter[str] = Counter()
    rows = _decision_rows(plan, policy=policy, now=now)
    while chunk := list(islice(rows, _CHUNK)):
        digest.add(row[-1] for row in chunk)
        counts.update(row[5] for row in chunk)
        with connection.cursor() as cursor:
            bulk.insert(cursor, RetryDecision, _COLUMNS, chunk)
    return counts


def _decision_rows(plan: RetryPlan, *, policy: RetryPolicy, now: datetime) -> Iterator[tuple[Any, ...]]:
    """Rows for RetryDecision in the order of delivery keys."""
    facts_of = {
        row.pk: ConnectorFacts(row.name, row.standing, row.drops_repeats, row.revision, RepeatCheck(row.repeat_check))
        for row in Connector.objects.all()
    }
    with bulk.streaming_cursor() as cursor:
        cursor.execute(*_open_deliveries_query(plan))
        for ordinal, row in enumerate(_facts(cursor), start=1):
            delivery_pk, connector_pk, raw_last_attempt_at, facts = row
            connector = facts_of[connector_pk]
            decided = bind(
                facts,
                verdict(facts, connector, policy, now=now),
                connector_revision=connector.revision,
                policy=policy,
                policy_digest=plan.policy_digest,
            )
            yield (
                plan.pk,
                ordinal,
                delivery_pk,
                raw_last_attempt_at,
                facts.failed_status_codes,
                decided.action.value,
                decided.reason_code.value,
                decided.retry_count,
                decided.retry_delay_minutes,
                bulk.moment(decided.next_retry_at),
                decided.attempt_number,
                decided.request_digest,
                decided.decision_digest,
            )


def _open_deliveries_query(plan: RetryPlan) -> tuple[str, list[str]]:
    """The open deliveries in the order of their keys, served by the index delivery_open_by_key."""
    moments = ", ".join(bulk.moment_column(name) for name in ("last_attempt_at", "last_failed_at", "not_before"))
    sql = f"""
        SELECT id, connector_id, delivery_id, audit_id, provider, source, event_digest,
               state = '{DeliveryState.SENDING}', attempt_count, failure_count, failure_kind, {moments},
               failed_status_codes, in_doubt, receipt IS NOT NULL
        FROM "{Delivery._meta.db_table}"
        WHERE state IN ('{DeliveryState.SENDING}', '{DeliveryState.FAILED}')
    """  # noqa: S608 - names and enumerations
    parameters = []
    for column, value in (("source", plan.source), ("provider", plan.provider)):
        if value:
            sql += f" AND {column} = %s"
            parameters.append(value)
    return f"{sql} ORDER BY delivery_id, provider", parameters


def _facts(cursor: Any) -> Iterator[tuple[int, int, Any, DeliveryFacts]]:
    read = bulk.read_moment
    while rows := cursor.fetchmany(_CHUNK):
        for row in rows:
            moments = (read(row[11]), read(row[12]), read(row[13]))
            facts = DeliveryFacts._make(
                (*row[2:7], bool(row[7]), *row[8:11], *moments, row[14], bool(row[15]), bool(row[16]))
            )
            yield row[0], row[1], row[11], facts
