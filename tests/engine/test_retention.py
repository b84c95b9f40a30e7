"""Old evidence goes, its hashes stay, and what is held, open or unsigned is not touched."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.sessions.models import Session
from django.db import IntegrityError, connection, transaction

from rollback_audit.engine import (
    checkpoints,
    clock,
    deliveries,
    holds,
    intake,
    integrity,
    ledger,
    proofs,
    pruned,
    retention,
    reviews,
    runs,
    signing_keys,
    tokens,
    tree,
    worker,
)
from rollback_audit.engine.actors import SYSTEM
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.engine.worker import RunRequest
from rollback_audit.errors import InvalidInput, NotAllowed, StateForbids, UnknownRecord
from rollback_audit.models import (
    Delivery,
    EvidenceEntry,
    LedgerLeaf,
    LegalHold,
    PrunedEntry,
    PrunedSpan,
    RetryDecision,
    RetryPlan,
    WorkerResult,
    guards,
)
from rollback_audit.records.retention import PruneRecord
from rollback_audit.states import HoldScope, MetadataKind, Role
from tests import factories
from tests.engine.conftest import People
from tests.engine.loop import AT_ONCE, Loop, key_of
from tests.engine.threads import at_once
from tests.receivers import RecordingReceiver, Reply

Later = Callable[[timedelta], None]
REASON = "The retention of two months is over."


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Path, settings: LazySettings) -> None:
    settings.CAVRA_LEDGER_KEY_FILE = tmp_path / "ledger_key"
    settings.CAVRA_CHECKPOINT_FILE = tmp_path / "checkpoints.txt"
    signing_keys.ensure(settings.CAVRA_LEDGER_KEY_FILE)


@pytest.fixture
def loop(people: People, receiver: RecordingReceiver, configure: Callable[..., None]) -> Loop:
    configure(webhook=receiver.port)
    return Loop(people)


def deliver(loop: Loop) -> str:
    """An audit that arrives at once: its audit id."""
    answer = deliveries.deliver_audit(actor=loop.manager, filters=AuditFilters())
    assert answer.success
    return answer.audit_package.audit_id


def prune(loop: Loop, *, dry_run: bool = False, days: int = 30) -> PruneRecord:
    return retention.prune(actor=loop.owner, older_than_days=days, reason=REASON, dry_run=dry_run)


def left(audit_id: str) -> int:
    lines = EvidenceEntry.objects.exclude(metadata_kind=MetadataKind.LEGAL_HOLD_CHANGED)
    return lines.filter(audit_id=audit_id).count()


def age(later: Later, days: int = 60) -> None:
    checkpoints.sign_everything()
    later(timedelta(days=days))


@pytest.mark.django_db(transaction=True)
def test_what_is_old_and_settled_goes_and_everything_still_proves(
    loop: Loop, receiver: RecordingReceiver, later: Later
) -> None:
    done = deliver(loop)
    loop.fail(receiver)
    (still_open,) = loop.plan().retry_decisions
    age(later)
    recent = deliver(loop)
    size, before = tree.size(), checkpoints.sign_everything()
    roots = [tree.root(n) for n in range(1, size + 1)]

    expected = prune(loop, dry_run=True)
    assert (expected.dry_run, PrunedSpan.objects.exists()) == (True, False)
    found = prune(loop)
    assert found.pruned_count == expected.pruned_count > 0
    assert found.open_count == expected.open_count > 0
    assert found.for_ever_count == 1
    assert found.oldest_at is not None
    assert found.oldest_at <= found.newest_at < found.cutoff

    assert left(done) == 0
    assert left(still_open.audit_id) > 0
    assert left(recent) > 0
    assert [tree.root(n) for n in range(1, size + 1)] == roots
    checkpoints.sign_everything()
    proof = proofs.of_consistency(actor=SYSTEM, old_size=before.tree_size, new_size=tree.size())
    assert proof.old_root
    assert list(integrity.check(actor=loop.owner)) == []
    (line,) = EvidenceEntry.objects.filter(metadata_kind=MetadataKind.LEDGER_PRUNED)
    record = json.loads(line.body)["record"]
    assert record["reason"] == REASON
    assert line.actor == "owner"
    gone = {place for first, end in record["spans"] for place in range(first, end)}
    assert len(gone) == record["pruned_count"] == found.pruned_count == PrunedEntry.objects.count()
    assert gone == set(
        LedgerLeaf.objects.exclude(entry_pk__in=EvidenceEntry.objects.values("pk")).values_list("index", flat=True)
    )
    # Nothing is left to do.
    assert prune(loop).pruned_count == 0


@pytest.mark.django_db
def test_a_pruned_entry_keeps_its_place_and_its_proof(loop: Loop, later: Later) -> None:
    audit_id = deliver(loop)
    age(later)
    known = proofs.of_entry(actor=SYSTEM, session_id=audit_id)
    prune(loop)
    left_of_it = proofs.of_entry(actor=SYSTEM, session_id=audit_id)
    assert left_of_it.pruned_at is not None
    assert (left_of_it.leaf_hash, left_of_it.index) == (known.leaf_hash, known.index)
    assert left_of_it.audit_path == known.audit_path
    assert pruned.find([audit_id, "gordledger-none"]).keys() == {audit_id}
    assert ledger.find([audit_id]) == {}


@pytest.mark.django_db
def test_what_no_checkpoint_covers_stays(loop: Loop, later: Later) -> None:
    audit_id = deliver(loop)
    later(timedelta(days=60))
    unsigned = prune(loop)
    assert (unsigned.pruned_count, unsigned.unsigned_count > 0) == (0, True)
    assert left(audit_id) > 0
    checkpoints.sign_everything()
    assert prune(loop).pruned_count > 0


def ids() -> set[str]:
    return set(EvidenceEntry.objects.values_list("entry_id", flat=True))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("succeeds", [False, True])
def test_what_governed_a_delivery_stays_until_that_is_delivered(
    loop: Loop, receiver: RecordingReceiver, later: Later, succeeds: bool
) -> None:
    loop.fail(receiver)
    idle, plan = loop.plan(), loop.plan()
    approved = loop.approve(plan)
    receiver.reply = Reply(200 if succeeds else 503)
    run_id = loop.drained(loop.start(plan)).run.run_id
    governing = {plan.retry_plan_id, run_id, runs.queued_session_id(run_id)}
    governing |= {item.approval_decision_id for item in approved.decisions}
    age(later)
    prune(loop)
    assert idle.retry_plan_id not in ids()
    assert governing & ids() == (set() if succeeds else governing)
    # Its rows stay either way, and its page is there.
    answer = worker.read_run(actor=loop.owner, run_id=run_id)
    assert (answer.metadata is None) is succeeds
    assert answer.retry_results[0].delivery is not None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scope", HoldScope)
def test_a_hold_keeps_what_it_names_and_whatever_decided_on_it(
    loop: Loop, receiver: RecordingReceiver, later: Later, scope: HoldScope
) -> None:
    of_schedule = factories.schedule(providers=["webhook"])
    intake.deliver_notifications(actor=loop.manager)
    held = deliver(loop)
    other = deliveries.deliver_audit(actor=loop.manager, filters=AuditFilters(owner="nobody")).audit_package.audit_id
    subject = {
        HoldScope.AUDIT: held,
        HoldScope.DELIVERY: Delivery.objects.get(audit_id=held).delivery_id,
        HoldScope.SCHEDULE: of_schedule.schedule_id,
        HoldScope.EVERYTHING: "",
    }[scope]
    before = left(held)
    hold, line = holds.place(actor=loop.owner, scope=scope, subject_id=subject, reason="Case 4711.")
    assert line.record["reason"] == "Case 4711."
    age(later)
    found = prune(loop)
    assert found.held_count >= before
    assert left(held) == before
    assert (left(other) > 0) is (scope is HoldScope.EVERYTHING)
    holds.release(actor=loop.owner, hold_id=hold.hold_id, reason="The case is closed.")
    prune(loop)
    assert left(held) == 0
    assert {hold.hold_id, f"{hold.hold_id}-released"} <= ids()


@pytest.mark.django_db(transaction=True)
def test_a_hold_on_a_retried_audit_keeps_plan_approval_and_run(
    loop: Loop, receiver: RecordingReceiver, later: Later
) -> None:
    loop.fail(receiver)
    plan = loop.plan()
    (decision,) = plan.retry_decisions
    loop.approve(plan)
    run = loop.drained(loop.start(plan)).run
    dry = worker.start_run(actor=loop.manager, request=RunRequest()).run
    holds.place(actor=loop.owner, scope=HoldScope.DELIVERY, subject_id=decision.delivery_id, reason="Case 4711.")
    age(later)
    prune(loop)
    assert {plan.retry_plan_id, run.run_id, runs.queued_session_id(run.run_id)} <= ids()
    assert dry.run_id not in ids()
    assert RetryDecision.objects.filter(plan__retry_plan_id=plan.retry_plan_id).exists()


@pytest.mark.django_db
def test_a_hold_names_what_there_is_and_ends_once(loop: Loop) -> None:
    for scope, subject in [
        (HoldScope.AUDIT, "gordackaudit-0"),
        (HoldScope.DELIVERY, ""),
        (HoldScope.SCHEDULE, "none"),
        (HoldScope.EVERYTHING, "gordackaudit-0"),
    ]:
        with pytest.raises(InvalidInput) as refused:
            holds.place(actor=loop.owner, scope=scope, subject_id=subject, reason=REASON)
        assert list(refused.value.fields) == ["subject_id"]
    with pytest.raises(InvalidInput):
        holds.place(actor=loop.owner, scope=HoldScope.EVERYTHING, reason=" ")
    with pytest.raises(NotAllowed):
        holds.place(actor=loop.manager, scope=HoldScope.EVERYTHING, reason=REASON)
    hold, _ = holds.place(actor=loop.owner, scope=HoldScope.EVERYTHING, reason=REASON)
    with pytest.raises(NotAllowed):
        holds.release(actor=loop.manager, hold_id=hold.hold_id, reason=REASON)
    ended, _ = holds.release(actor=loop.owner, hold_id=hold.hold_id, reason="Done.")
    assert (ended.released_by, ended.release_reason) == ("owner", "Done.")
    with pytest.raises(StateForbids) as again:
        holds.release(actor=loop.owner, hold_id=hold.hold_id, reason="Done.")
    assert again.value.code == "hold_released"
    with pytest.raises(UnknownRecord):
        holds.release(actor=loop.owner, hold_id="gordhold-0", reason="Done.")


@pytest.mark.django_db
def test_only_who_retains_evidence_prunes_and_says_why(loop: Loop) -> None:
    with pytest.raises(NotAllowed):
        retention.prune(actor=loop.manager, older_than_days=30)
    for days in (0, 29, 36_501):
        with pytest.raises(InvalidInput):
            retention.prune(actor=loop.owner, older_than_days=days)
    with pytest.raises(InvalidInput) as refused:
        retention.prune(actor=loop.owner, older_than_days=30, dry_run=False)
    assert list(refused.value.fields) == ["reason"]


@pytest.mark.django_db(transaction=True)
def test_one_that_dies_has_pruned_whole_batches_and_the_next_goes_on(
    loop: Loop, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        deliver(loop)
    age(later)
    expected = prune(loop, dry_run=True).pruned_count
    monkeypatch.setattr(retention, "BATCH", 5)
    ticks = iter(range(3))
    real = retention._batch

    def dies(*args: object, **named: object) -> int | None:
        if next(ticks) == 2:
            raise KeyboardInterrupt
        return real(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(retention, "_batch", dies)
    with pytest.raises(KeyboardInterrupt):
        prune(loop)
    monkeypatch.setattr(retention, "_batch", real)
    done = PrunedEntry.objects.count()
    assert 0 < done < expected
    # Only what nobody asked about before is left.
    assert prune(loop).pruned_count == expected - done
    assert list(integrity.check(actor=loop.owner)) == []


@pytest.mark.django_db(transaction=True)
def test_an_entry_that_is_not_what_was_signed_is_left_as_it_is(loop: Loop, later: Later) -> None:
    audit_id = deliver(loop)
    age(later)
    with connection.schema_editor() as editor:
        guards.remove(editor)
    EvidenceEntry.objects.filter(entry_id=audit_id).update(body="{}")
    with connection.schema_editor() as editor:
        guards.install(editor)
    with pytest.raises(StateForbids) as refused:
        prune(loop)
    assert refused.value.code == "ledger_inconsistent"
    assert left(audit_id) > 0
    assert not PrunedSpan.objects.exists()


@pytest.mark.django_db
def test_the_database_lets_an_entry_go_only_from_a_signed_pruned_place(loop: Loop, later: Later) -> None:
    deliver(loop)
    age(later)
    key = EvidenceEntry.objects.get(metadata_kind=MetadataKind.LEDGER_KEY)
    ordinary = EvidenceEntry.objects.exclude(pk=key.pk).first()
    deliver(loop)
    unsigned = EvidenceEntry.objects.order_by("-pk").first()
    assert not deleted(ordinary)
    PrunedSpan.objects.create(first_index=0, end_index=10_000, pruned_at=clock.now())
    assert not deleted(key)
    assert not deleted(unsigned)
    holds.place(actor=loop.owner, scope=HoldScope.EVERYTHING, reason=REASON)
    assert not deleted(ordinary)
    hold = LegalHold.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        hold.delete()
    holds.release(actor=loop.owner, hold_id=hold.hold_id, reason=REASON)
    assert deleted(ordinary)
    for model in (PrunedSpan, LedgerLeaf):
        with pytest.raises(IntegrityError), transaction.atomic():
            model.objects.all().delete()


def deleted(entry: EvidenceEntry | None) -> bool:
    assert entry is not None
    try:
        with transaction.atomic():
            return bool(EvidenceEntry.objects.filter(pk=entry.pk).delete()[0])
    except IntegrityError:
        return False


@pytest.mark.django_db(transaction=True)
def test_rows_that_nothing_needs_go_with_them(loop: Loop, receiver: RecordingReceiver, later: Later) -> None:
    loop.fail(receiver)
    dry = worker.start_run(actor=loop.manager, request=RunRequest(policy=AT_ONCE)).run
    reviewed, asked = loop.plan(), loop.plan()
    (decision,) = reviewed.retry_decisions
    reviews.acknowledge_retry(actor=loop.manager, retry_plan_id=reviewed.retry_plan_id, key=key_of(decision))
    loop.approve(asked)
    newest = loop.plan()
    tokens.create(username="robot", role=Role.AUDITOR)
    Session.objects.create(session_key="ended", session_data="", expire_date=clock.now())
    age(later, days=150)
    expected = prune(loop, dry_run=True).rows
    found = prune(loop).rows
    assert found == expected
    assert (found.decision_count, found.dry_run_result_count) == (1, 1)
    assert (found.session_count, found.token_count) == (1, 1)
    assert not WorkerResult.objects.exists()
    kept = {plan.retry_plan_id for plan in (reviewed, asked, newest)}
    assert set(RetryDecision.objects.values_list("plan__retry_plan_id", flat=True)) == kept
    # Plans and runs stay, with what they counted.
    assert RetryPlan.objects.count() == 4
    shown = worker.read_run(actor=loop.owner, run_id=dry.run_id)
    assert (shown.run.summary.selected_retry_count, shown.retry_results) == (1, [])


@pytest.mark.django_db(transaction=True)
def test_two_that_prune_at_once_take_each_entry_once(loop: Loop, later: Later) -> None:
    for _ in range(3):
        deliver(loop)
    age(later)
    expected = prune(loop, dry_run=True).pruned_count
    found = at_once(lambda: prune(loop).pruned_count, times=2)
    assert sum(found) == PrunedEntry.objects.count() == expected
