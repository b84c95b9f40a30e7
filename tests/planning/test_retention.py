"""What of the ledger may go, case by case."""

from datetime import UTC, datetime, timedelta

import pytest

from rollback_audit.planning.retention import EntryFacts, Horizon, Kept, spans, why_kept
from rollback_audit.states import KEPT_FOR_EVER, MetadataKind

CUTOFF = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
OLD = CUTOFF - timedelta(days=1)
LONG_AGO = CUTOFF - timedelta(days=9)
OLDEST = CUTOFF - timedelta(days=10)
FACTS = EntryFacts(MetadataKind.CONNECTOR_DELIVERY, OLD, is_signed=True, is_held=False, is_open=False)
HORIZON = Horizon(CUTOFF)


@pytest.mark.parametrize(
    ("facts", "horizon", "kept"),
    [
        (FACTS, HORIZON, None),
        (FACTS._replace(created_at=CUTOFF - timedelta(microseconds=1)), HORIZON, None),
        (FACTS._replace(created_at=CUTOFF), HORIZON, Kept.YOUNG),
        (FACTS._replace(is_signed=False), HORIZON, Kept.UNSIGNED),
        (FACTS._replace(is_held=True), HORIZON, Kept.HELD),
        (FACTS._replace(is_held=True, is_open=True), HORIZON, Kept.HELD),
        (FACTS._replace(is_open=True), HORIZON, Kept.OPEN),
        # A run that has not finished keeps all that came since it was queued.
        (FACTS, HORIZON._replace(unfinished_since=LONG_AGO), Kept.OPEN),
        (FACTS, HORIZON._replace(unfinished_since=OLD), Kept.OPEN),
        (FACTS._replace(created_at=OLDEST), HORIZON._replace(unfinished_since=LONG_AGO), None),
        # An outage that goes on keeps what its recovery will be closed with.
        (FACTS._replace(kind=MetadataKind.CONNECTOR_TESTED), HORIZON._replace(outage_since=LONG_AGO), Kept.OPEN),
        (FACTS._replace(kind=MetadataKind.RECOVERY_PLAYBOOK), HORIZON._replace(outage_since=LONG_AGO), Kept.OPEN),
        (FACTS._replace(kind=MetadataKind.RECOVERY_CLOSURE), HORIZON._replace(outage_since=LONG_AGO), Kept.OPEN),
        (FACTS._replace(kind=MetadataKind.CONNECTOR_TESTED), HORIZON, None),
        (
            FACTS._replace(kind=MetadataKind.CONNECTOR_TESTED, created_at=OLDEST),
            HORIZON._replace(outage_since=LONG_AGO),
            None,
        ),
        (FACTS, HORIZON._replace(outage_since=LONG_AGO), None),
    ],
)
def test_an_entry_goes_only_once_nothing_stands_against_it(
    facts: EntryFacts, horizon: Horizon, kept: Kept | None
) -> None:
    assert why_kept(facts, horizon) is kept


@pytest.mark.parametrize("kind", sorted(KEPT_FOR_EVER))
def test_what_proves_the_rest_stays_for_ever(kind: MetadataKind) -> None:
    assert why_kept(FACTS._replace(kind=kind), HORIZON) is Kept.FOR_EVER


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([], []),
        ([4], [(4, 5)]),
        ([0, 1, 2], [(0, 3)]),
        ([0, 2, 3, 7], [(0, 1), (2, 4), (7, 8)]),
    ],
)
def test_places_are_told_as_spans(places: list[int], expected: list[tuple[int, int]]) -> None:
    assert spans(places) == expected
