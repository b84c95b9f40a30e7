"""What is approved is what is sent: whatever moves is found, shown, and makes another digest."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollback_audit.planning.approval import ApprovalFacts, why_not
from rollback_audit.planning.digest import policy_digest
from rollback_audit.planning.drift import Difference, differences, digest_of
from rollback_audit.planning.facts import DEFAULT_POLICY, SendFacts
from rollback_audit.states import DeliveryState, DriftField, RunMode, SkipReason

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)
EVENT, REVISION, POLICY = "e" * 64, "c" * 32, policy_digest(DEFAULT_POLICY)
APPROVED = SendFacts(
    event_digest=EVENT,
    connector="webhook",
    connector_revision=REVISION,
    attempt_number=2,
    policy_digest=POLICY,
    mode=RunMode.LIVE,
    delivery_state=DeliveryState.FAILED,
)


def policy(**changes: Any) -> dict[str, str]:
    return {"policy_digest": policy_digest(DEFAULT_POLICY._replace(**changes))}


# One change each, and the word it is found by.
MOVED: list[tuple[dict[str, Any], DriftField]] = [
    ({"event_digest": "f" * 64}, DriftField.EVENT),
    ({"event_digest": "f" + EVENT[1:]}, DriftField.EVENT),
    ({"event_digest": EVENT[:-1] + "f"}, DriftField.EVENT),
    ({"event_digest": EVENT[:8] + "0" * 56}, DriftField.EVENT),
    ({"event_digest": EVENT.upper()}, DriftField.EVENT),
    ({"event_digest": EVENT[:-1]}, DriftField.EVENT),
    ({"event_digest": ""}, DriftField.EVENT),
    ({"connector": "splunk"}, DriftField.CONNECTOR),
    ({"connector": "webhook-2"}, DriftField.CONNECTOR),
    ({"connector": "webhook_"}, DriftField.CONNECTOR),
    ({"connector": "web"}, DriftField.CONNECTOR),
    ({"connector": ""}, DriftField.CONNECTOR),
    ({"connector_revision": "d" * 32}, DriftField.CONNECTOR_REVISION),
    ({"connector_revision": "d" + REVISION[1:]}, DriftField.CONNECTOR_REVISION),
    ({"connector_revision": REVISION[:-1] + "d"}, DriftField.CONNECTOR_REVISION),
    ({"connector_revision": REVISION[:8] + "0" * 24}, DriftField.CONNECTOR_REVISION),
    ({"connector_revision": REVISION[:-1]}, DriftField.CONNECTOR_REVISION),
    ({"connector_revision": ""}, DriftField.CONNECTOR_REVISION),
    ({"attempt_number": 1}, DriftField.ATTEMPT_NUMBER),
    ({"attempt_number": 3}, DriftField.ATTEMPT_NUMBER),
    ({"attempt_number": 12}, DriftField.ATTEMPT_NUMBER),
    ({"attempt_number": 20}, DriftField.ATTEMPT_NUMBER),
    ({"attempt_number": 50}, DriftField.ATTEMPT_NUMBER),
    ({"attempt_number": -2}, DriftField.ATTEMPT_NUMBER),
    (policy(max_retry_attempts=2), DriftField.POLICY),
    (policy(max_retry_attempts=4), DriftField.POLICY),
    (policy(max_retry_attempts=50), DriftField.POLICY),
    (policy(retry_delay_minutes=0, allow_immediate_retry=True), DriftField.POLICY),
    (policy(retry_delay_minutes=14), DriftField.POLICY),
    (policy(retry_delay_minutes=16), DriftField.POLICY),
    (policy(backoff_multiplier=1.0), DriftField.POLICY),
    (policy(backoff_multiplier=2.5), DriftField.POLICY),
    (policy(max_delay_minutes=15), DriftField.POLICY),
    (policy(max_delay_minutes=43_200), DriftField.POLICY),
    (policy(jitter_ratio=0.1), DriftField.POLICY),
    (policy(jitter_ratio=1.0), DriftField.POLICY),
    (policy(allow_immediate_retry=True), DriftField.POLICY),
    (policy(retry_unknown_outcome=True), DriftField.POLICY),
    ({"mode": RunMode.DRY_RUN}, DriftField.MODE),
    ({"delivery_state": DeliveryState.SENDING}, DriftField.DELIVERY_STATE),
    ({"delivery_state": DeliveryState.DELIVERED}, DriftField.DELIVERY_STATE),
    ({"delivery_state": DeliveryState.CLOSED}, DriftField.DELIVERY_STATE),
]


@pytest.mark.parametrize(("changes", "field"), MOVED)
def test_whatever_moves_is_found_and_named(changes: dict[str, Any], field: DriftField) -> None:
    now = APPROVED._replace(**changes)
    (found,) = differences(APPROVED, now)
    assert found.field is field
    (back,) = differences(now, APPROVED)
    assert (back.approved, back.now) == (found.now, found.approved)


@pytest.mark.parametrize(("changes", "field"), MOVED)
def test_whatever_moves_makes_another_digest_and_no_approval_fits(changes: dict[str, Any], field: DriftField) -> None:
    now = APPROVED._replace(**changes)
    if field is DriftField.DELIVERY_STATE:
        # The state is judged beside the digest: the same approval must still fit once a sender has come back.
        assert digest_of(now) == digest_of(APPROVED)
        return
    assert digest_of(now) != digest_of(APPROVED)
    approval = ApprovalFacts("d" * 64, digest_of(APPROVED), NOW + timedelta(hours=1), None, None, True, True)
    reason = why_not(approval, decision_digest="d" * 64, request_digest_now=digest_of(now), now=NOW)
    assert reason is SkipReason.DRIFTED


def test_the_table_has_a_case_for_every_field_and_forty_in_all() -> None:
    assert {field for _, field in MOVED} == set(DriftField)
    assert len({APPROVED._replace(**changes) for changes, _ in MOVED}) == len(MOVED) >= 40


def test_what_has_not_moved_has_no_differences() -> None:
    assert differences(APPROVED, APPROVED._replace()) == ()


def test_digests_are_shown_by_their_beginning_and_everything_else_whole() -> None:
    now = SendFacts("f" * 64, "splunk", "d" * 32, 3, "0" * 64, RunMode.DRY_RUN, DeliveryState.SENDING)
    assert differences(APPROVED, now) == (
        Difference(DriftField.EVENT, "eeeeeeee", "ffffffff"),
        Difference(DriftField.CONNECTOR, "webhook", "splunk"),
        Difference(DriftField.CONNECTOR_REVISION, "cccccccc", "dddddddd"),
        Difference(DriftField.ATTEMPT_NUMBER, "2", "3"),
        Difference(DriftField.POLICY, POLICY[:8], "00000000"),
        Difference(DriftField.MODE, "live", "dry_run"),
        Difference(DriftField.DELIVERY_STATE, "failed", "sending"),
    )


def test_the_facts_and_their_words_stand_in_the_same_order() -> None:
    assert [name.removesuffix("_digest") for name in SendFacts._fields] == [field.value for field in DriftField]
