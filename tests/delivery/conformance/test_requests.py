"""What is sent: byte for byte, with the same key on every try, and never more than the vendor takes."""

import pytest

from rollback_audit.delivery import registry
from rollback_audit.delivery.contract import PayloadTooLarge
from rollback_audit.states import Outcome
from tests.delivery.conformance.case import ENVELOPE, KEY, NOW, RECEIVER, Case, Golden
from tests.delivery.conformance.cases import CASES
from tests.delivery.conformance.conftest import (
    Connect,
    Exchange,
    answering,
    built,
    enlarged,
    events_of,
    every_case,
    every_http_case,
)
from tests.receivers import RecordingReceiver, Reply

GOLDENS = [(case, golden) for case in CASES for golden in case.goldens]
ASKING = [case for case in CASES if case.asked]
SIGNING_IN = [case for case in CASES if case.sign_in]


def test_every_connector_has_a_case_file() -> None:
    assert set(registry.CONNECTORS) == {case.provider for case in CASES}
    assert {case.provider for case in CASES if case.asked} == set(registry.ASKING)
    assert {case.provider for case in CASES if case.sign_in} == set(registry.SIGNING_IN)
    assert {case.provider for case in CASES if case.confirmed} == set(registry.CONFIRMING)


@every_case
def test_a_connector_says_what_it_is_and_whether_repeats_are_dropped(case: Case) -> None:
    connector = registry.CONNECTORS[case.provider]
    assert case.provider == connector.PROVIDER
    assert (registry.category(case.provider), connector.DROPS_REPEATS) == (case.category, case.drops_repeats)
    assert "Source:" in str(connector.__doc__)


@pytest.mark.parametrize(("case", "golden"), GOLDENS, ids=[f"{case}-{golden.name}" for case, golden in GOLDENS])
def test_the_request_is_the_one_of_the_vendors_reference(case: Case, golden: Golden, connect: Connect) -> None:
    request = built(connect(case, **golden.changes))
    assert (request.method, request.url) == (golden.method, golden.url)
    assert request.headers == golden.headers
    assert golden.body is None or request.body == golden.body


@pytest.mark.parametrize("case", SIGNING_IN, ids=str)
def test_the_sign_in_is_the_one_of_the_vendors_reference(case: Case, connect: Connect) -> None:
    assert case.sign_in is not None
    request = registry.SIGNING_IN[case.provider].sign_in(connect(case))
    assert (request.method, request.url) == (case.sign_in.method, case.sign_in.url)
    assert (request.headers, request.body) == (case.sign_in.headers, case.sign_in.body)


@pytest.mark.parametrize("case", ASKING, ids=str)
def test_the_question_is_the_one_of_the_vendors_reference(case: Case, connect: Connect) -> None:
    assert case.asked is not None
    golden = case.asked.request
    settings = connect(case, **golden.changes)
    request = registry.ASKING[case.provider].question(settings, ENVELOPE, receipt=case.asked.receipt)
    assert request is not None
    assert (request.method, request.url) == (golden.method, golden.url)
    assert request.headers == golden.headers
    assert golden.body is None or request.body == golden.body


@every_http_case
def test_every_try_carries_the_same_idempotency_key(
    case: Case, exchange: Exchange, receiver: RecordingReceiver
) -> None:
    receiver.reply = answering(case, Reply(status=503))
    for _ in range(3):
        assert exchange(case, receiver.port).outcome is Outcome.ANSWERED_5XX
    assert [case.key_of(arrival) for arrival in events_of(case, receiver)] == [KEY] * 3


@every_http_case
def test_a_built_request_arrives_as_it_was_built(case: Case, exchange: Exchange, receiver: RecordingReceiver) -> None:
    (confirming, *_) = [answer for answer in case.answers if answer.kind is None]
    receiver.reply = answering(case, confirming.reply)
    assert exchange(case, receiver.port).outcome is Outcome.CONFIRMED
    (arrival,) = events_of(case, receiver)
    golden = case.goldens[0]
    assert arrival.method == golden.method
    assert golden.body is None or arrival.body == golden.body.replace(
        RECEIVER.encode(), f"http://127.0.0.1:{receiver.port}".encode()
    )
    fixed = {name.lower() for name, _ in golden.headers}
    assert fixed <= set(arrival.headers)


@every_case
def test_an_event_over_the_vendors_limit_is_refused_before_it_is_sent(case: Case, connect: Connect) -> None:
    settings, limit = connect(case), registry.CONNECTORS[case.provider].MAX_BODY_BYTES
    if case.bounded:
        assert len(registry.build(settings, enlarged(limit), now=NOW).body) <= limit
        return
    with pytest.raises(PayloadTooLarge):
        registry.opening(settings, enlarged(limit), now=NOW, in_doubt=False)
