"""What happened to a connector during one recovery, newest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from rollback_audit.engine import queries
from rollback_audit.models import Recovery
from rollback_audit.states import MetadataKind

MOST_OF_A_KIND = 20


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline. `line` is the id of the ledger line, `delivery` of a delivery; either may be empty."""

    at: datetime
    tone: str
    title: str
    word: str = ""
    note: str = ""
    by: str = ""
    line: str = ""
    delivery: str = ""


def of_recovery(row: Recovery) -> list[Moment]:
    """The newest failures, confirmations, test events, words and escalations since the first failure."""
    moments = [*_failures(row), *_confirmations(row), *_tests(row), *_words(row), *_escalations(row)]
    return sorted(moments, key=lambda moment: moment.at, reverse=True)


def _during(row: Recovery, column: str) -> Q:
    until = Q(**{f"{column}__lte": row.closed_at}) if row.closed_at else Q()
    return Q(**{f"{column}__gte": row.first_failure_at}) & until


def _failures(row: Recovery) -> Iterator[Moment]:
    failed = queries.attempts().filter(
        _during(row, "settled_at"), delivery__connector=row.connector_id, failure_kind__isnull=False
    )
    for attempt in failed.order_by("-settled_at")[:MOST_OF_A_KIND]:
        if attempt.settled_at and attempt.failure_kind:
            note = str(attempt.status_code or "")
            yield Moment(
                attempt.settled_at, "bad", "Failed", attempt.failure_kind, note, delivery=attempt.delivery.delivery_id
            )


def _confirmations(row: Recovery) -> Iterator[Moment]:
    confirmed = queries.deliveries().filter(_during(row, "delivered_at"), connector=row.connector_id)
    for delivery in confirmed.order_by("-delivered_at")[:MOST_OF_A_KIND]:
        if delivery.delivered_at:
            yield Moment(delivery.delivered_at, "good", "Delivered", delivery=delivery.delivery_id)


def _tests(row: Recovery) -> Iterator[Moment]:
    tested = queries.history().filter(
        _during(row, "created_at"), metadata_kind=MetadataKind.CONNECTOR_TESTED, provider=row.provider
    )
    for line in tested[:MOST_OF_A_KIND]:
        tone, title = ("good", "Test event confirmed") if line.delivery_success else ("bad", "Test event failed")
        yield Moment(line.created_at, tone, title, by=line.actor, line=line.entry_id)


def _words(row: Recovery) -> Iterator[Moment]:
    for closure in queries.recovery_closures().filter(recovery=row)[:MOST_OF_A_KIND]:
        yield Moment(
            closure.closed_at,
            "",
            "Said",
            closure.closure_state,
            closure.external_ref,
            by=closure.closed_by,
            line=closure.closure_id,
        )


def _escalations(row: Recovery) -> Iterator[Moment]:
    for item in row.escalations.select_related("escalation").order_by("-id")[:MOST_OF_A_KIND]:
        made = item.escalation
        yield Moment(made.generated_at, "warn", "Escalated", item.level, by=made.generated_by, line=made.plan_id)
