"""Rows beside the ledger that nothing needs once their retention is over.

Decisions of plans that nobody reviewed, asked approval for or ran live, and the results of their dry runs: what fills
a disk, since a recurring dry run writes one of each for every open delivery. The plans and runs themselves stay, with
their counts and digests. Then what has expired: sessions, tokens, answers to an Idempotency-Key.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from rollback_audit.engine import clock, holds, idempotency, retention_facts
from rollback_audit.engine.holds import Held
from rollback_audit.models import (
    ApiToken,
    ApprovalPlan,
    IdempotentRequest,
    RetryAcknowledgement,
    RetryDecision,
    RetryPlan,
    WorkerResult,
    WorkerRun,
)
from rollback_audit.models.runs import UNFINISHED
from rollback_audit.records.retention import PrunedRowsRecord

_AT_ONCE = 5000


def count(cutoff: datetime) -> PrunedRowsRecord:
    """How many would go."""
    plans = _idle_plans(cutoff, holds.in_force())
    return PrunedRowsRecord(
        decision_count=_decisions(plans).count(),
        dry_run_result_count=_results(plans).count(),
        session_count=_sessions().count(),
        token_count=_tokens(cutoff).count(),
        idempotent_request_count=IdempotentRequest.objects.filter(
            created_at__lt=clock.now() - idempotency.KEPT_FOR
        ).count(),
    )


def delete(cutoff: datetime) -> PrunedRowsRecord:
    """Delete them, a few thousand a transaction."""
    results = _in_batches(cutoff, _results)
    decisions = _in_batches(cutoff, _decisions)
    return PrunedRowsRecord(
        decision_count=decisions,
        dry_run_result_count=results,
        session_count=_sessions().delete()[0],
        token_count=_tokens(cutoff).delete()[0],
        idempotent_request_count=idempotency.forget(),
    )


def _in_batches(cutoff: datetime, rows: Callable[[QuerySet[RetryPlan]], QuerySet[Any]]) -> int:
    """Delete a few thousand at a time, each time judged anew."""
    total = 0
    while True:
        with transaction.atomic():
            holds.wait_for_pruning()
            found = rows(_idle_plans(cutoff, holds.in_force()))
            pks = list(found.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE])
            found.model._default_manager.filter(pk__in=pks).delete()
        total += len(pks)
        if len(pks) < _AT_ONCE:
            return total


def _idle_plans(cutoff: datetime, held: Held) -> QuerySet[RetryPlan]:
    """Old plans that led to nothing but dry runs. The newest plan stays, however old: pages and runs start from it."""
    if held.everything:
        return RetryPlan.objects.none()
    newest = RetryPlan.objects.order_by("-pk").values("pk")[:1]
    this = OuterRef("pk")
    plans = RetryPlan.objects.filter(
        ~Exists(WorkerRun.objects.filter(Q(dry_run=False) | UNFINISHED, retry_plan=this)),
        ~Exists(ApprovalPlan.objects.filter(retry_plan=this)),
        ~Exists(RetryAcknowledgement.objects.filter(decision__plan=this)),
        ~Q(pk__in=newest),
        generated_at__lt=cutoff,
    )
    if held.audits or held.schedules:
        of_held = retention_facts.of_held(held)
        plans = plans.filter(~Exists(RetryDecision.objects.filter(plan=this, delivery__in=of_held)))
    return plans.order_by()


def _decisions(plans: QuerySet[RetryPlan]) -> QuerySet[RetryDecision]:
    return RetryDecision.objects.filter(plan__in=plans).order_by()


def _results(plans: QuerySet[RetryPlan]) -> QuerySet[WorkerResult]:
    return WorkerResult.objects.filter(run__retry_plan__in=plans).order_by()


def _sessions() -> QuerySet[Session]:
    return Session.objects.filter(expire_date__lt=clock.now())


def _tokens(cutoff: datetime) -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(Q(expires_at__lt=cutoff) | Q(revoked_at__lt=cutoff))
