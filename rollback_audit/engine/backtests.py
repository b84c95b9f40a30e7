"""Back-tests of retry policies: past failures out of the attempts, the pure replay on each. Writes nothing."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import OuterRef, QuerySet, Subquery

from rollback_audit.engine import clock
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.plans import check_filters
from rollback_audit.errors import InvalidInput
from rollback_audit.models import Connector, Delivery, DeliveryAttempt, EvidenceEntry
from rollback_audit.planning.backtest import (
    ASSUMPTIONS,
    Outage,
    PastDelivery,
    PastFailure,
    outages,
    replay,
)
from rollback_audit.planning.comparison import Comparison, PolicyFigures
from rollback_audit.planning.facts import DEFAULT_POLICY, RetryPolicy
from rollback_audit.records.backtests import (
    BackTestDifferenceRecord,
    BackTestRecord,
    ConnectorBackTestRecord,
    PolicyFiguresRecord,
    RetryPolicyRecord,
)
from rollback_audit.states import FailureKind, MetadataKind, Permission

MOST_DAYS = 90
# Some tens of megabytes; and about five seconds of replaying, where every attempt of a policy is used up.
MOST_FAILURES = 100_000
MOST_REPLAYED_ATTEMPTS = 1_000_000
_CHUNK = 2_000


def back_test(
    *, actor: Actor, policy: RetryPolicy, since: datetime, source: str = "", provider: str = ""
) -> BackTestRecord:
    """What `policy` would have made of the deliveries that first failed since then, beside the default policy.

    Raises InvalidInput where `since` is not within the last MOST_DAYS days, and where more failed than can be replayed
    at once: MOST_FAILURES, or fewer under a policy of many attempts.
    """
    actor.require(Permission.PLAN_RETRY)
    check_filters(source=source, provider=provider)
    now = clock.now()
    # Whoever asks for all of it has read the clock a moment before.
    if not now - timedelta(days=MOST_DAYS, minutes=1) <= since < now:
        raise InvalidInput({"since": [f"Expected a moment of the last {MOST_DAYS} days."]})
    failures = _failures(since, provider, most=min(MOST_FAILURES, MOST_REPLAYED_ATTEMPTS // policy.max_retry_attempts))
    total = Comparison()
    rows = []
    for connector, past in sorted(_past(failures, since=since, source=source).items()):
        known = outages(past.failures)
        row = Comparison()
        for delivery in past.deliveries(connector):
            present = replay(delivery, known, DEFAULT_POLICY, until=now)
            proposed = present if policy == DEFAULT_POLICY else replay(delivery, known, policy, until=now)
            total.add(delivery, present=present, proposed=proposed)
            row.add(delivery, present=present, proposed=proposed)
        if row.delivery_count:
            rows.append(_row(connector, row, known))
    return BackTestRecord(
        generated_at=now,
        since=since,
        until=now,
        source=source or None,
        provider=provider or None,
        delivery_count=total.delivery_count,
        outage_count=sum(row.outage_count for row in rows),
        present_policy=RetryPolicyRecord(**DEFAULT_POLICY._asdict()),
        proposed_policy=RetryPolicyRecord(**policy._asdict()),
        present=_figures(total.present),
        proposed=_figures(total.proposed),
        difference=BackTestDifferenceRecord(**total.difference._asdict()),
        provider_summary=rows,
        assumptions=list(ASSUMPTIONS),
    )


class _Connector(NamedTuple):
    name: str
    drops_repeats: bool


@dataclass(slots=True)
class _Past:
    """One connector's failures, oldest first, and by delivery those of deliveries that first failed among them."""

    failures: list[PastFailure] = field(default_factory=list)
    by_delivery: dict[str, list[PastFailure]] = field(default_factory=dict)

    def deliveries(self, connector: _Connector) -> Iterator[PastDelivery]:
        for delivery_id, failures in self.by_delivery.items():
            yield PastDelivery(delivery_id, connector.name, connector.drops_repeats, failures)


def _past(failures: Iterator[tuple[Any, ...]], *, since: datetime, source: str) -> dict[_Connector, _Past]:
    """Every failure since then by its connector; as deliveries, those of the source."""
    names = {row.pk: _Connector(row.name, row.drops_repeats) for row in Connector.objects.all()}
    tests = _confirmed_tests(since)
    found: dict[_Connector, _Past] = defaultdict(_Past)
    for connector_pk, delivery_id, of, number, at, kind, held_seconds, delivered_at in failures:
        connector = names[connector_pk]
        failure = PastFailure(
            at,
            FailureKind(kind),
            None if held_seconds is None else at + timedelta(seconds=held_seconds),
            _earlier(delivered_at, _first_from(tests[connector.name], at)),
        )
        past = found[connector]
        past.failures.append(failure)
        if number == 1 and source in ("", of):
            past.by_delivery[delivery_id] = [failure]
        elif delivery_id in past.by_delivery:
            past.by_delivery[delivery_id].append(failure)
    return found


def _failures(since: datetime, provider: str, *, most: int) -> Iterator[tuple[Any, ...]]:
    """The failed attempts since then, oldest first, each with the next delivery that its connector confirmed.

    The index attempt_failures gives them in order; delivery_confirmed gives each its confirmation in one step, so what
    was confirmed without a failure is never read.
    """
    confirmed = (
        Delivery.objects.filter(connector=OuterRef("delivery__connector"), delivered_at__gte=OuterRef("settled_at"))
        .order_by("delivered_at")
        .values("delivered_at")
    )
    failed = DeliveryAttempt.objects.filter(failure_kind__isnull=False, settled_at__gte=since)
    if provider:
        failed = failed.filter(delivery__provider=provider)
    _check_size(failed, most=most)
    return (
        failed.order_by("settled_at", "id")
        .values_list(
            "delivery__connector",
            "delivery__delivery_id",
            "delivery__source",
            "number",
            "settled_at",
            "failure_kind",
            "retry_after_seconds",
            Subquery(confirmed[:1]),
        )
        .iterator(chunk_size=_CHUNK)
    )


def _check_size(failed: QuerySet[DeliveryAttempt], *, most: int) -> None:
    # Counting stops there as well.
    if failed.order_by()[: most + 1].count() > most:
        said = f"More than {most:,} attempts failed since then. Take a shorter time, one connector or fewer attempts."
        raise InvalidInput({"since": [said]})


def _confirmed_tests(since: datetime) -> dict[str, list[datetime]]:
    """When each connector's receiver confirmed a test event, oldest first. People send them, so they are few."""
    rows = EvidenceEntry.objects.filter(
        metadata_kind=MetadataKind.CONNECTOR_TESTED, delivery_success=True, created_at__gte=since
    )
    found: dict[str, list[datetime]] = defaultdict(list)
    for name, at in rows.order_by("created_at").values_list("provider", "created_at"):
        found[name].append(at)
    return found


def _first_from(moments: list[datetime], at: datetime) -> datetime | None:
    place = bisect_left(moments, at)
    return moments[place] if place < len(moments) else None


def _earlier(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _row(connector: _Connector, row: Comparison, known: list[Outage]) -> ConnectorBackTestRecord:
    return ConnectorBackTestRecord(
        provider=connector.name,
        delivery_count=row.delivery_count,
        outage_count=len(known),
        present=_figures(row.present),
        proposed=_figures(row.proposed),
    )


def _figures(figures: PolicyFigures) -> PolicyFiguresRecord:
    return PolicyFiguresRecord(**figures._asdict())
