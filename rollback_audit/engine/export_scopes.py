"""What an evidence bundle is about: from an id or a moment to the places of all the lines that belong to it."""

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from django.db import connection

from rollback_audit.engine import bulk, pruned, runs
from rollback_audit.engine.lines import execution_id
from rollback_audit.errors import InvalidInput, UnknownRecord
from rollback_audit.models import EvidenceEntry, LedgerLeaf
from rollback_audit.states import MetadataKind

_AT_ONCE = 1000
# What these lines say names other lines: plans, runs and packages.
_REFERRING = (MetadataKind.ATTEMPT_SENDING, MetadataKind.APPROVAL_DECISION, MetadataKind.EXECUTION_RECORD)
_REFERENCES = ("retry_plan_id", "approval_plan_id", "run_id", "audit_id")
# Without these a bundle cannot be judged, whatever it is about.
_ALWAYS = (MetadataKind.LEDGER_KEY, MetadataKind.LEDGER_PRUNED)
_ENTRY = EvidenceEntry._meta.db_table
_LEAF = LedgerLeaf._meta.db_table

Condition = tuple[str, list[Any]]
T = TypeVar("T")


class Scope(NamedTuple):
    """What is asked for: one of these, or nothing for the whole ledger.

    A delivery comes with its whole history and what it refers to; so do those of an audit, of a run, and those that
    anything has happened to `since` a moment. `session_id` names a single line, and comes alone.
    """

    since: datetime | None = None
    audit_id: str = ""
    run_id: str = ""
    delivery_id: str = ""
    session_id: str = ""


class Placed(NamedTuple):
    """A leaf, and its entry's exact bytes: None once it is pruned."""

    place: int
    leaf_hash: bytes
    body: bytes | None


def check(scope: Scope) -> None:
    """Raise InvalidInput where more than one thing is asked for."""
    named = [name for name, value in scope._asdict().items() if value]
    if len(named) > 1:
        raise InvalidInput({name: ["Ask for one thing at a time."] for name in named[1:]})


def shown(scope: Scope, size: int) -> Sequence[int]:
    """The places of the entries that the bundle shows, rising; a range where it shows them all."""
    if not any(scope):
        return range(size)
    if scope.session_id:
        return _one(scope.session_id, size)
    places = set(_places(_seeds(scope), size))
    if not places and not scope.since:
        raise UnknownRecord("The signed part of the ledger says nothing of this id.")
    refs = _references(places)
    refs |= _of_run(scope.run_id) if scope.run_id else set()
    places.update(_places(_by_ids(sorted(refs)), size))
    places.update(_places(_kinds(refs), size))
    return array("q", sorted(places))


def _one(session_id: str, size: int) -> Sequence[int]:
    found = list(_places([("e.entry_id = %s", [session_id])], size))
    found += [gone.place for gone in pruned.find([session_id]).values()]
    if not found:
        raise UnknownRecord("The signed part of the ledger has no line with this id.")
    return array("q", sorted({*found, *_places(_kinds(set()), size)}))


def _seeds(scope: Scope) -> Iterator[Condition]:
    """What finds the lines that the scope is about."""
    if scope.audit_id:
        yield "e.audit_id = %s", [scope.audit_id]
    if scope.delivery_id:
        yield "e.delivery_id = %s", [scope.delivery_id]
    if scope.since:
        since = bulk.moment(scope.since)
        yield "e.created_at >= %s", [since]
        yield (
            f'e.delivery_id IN (SELECT delivery_id FROM "{_ENTRY}" WHERE created_at >= %s AND delivery_id <> %s)',  # noqa: S608
            [since, ""],
        )
    if scope.run_id:
        yield "e.entry_id = %s", [scope.run_id]
        for delivery_ids in _split(_deliveries_of(scope.run_id), _AT_ONCE):
            found, parameters = bulk.any_of(delivery_ids)
            yield f"e.delivery_id {found}", parameters


def _deliveries_of(run_id: str) -> list[str]:
    """The deliveries that a run's execution records name. Raises UnknownRecord for a run that does not exist."""
    run = runs.find(run_id)
    records = [execution_id(run_id, ordinal) for ordinal in range(1, run.selected_retry_count + 1)]
    found: set[str] = set()
    for entry_ids in _split(records, _AT_ONCE):
        rows = EvidenceEntry.objects.filter(entry_id__in=entry_ids).order_by().values_list("delivery_id", flat=True)
        found.update(rows)
    return sorted(found)


def _of_run(run_id: str) -> set[str]:
    return {runs.queued_session_id(run_id), runs.find(run_id).retry_plan.retry_plan_id}


def _references(places: Iterable[int]) -> set[str]:
    """The session ids that the lines at these places refer to."""
    found: set[str] = set()
    for row in rows(sorted(places), only=_REFERRING):
        record = json.loads(row.body or b"{}").get("record", {})
        found.update(record[name] for name in _REFERENCES if record.get(name))
        if record.get("run_id"):
            found.add(runs.queued_session_id(record["run_id"]))
    return found


def _by_ids(session_ids: Sequence[str]) -> Iterator[Condition]:
    for some in _split(session_ids, _AT_ONCE):
        found, parameters = bulk.any_of(some)
        yield f"e.entry_id {found}", parameters


def _kinds(refs: set[str]) -> Iterator[Condition]:
    """What belongs into every bundle, and what became of the runs that are referred to."""
    found, parameters = bulk.any_of([kind.value for kind in _ALWAYS])
    yield f"e.metadata_kind {found}", parameters
    changes = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.RUN_CHANGED).order_by()
    bodies = changes.values_list("entry_id", "body") if refs else []
    yield from _by_ids([entry_id for entry_id, body in bodies if json.loads(body)["record"]["run_id"] in refs])


def _places(conditions: Iterable[Condition], size: int) -> Iterator[int]:
    """The places, below `size`, of the entries that fulfil any of the conditions."""
    for condition, parameters in conditions:
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT l."index" FROM "{_ENTRY}" e JOIN "{_LEAF}" l ON l.entry_pk = e.id '  # noqa: S608
                f'WHERE {condition} AND l."index" < %s',
                [*parameters, size],
            )
            yield from (place for (place,) in cursor.fetchall())


def rows(places: Sequence[int], *, only: Sequence[MetadataKind] = ()) -> Iterator[Placed]:
    """The leaves at these places in their order, with their entries' bytes: None for those that are pruned."""
    kinds, of_kinds = bulk.any_of([kind.value for kind in only]) if only else ("", [])
    for some in _split(places, _AT_ONCE):
        found, parameters = ("BETWEEN %s AND %s", [some[0], some[-1]])
        if some[-1] - some[0] >= len(some):
            found, parameters = bulk.any_of(list(some))
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT l."index", l.leaf_hash, e.body FROM "{_LEAF}" l LEFT JOIN "{_ENTRY}" e ON e.id = l.entry_pk '  # noqa: S608
                f'WHERE l."index" {found} {f"AND e.metadata_kind {kinds}" if only else ""} ORDER BY l."index"',
                [*parameters, *of_kinds],
            )
            for place, leaf_hash, body in cursor.fetchall():
                yield Placed(place, bytes(leaf_hash), None if body is None else body.encode())


def _split(items: Iterable[T], at_once: int) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, at_once)):
        yield some
