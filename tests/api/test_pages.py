"""Lists: filters, totals and pages that hold still while rows arrive."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rest_framework.test import APIClient

from rollback_audit.api import totals
from rollback_audit.engine import clock, ledger, queries
from rollback_audit.models import EvidenceEntry
from rollback_audit.states import MetadataKind
from tests.api.doors import A, B, World

pytestmark = pytest.mark.django_db


def write_lines(count: int, *, audit_id: str = "gordackaudit-1", age: timedelta = timedelta()) -> None:
    now = clock.now() - age
    ledger.append(
        ledger.row(
            MetadataKind.AUDIT_PACKAGE,
            session_id=ledger.new_entry_id(),
            signer="test",
            at=now,
            record={},
            audit_id=audit_id,
        )
        for _ in range(count)
    )


def walk(client: APIClient, address: str, direction: str = "next") -> list[dict[str, Any]]:
    """Every page from this address on."""
    pages = []
    found: str | None = address
    while found:
        answer = client.get(found)
        assert answer.status_code == 200, answer.content
        pages.append(answer.json())
        found = pages[-1][direction]
    return pages


def ids(page: dict[str, Any]) -> list[str]:
    return [item["session_id"] for item in page["items"]]


def test_pages_together_hold_every_row_once_newest_first(owner: APIClient) -> None:
    write_lines(23)
    pages = walk(owner, f"{B}?limit=5")
    shown = [name for page in pages for name in ids(page)]
    assert shown == list(EvidenceEntry.objects.order_by("-id").values_list("entry_id", flat=True))
    assert [len(page["items"]) for page in pages] == [5, 5, 5, 5, 3]
    assert {page["total"] for page in pages} == {23}
    assert pages[0]["previous"] is None


def test_the_way_back_shows_the_same_pages(owner: APIClient) -> None:
    write_lines(12)
    pages = walk(owner, f"{B}?limit=5")
    back = walk(owner, pages[-1]["previous"], "previous")
    assert [ids(page) for page in back] == [ids(page) for page in reversed(pages[:-1])]


def test_pages_hold_still_while_rows_arrive(owner: APIClient) -> None:
    write_lines(10)
    first = owner.get(f"{B}?limit=5").json()
    write_lines(7)
    second = owner.get(first["next"]).json()
    assert (
        ids(first) + ids(second)
        == list(EvidenceEntry.objects.order_by("id").values_list("entry_id", flat=True)[:10])[::-1]
    )
    assert second["total"] == 17


def test_a_page_of_the_exact_length_has_no_next(owner: APIClient) -> None:
    write_lines(5)
    assert owner.get(f"{B}?limit=5").json()["next"] is None


def test_an_offset_skips_rows_and_leads_on_by_cursor(owner: APIClient) -> None:
    write_lines(10)
    page = owner.get(f"{B}?limit=3&offset=4").json()
    assert page["offset"] == 4
    everything = ids(owner.get(B).json())
    assert ids(page) == everything[4:7]
    assert ids(owner.get(page["next"]).json()) == everything[7:10]
    assert ids(owner.get(page["previous"]).json()) == everything[1:4]
    assert "offset" not in page["next"]


def test_an_offset_and_a_cursor_are_refused_together(owner: APIClient) -> None:
    write_lines(3)
    cursor = owner.get(f"{B}?limit=1").json()["next"]
    answer = owner.get(f"{cursor}&offset=1")
    assert list(answer.json()["errors"]) == ["offset"]


def test_a_cursor_is_of_no_use_when_changed_or_on_another_list(owner: APIClient, world: World) -> None:
    path = owner.get(f"{B}?limit=1").json()["next"]
    (cursor,) = parse_qs(urlsplit(path).query)["cursor"]
    for address in (f"{A}/worker-runs?cursor={cursor}", f"{B}?cursor={cursor[:-1]}", f"{B}?cursor=A{cursor}"):
        answer = owner.get(address)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["cursor"])


def test_next_keeps_the_filters(owner: APIClient) -> None:
    write_lines(4, audit_id="gordackaudit-1")
    write_lines(4, audit_id="gordackaudit-2")
    pages = walk(owner, f"{B}?audit_id=gordackaudit-1&limit=3")
    assert [len(page["items"]) for page in pages] == [3, 1]
    assert {page["total"] for page in pages} == {4}


def test_history_shows_the_ledgers_own_lines_only_when_asked_for(owner: APIClient, world: World) -> None:
    shown = {item["metadata_kind"] for item in owner.get(f"{B}?limit=200").json()["items"]}
    assert MetadataKind.ATTEMPT_SENDING not in shown
    assert MetadataKind.CONNECTOR_DELIVERY in shown
    asked = owner.get(f"{B}?metadata_kind={MetadataKind.ATTEMPT_SENDING}").json()
    assert {item["metadata_kind"] for item in asked["items"]} == {MetadataKind.ATTEMPT_SENDING}


@pytest.mark.parametrize(
    ("address", "query", "count"),
    [
        (B, "delivery_success=false", 1),
        (B, "delivery_success=true", 1),
        (B, "connector_delivery_source=go_backend_rollback_drill_acknowledgement_audit&delivery_success=false", 1),
        (B, "schedule_id=payments-rollback", 0),
        (B, "acknowledgement_state=accepted", 1),
        (B, "until=2001-01-01T00:00:00Z", 0),
        (f"{A}/worker-runs", "dry_run=true", 1),
        (f"{A}/worker-runs", "dry_run=false", 0),
        (f"{A}/worker-runs", "state=completed&since=2020-01-01T00:00:00%2B00:00", 1),
        (f"{A}/worker-runs", "generated_by=nobody", 0),
        (f"{A}/deliveries", "state=failed", 1),
        (f"{A}/deliveries", "state=failed&failure_kind=unavailable&provider=webhook", 1),
        (f"{A}/deliveries", "state=delivered&source=go_backend_rollback_drill_notification", 1),
        (f"{A}/connectors", "category=webhook", 1),
        (f"{A}/connectors", "category=siem", 0),
        (f"{B}/routes", "schedule_id=payments-rollback&owner=payments&category=due_soon&action=notify", 1),
        (f"{B}/schedules", "enabled=true&owner=payments", 1),
        (f"{B}/schedules", "enabled=false", 0),
        (f"{A}/retry-plans", "alert_level=critical", 2),
        (f"{A}/connector-recoveries", "state=open&provider=webhook&category=webhook", 1),
        (f"{A}/connector-recoveries", "state=closed", 0),
        (f"{A}/connector-recovery-playbooks", "generated_by=release_manager", 1),
    ],
)  # fmt: skip
def test_filters_narrow_lists(address: str, query: str, count: int, owner: APIClient, world: World) -> None:
    page = owner.get(f"{address}?{query}").json()
    assert len(page["items"]) == page["total"] == count


@pytest.mark.parametrize(
    ("part", "query", "count"),
    [
        ("retry-plans/{retry_plan_id}/decisions", "action=retry&reason_code=due&provider=webhook", 1),
        ("retry-plans/{retry_plan_id}/decisions", "action=wait", 0),
        ("worker-runs/{run_id}/results", "state=skipped&skipped=dry_run", 1),
        ("worker-runs/{run_id}/results", "state=failed", 0),
        ("retry-execution-approval-plans/{approval_plan_id}/entries", "action=request_approval", 1),
        ("retry-execution-approval-plans/{approval_plan_id}/entries", "offset=1", 0),
    ],
)
def test_parts_of_a_record_are_lists_too(part: str, query: str, count: int, owner: APIClient, world: World) -> None:
    address = part.format(
        retry_plan_id=world.retry_plan_id, run_id=world.run_id, approval_plan_id=world.approval_plan_id
    )
    assert len(owner.get(f"{A}/{address}?{query}").json()["items"]) == count


def test_a_total_counts_only_what_came_since_and_stays_true(
    owner: APIClient, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = totals.time.monotonic()
    monkeypatch.setattr(totals.time, "monotonic", lambda: now)
    write_lines(10, age=totals.SETTLED_AFTER + timedelta(seconds=1))
    oldest_unsettled = EvidenceEntry.objects.latest("id").pk + 1
    write_lines(3)
    assert totals.of_ledger(queries.history()) == 13
    (kept,) = totals._kept.values()
    assert (kept.total, kept.settled) == (10, oldest_unsettled - 1)
    write_lines(2)
    # The other asks whether anything was pruned meanwhile.
    with django_assert_num_queries(2) as counted:
        assert totals.of_ledger(queries.history()) == 15
    assert f'"id" > {oldest_unsettled - 1}' in counted[1]["sql"]
    tomorrow = clock.now() + timedelta(days=1)
    monkeypatch.setattr(totals.clock, "now", lambda: tomorrow)
    now += totals.FRESH_SECONDS
    assert totals.of_ledger(queries.history()) == 15
    (kept,) = totals._kept.values()
    assert kept.total == 15


def test_a_total_is_counted_anew_when_a_backup_is_put_back(owner: APIClient) -> None:
    write_lines(10, age=timedelta(hours=1))
    assert totals.of_ledger(queries.history()) == 10
    (name,) = totals._kept
    totals._kept[name] = totals._Kept(settled=10**9, total=10**9, at=-totals.FRESH_SECONDS)
    assert totals.of_ledger(queries.history()) == 10
