"""What entries say is held against the rules: a clean story has no finding, each violation exactly one.

Every bundle here is properly hashed and signed. Only what it says is wrong, as if whoever holds the key had lied.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rollback_audit.evidence.verify_evidence import Report
from rollback_audit.states import MetadataKind, Outcome, ResultState
from tests.evidence.agreement import verify
from tests.evidence.bundles import KEY, build, canonical
from tests.evidence.stories import (
    APPROVAL,
    LIVE,
    RUN,
    approval,
    attempt,
    execution,
    loop,
    many,
    queued,
    receipt,
    retry_plan,
    row,
    sending,
    settled,
)

Story = dict[str, bytes]


def checked(story: Story, path: Path, *, hidden: tuple[str, ...] = (), **scope: str) -> Report:
    shown = [index for index, name in enumerate(story) if name not in hidden]
    parts = build(list(story.values()), sizes=[3], shown=shown, **scope)
    return verify(parts.pack(path / "bundle.zip"), keys=[KEY.vkey])


def without(*names: str) -> Story:
    return {name: entry for name, entry in loop().items() if name not in names}


def instead(**changes: bytes) -> Story:
    return loop() | {name.replace("_", " "): entry for name, entry in changes.items()}


def after(place: str, **added: bytes) -> Story:
    """The story with entries put in after one of it."""
    story: Story = {}
    for name, entry in loop().items():
        story[name] = entry
        if name == place:
            story |= added
    return story


def changed(entry: bytes, **fields: Any) -> bytes:
    body = json.loads(entry)
    body["record"] |= fields
    return canonical(body)


def outer(entry: bytes, **fields: Any) -> bytes:
    return canonical(json.loads(entry) | fields)


def swapped(one: str, other: str) -> Story:
    names = list(loop())
    at, to = names.index(one), names.index(other)
    names[at], names[to] = names[to], names[at]
    return {name: loop()[name] for name in names}


def with_another(*, first: Outcome = Outcome.REFUSED, number: int = 2) -> Story:
    """The story with another delivery, which failed once and is retried by the same run. Nobody counts its results."""
    again: dict[str, Any] = LIVE | {"delivery": 5, "number": number, "approval": APPROVAL.format(5)}
    story = after(
        "queued",
        given=approval(delivery=5, name=APPROVAL.format(5)),
        one=sending(delivery=5),
        two=settled(first, delivery=5),
        live=sending(**again),
        end=settled(**again),
    )
    return story | {"receipt": receipt(state="abandoned")}


RECEIPT = json.loads(receipt())["record"]
SECOND = {"signer": "billie", "second": True, "approvals_needed": 2}

# The rule, the story, the name of the entry that is found.
VIOLATIONS: dict[str, tuple[Callable[[], Story], str, str]] = {
    "form: keys out of order": (
        lambda: instead(plan=json.dumps(json.loads(retry_plan())).encode()),
        "plan",
        "canonical",
    ),
    "form: another schema": (lambda: instead(plan=outer(retry_plan(), schema_version="v2")), "plan", "canonical"),
    "form: a session_id twice": (lambda: after("plan", again=retry_plan()), "again", "session_id"),
    "form: a field is missing": (
        lambda: after("plan", odd=row(MetadataKind.RUN_QUEUED, "odd", {"run_id": RUN})),
        "odd",
        "what the format says",
    ),
    "1: sent and never settled": (
        lambda: after("receipt", lost=sending(delivery=2)),
        "lost",
        "never settled",
    ),
    "1: settled in the next attempt's time": (lambda: without("first settled"), "sending", "not settled"),
    "1: settled, never sent": (lambda: without("first sending"), "first settled", "sending is not there"),
    "1: settled twice": (
        lambda: after("first settled", twice=outer(settled(Outcome.CONFIRMED), session_id="x")),
        "twice",
        "settled before",
    ),
    "1: settled under another fence": (
        lambda: instead(first_settled=settled(Outcome.UNKNOWN, fence=7)),
        "first settled",
        "another fence",
    ),
    "1: late, never sent": (
        lambda: after("receipt", late=attempt(MetadataKind.LATE_RESULT, delivery=9, outcome=Outcome.CONFIRMED)),
        "late",
        "sending is not there",
    ),
    "1: late, but nobody had settled": (
        lambda: after("first sending", late=attempt(MetadataKind.LATE_RESULT, outcome=Outcome.CONFIRMED)),
        "late",
        "late before anybody",
    ),
    "2: a number is left out": (
        lambda: with_another(number=3),
        "live",
        "attempt before it",
    ),
    "2: a number comes back": (
        lambda: after(
            "receipt",
            a=sending(delivery=3),
            b=settled(delivery=3),
            c=outer(sending(delivery=3, fence=2), session_id="c"),
            d=outer(settled(delivery=3, fence=2), session_id="d"),
        ),
        "c",
        "number or fence",
    ),
    "2: fences do not rise": (
        lambda: instead(
            sending=sending(**LIVE, fence=1),
            settled=settled(Outcome.CONFIRMED, **LIVE, fence=1),
        ),
        "sending",
        "number or fence",
    ),
    "3: nobody announced the possible duplicate": (lambda: without("notice"), "sending", "possible-duplicate"),
    "3: it was announced too late": (lambda: swapped("notice", "sending"), "sending", "possible-duplicate"),
    "4: a retry without a run": (
        lambda: after(
            "receipt",
            a=sending(delivery=4),
            b=settled(delivery=4),
            c=sending(delivery=4, number=2),
            d=settled(delivery=4, number=2),
        ),
        "c",
        "no run",
    ),
    "4: no approval": (lambda: without("approval", "second"), "sending", "approval is not there"),
    "4: approved after it was sent": (
        lambda: {**without("approval", "second"), "approval": approval()},
        "sending",
        "approval is not there",
    ),
    "4: names no approval": (
        lambda: instead(sending=changed(sending(**LIVE), approval_decision_id=None)),
        "sending",
        "used up",
    ),
    "4: denied": (
        lambda: instead(approval=approval(approvals_needed=2, approval_state="denied")),
        "sending",
        "another word",
    ),
    "4: approved for another delivery": (
        lambda: instead(approval=approval(approvals_needed=2, delivery=2)),
        "sending",
        "something else",
    ),
    "4: approved for another connector": (
        lambda: instead(approval=approval(approvals_needed=2, provider="jira")),
        "sending",
        "something else",
    ),
    "4: another request than was approved": (
        lambda: instead(sending=sending(**LIVE, digest="c" * 64)),
        "sending",
        "something else",
    ),
    "4: expired": (
        lambda: instead(second=approval(**SECOND, expires_at="2026-11-23T10:11:00+00:00")),
        "sending",
        "expired",
    ),
    "4: the second approval is missing": (lambda: without("second"), "sending", "second approval"),
    "4: one person gave both": (
        lambda: instead(second=approval(**SECOND | {"signer": "alex"})),
        "sending",
        "one person",
    ),
    "4: taken back": (
        lambda: after("second", denied=approval(name=APPROVAL.format(2), approval_state="denied")),
        "sending",
        "took its approval back",
    ),
    "4: the plan's maker approved": (lambda: instead(plan=retry_plan(signer="alex")), "sending", "maker"),
    "4: the plan's line is missing": (lambda: without("plan"), "sending", "line of its plan"),
    "5: the run was never queued": (lambda: without("queued"), "sending", "never queued"),
    "5: the run is dry": (lambda: instead(queued=queued(dry_run=True)), "sending", "dry"),
    "5: the receipt says that it was dry": (lambda: instead(receipt=receipt(dry_run=True)), "receipt", "dry"),
    "6: the summary does not add up": (
        lambda: instead(receipt=changed(receipt(), summary=RECEIPT["summary"] | {"selected_retry_count": 2})),
        "receipt",
        "add up",
    ),
    "6: a part does not add up": (
        lambda: instead(receipt=changed(receipt(), receipt=[RECEIPT["receipt"][0] | {"selected_count": 2}])),
        "receipt",
        "add up",
    ),
    "6: a part is left out": (lambda: instead(receipt=changed(receipt(), receipt=[])), "receipt", "add up"),
    "6: an execution record is left out": (lambda: without("execution"), "receipt", "does not count"),
    "6: the receipt claims more than was recorded": (
        lambda: instead(receipt=receipt(delivered=2)),
        "receipt",
        "does not count",
    ),
    "7: the execution record's hash": (
        lambda: instead(execution=changed(execution(), executed_by="nobody")),
        "execution",
        "execution_hash",
    ),
    "7: another end than the settlement": (
        lambda: instead(
            execution=execution(status=ResultState.FAILED),
            receipt=receipt(failed=1),
        ),
        "execution",
        "settlement says",
    ),
    "7: the settlement is left out": (lambda: without("settled"), "execution", "settlement that it names"),
}
# Their cause may be outside of a part of the ledger.
ABSENCES = {
    "1: sent and never settled",
    "1: settled in the next attempt's time",
    "1: settled, never sent",
    "1: late, never sent",
    "1: late, but nobody had settled",
    "2: a number is left out",
    "3: nobody announced the possible duplicate",
    "3: it was announced too late",
    "4: no approval",
    "4: approved after it was sent",
    "4: the second approval is missing",
    "4: the plan's line is missing",
    "5: the run was never queued",
    "6: an execution record is left out",
    "6: the receipt claims more than was recorded",
    "7: the settlement is left out",
}


def test_a_clean_story_has_no_finding(tmp_path: Path) -> None:
    report = checked(loop(), tmp_path)
    assert (report.exit_code, report.findings) == (0, [])


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_a_violation_gives_one_finding_that_names_the_entry(tmp_path: Path, violation: str) -> None:
    make, place, words = VIOLATIONS[violation]
    story = make()
    report = checked(story, tmp_path)
    assert len(report.findings) == 1, report.findings
    assert report.findings[0].startswith(f"tampered: index {list(story).index(place)}: ")
    assert words in report.findings[0]
    assert report.exit_code == 1


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_what_a_part_does_not_show_is_incomplete_and_what_contradicts_is_tampered(
    tmp_path: Path, violation: str
) -> None:
    story = VIOLATIONS[violation][0]() | {"hidden": row(MetadataKind.CONNECTOR_CHANGED, "hidden", {})}
    report = checked(story, tmp_path, hidden=("hidden",), run_id=RUN)
    assert len(report.findings) == 1, report.findings
    assert report.findings[0].startswith("incomplete: " if violation in ABSENCES else "tampered: ")
    assert report.exit_code == (2 if violation in ABSENCES else 1)


def test_a_receipt_is_counted_only_where_the_part_was_asked_for_by_its_run(tmp_path: Path) -> None:
    assert checked(loop(), tmp_path, hidden=("execution",), run_id=RUN).exit_code == 2
    assert checked(loop(), tmp_path, hidden=("execution",), audit_id="gordackaudit-1").exit_code == 0


def test_a_single_record_is_not_asked_for_what_it_refers_to_but_may_not_contradict_itself(tmp_path: Path) -> None:
    others = tuple(name for name in loop() if name not in {"key", "execution"})
    report = checked(loop(), tmp_path, hidden=others, session_id="some")
    assert (report.exit_code, report.findings) == (0, [])
    assert any("single record" in line for line in report.remarks)
    forged = instead(execution=changed(execution(), executed_by="nobody"))
    assert checked(forged, tmp_path, hidden=others, session_id="some").exit_code == 1


def test_what_was_sent_a_moment_ago_is_only_mentioned(tmp_path: Path) -> None:
    report = checked(after("receipt", fresh=sending(delivery=2, at=70)), tmp_path)
    assert (report.exit_code, report.findings) == (0, [])
    assert "1 attempts were on the wire at the end." in report.remarks


def test_a_late_result_after_the_reclaim_is_fine_and_changes_nothing(tmp_path: Path) -> None:
    late = attempt(MetadataKind.LATE_RESULT, outcome=Outcome.CONFIRMED)
    assert checked(after("first settled", late=late), tmp_path).exit_code == 0
    report = checked({**without("notice"), "late": late}, tmp_path)
    assert len(report.findings) == 1


def test_a_confirmed_attempt_ends_the_doubt(tmp_path: Path) -> None:
    assert checked(with_another(first=Outcome.CONFIRMED), tmp_path).findings == []
    assert len(checked(with_another(first=Outcome.UNKNOWN), tmp_path).findings) == 1


def test_an_approval_is_good_for_one_attempt(tmp_path: Path) -> None:
    again = LIVE | {"number": 3}
    story = {**without("receipt"), "again": sending(**again), "again settled": settled(Outcome.REFUSED, **again)}
    report = checked(story, tmp_path)
    assert (len(report.findings), report.exit_code) == (1, 1)
    assert "used up" in report.findings[0]


def test_said_anew_an_approval_counts_by_its_latest_line(tmp_path: Path) -> None:
    newer = LIVE | {"approval": APPROVAL.format(2)}
    story = after("second", anew=approval(name=APPROVAL.format(2)))
    story |= {"sending": sending(**newer), "settled": settled(Outcome.CONFIRMED, **newer)}
    assert checked(story, tmp_path).findings == []


def test_where_four_eyes_are_off_the_makers_own_approval_is_only_mentioned(tmp_path: Path) -> None:
    own = approval(approvals_needed=1, signer="robin", four_eyes="off")
    report = checked(without("second") | {"approval": own}, tmp_path)
    assert (report.exit_code, report.findings) == (0, [])
    assert any("four eyes off" in line for line in report.remarks)


def test_pruned_entries_are_said_to_be_pruned(tmp_path: Path) -> None:
    entries = [*many(9), row(MetadataKind.LEDGER_PRUNED, "gordprune-1", {"spans": [[1, 3]]})]
    # A pruned entry is a node line of its own.
    parts = build(entries, shown=[0, *range(3, 10)], cuts=[2, 3])
    report = verify(parts.pack(tmp_path / "bundle.zip"), keys=[KEY.vkey])
    assert (report.exit_code, report.findings) == (0, [])
    assert any(line.startswith("2 entries were pruned") for line in report.remarks)
