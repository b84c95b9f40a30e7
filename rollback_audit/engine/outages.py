"""What the attempts say of a connector that fails: since when, how often, how, and whether it works again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Min, Q, QuerySet

from rollback_audit.models import Connector, Delivery, DeliveryAttempt, EvidenceEntry, Recovery
from rollback_audit.states import FailureKind, MetadataKind, RecoveryState


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A connector's failures from the first one on. Codes and kinds are each named once, in order."""

    failure_count: int
    first_failure_at: datetime
    latest_failure_at: datetime
    status_codes: list[int]
    failure_kinds: list[FailureKind]


def failing(*, since: datetime, at_least: int) -> list[int]:
    """The keys of connectors that failed so often since then, in order. What a closing came after does not count."""
    failures = _failures().filter(settled_at__gte=since)
    for connector_pk, closed_at in _closings(since).items():
        failures = failures.filter(~Q(delivery__connector=connector_pk, settled_at__lte=closed_at))
    groups = failures.values_list("delivery__connector").annotate(count=Count("id")).filter(count__gte=at_least)
    return sorted(connector_pk for connector_pk, _ in groups)


def begun(connector: Connector, *, since: datetime) -> Outage:
    """The outage that the connector's failures since then belong to.

    It began with the first failure after whatever was confirmed, or closed, before them: an outage that is older than
    `since` keeps its beginning, and successes in between do not divide it.
    """
    failures = _failures().filter(delivery__connector=connector)
    closed_at = _last_closing(connector)
    if closed_at is not None:
        failures = failures.filter(settled_at__gt=closed_at)
    in_window = failures.filter(settled_at__gte=since).aggregate(first=Min("settled_at"))["first"]
    worked_at = last_confirmed_at(connector, before=in_window)
    if worked_at is not None:
        failures = failures.filter(settled_at__gt=worked_at)
    return since_failure(connector, failures.aggregate(first=Min("settled_at"))["first"])


def since_failure(connector: Connector, first_failure_at: datetime) -> Outage:
    """The connector's failures from one of them on."""
    groups = list(
        _failures()
        .filter(delivery__connector=connector, settled_at__gte=first_failure_at)
        .values_list("failure_kind", "status_code")
        .annotate(count=Count("id"), latest=Max("settled_at"))
    )
    kinds = {kind for kind, *_ in groups}
    return Outage(
        failure_count=sum(count for *_, count, _ in groups),
        first_failure_at=first_failure_at,
        latest_failure_at=max(latest for *_, latest in groups),
        status_codes=sorted({code for _, code, *_ in groups if code is not None}),
        failure_kinds=[kind for kind in FailureKind if kind in kinds],
    )


def works_again(connector: Connector, *, latest_failure_at: datetime) -> bool:
    """Whether a test or a delivery was confirmed after the latest failure, a failed test included."""
    confirmed_at = last_confirmed_at(connector)
    failed_test = _tests(connector, succeeded=False).first()
    failed_at = _newest(latest_failure_at, failed_test.created_at if failed_test else None)
    return confirmed_at is not None and failed_at is not None and confirmed_at > failed_at


def last_confirmed_at(connector: Connector, *, before: datetime | None = None) -> datetime | None:
    """When the connector's receiver last confirmed a delivery or a test. Served by the index delivery_confirmed."""
    deliveries = Delivery.objects.filter(connector=connector, delivered_at__isnull=False)
    tests = _tests(connector, succeeded=True)
    if before is not None:
        deliveries, tests = deliveries.filter(delivered_at__lt=before), tests.filter(created_at__lt=before)
    delivered_at = deliveries.aggregate(newest=Max("delivered_at"))["newest"]
    test = tests.first()
    return _newest(delivered_at, test.created_at if test else None)


def _failures() -> QuerySet[DeliveryAttempt]:
    """Served by the index attempt_failures."""
    return DeliveryAttempt.objects.filter(failure_kind__isnull=False).order_by()


def _tests(connector: Connector, *, succeeded: bool) -> QuerySet[EvidenceEntry]:
    """Test events, newest first. People send them, so they are few beside everything else."""
    return EvidenceEntry.objects.filter(
        metadata_kind=MetadataKind.CONNECTOR_TESTED, provider=connector.name, delivery_success=succeeded
    ).order_by("-id")


def _closings(since: datetime) -> Mapping[int, datetime]:
    """The newest closing of each connector's recoveries, where it came after `since`."""
    rows = Recovery.objects.filter(state=RecoveryState.CLOSED.value, closed_at__gte=since).order_by()
    return dict(rows.values_list("connector").annotate(newest=Max("closed_at")))


def _last_closing(connector: Connector) -> datetime | None:
    closed = Recovery.objects.filter(connector=connector, state=RecoveryState.CLOSED.value)
    newest: datetime | None = closed.aggregate(newest=Max("closed_at"))["newest"]
    return newest


def _newest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)
