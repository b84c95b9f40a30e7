"""How every answer ends, through the real client and against a real server."""

import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_audit.delivery import registry
from rollback_audit.delivery.contract import Settlement, Verdict
from rollback_audit.states import FAILURE_CLASS, FailureClass, FailureKind, Outcome
from tests.delivery.conformance.case import ENVELOPE, Answer, Case
from tests.delivery.conformance.conftest import (
    HTTP_CASES,
    Exchange,
    answering,
    events_of,
    every_http_case,
    outcome_for,
)
from tests.receivers import Arrival, RecordingReceiver, Reply

ANSWERS = [(case, answer) for case in HTTP_CASES for answer in case.answers]
ASKING = [case for case in HTTP_CASES if case.asked]
CONFIRMING = [case for case in HTTP_CASES if case.confirmed]
SIGNING_IN = [case for case in HTTP_CASES if case.provider in registry.SIGNING_IN]


@pytest.mark.parametrize(("case", "answer"), ANSWERS, ids=[f"{case}-{answer.name}" for case, answer in ANSWERS])
def test_each_answer_is_told_apart(case: Case, answer: Answer, exchange: Exchange, receiver: RecordingReceiver) -> None:
    receiver.reply = answering(case, answer.reply)
    settlement = exchange(case, receiver.port)
    assert settlement.failure_kind == answer.kind
    assert settlement.outcome is outcome_for(answer.reply.status, answer.kind)
    assert settlement.status_code == answer.reply.status
    assert settlement.retry_after_seconds == answer.retry_after_seconds
    assert settlement.already_held == answer.already_held
    assert len(events_of(case, receiver)) == 1


@every_http_case
def test_the_answers_of_a_case_cover_every_class(case: Case) -> None:
    kinds = {answer.kind for answer in case.answers}
    assert None in kinds, "an answer that confirms"
    classes = {FAILURE_CLASS[kind] for kind in kinds if kind is not None}
    missing = {FailureClass.RETRYABLE, FailureClass.OVERLOAD, FailureClass.HOLD, FailureClass.FINAL} - classes
    assert missing == set()
    assert any(answer.retry_after_seconds for answer in case.answers), "an answer with Retry-After"


@every_http_case
@pytest.mark.parametrize("reply", [Reply(status=429, headers=(("Retry-After", "7"),)), Reply(status=302)], ids=str)
def test_an_answer_without_a_word_is_read_by_its_status(
    case: Case, reply: Reply, exchange: Exchange, receiver: RecordingReceiver
) -> None:
    receiver.reply = answering(case, reply)
    settlement = exchange(case, receiver.port)
    kind, seconds = {429: (FailureKind.RATE_LIMITED, 7), 302: (FailureKind.REDIRECT_REFUSED, None)}[reply.status]
    assert (settlement.failure_kind, settlement.retry_after_seconds) == (kind, seconds)


@every_http_case
@pytest.mark.parametrize("status", [200, 400, 503])
@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"[" * 4096, b"null", b"[]", b'{"code":"0"}', b"<html>sign in</html>"], ids=repr
)
def test_an_odd_answer_never_trips_a_judge(case: Case, status: int, body: bytes) -> None:
    registry.CONNECTORS[case.provider].judge(status, body)
    if case.provider in registry.SIGNING_IN:
        registry.SIGNING_IN[case.provider].token(status, body)
    if case.provider in registry.CONFIRMING:
        registry.CONFIRMING[case.provider].confirmed(status, body, receipt=0)


WORDS = st.sampled_from(
    [
        "ackId",
        "acks",
        "code",
        "create",
        "error",
        "errors",
        "hits",
        "items",
        "message",
        "ok",
        "result",
        "status",
        "total",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS
DOCUMENTS = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4))


@every_http_case
@given(status=st.integers(100, 999), document=DOCUMENTS)
@settings(max_examples=100, deadline=None)
def test_no_document_trips_a_judge(case: Case, status: int, document: object) -> None:
    body = json.dumps(document).encode()
    verdicts = [registry.CONNECTORS[case.provider].judge(status, body)]
    if case.provider in registry.ASKING:
        verdicts.append(registry.ASKING[case.provider].holding(status, body, ENVELOPE) or Verdict(failure_kind=None))
    assert all(isinstance(verdict, Verdict) for verdict in verdicts)


@every_http_case
def test_a_receiver_that_hangs_up_leaves_the_outcome_unknown(
    case: Case, exchange: Exchange, receiver: RecordingReceiver
) -> None:
    receiver.reply = answering(case, Reply(drop=True))
    settlement = exchange(case, receiver.port)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.UNKNOWN, FailureKind.CONNECTION_LOST)


@every_http_case
def test_a_receiver_that_thinks_too_long_leaves_the_outcome_unknown(
    case: Case, exchange: Exchange, receiver: RecordingReceiver
) -> None:
    receiver.reply = answering(case, Reply(latency_seconds=30))
    settlement = exchange(case, receiver.port, timeout_seconds=0.5)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.UNKNOWN, FailureKind.ANSWER_TIMEOUT)


@every_http_case
def test_a_receiver_that_is_not_there_was_not_sent_to(case: Case, exchange: Exchange) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    settlement = exchange(case, port)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.NOT_SENT, FailureKind.CONNECT_REFUSED)


@every_http_case
def test_a_certificate_that_nobody_vouches_for_gets_nothing(case: Case, exchange: Exchange, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    receiver = RecordingReceiver()
    receiver.serve_tls(context)
    with receiver:
        settlement = exchange(case, receiver.port, changes={"scheme": "https"})
        assert receiver.arrivals == []
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.NOT_SENT, FailureKind.TLS_UNTRUSTED)


@pytest.mark.parametrize("case", ASKING, ids=str)
def test_what_the_receiver_holds_is_not_sent_again_and_what_it_lacks_is(
    case: Case, exchange: Exchange, receiver: RecordingReceiver
) -> None:
    assert case.asked is not None
    asked = case.asked
    (confirming, *_) = [answer for answer in case.answers if answer.kind is None]
    others = answering(case, case.confirmed.accepted if case.confirmed else confirming.reply)

    def ask(reply: Reply) -> Settlement[Any]:
        def answer(arrival: Arrival) -> Reply:
            if case.confirmed and events_of(case, receiver) and case.confirmed.is_confirmation(arrival):
                return case.confirmed.done
            return reply if asked.is_question(arrival) else others(arrival)

        receiver.reply = answer
        return exchange(case, receiver.port, changes=asked.request.changes, in_doubt=True, receipt=asked.receipt)

    settlement = ask(asked.held)
    assert (settlement.outcome, settlement.already_held) == (Outcome.CONFIRMED, True)
    for reply, kind in asked.unclear:
        settlement = ask(reply)
        assert (settlement.outcome, settlement.failure_kind) == (Outcome.NOT_SENT, kind)
    assert events_of(case, receiver) == []
    settlement = ask(asked.absent)
    assert (settlement.outcome, settlement.already_held) == (Outcome.CONFIRMED, False)
    assert len(events_of(case, receiver)) == 1


@pytest.mark.parametrize("case", CONFIRMING, ids=str)
def test_an_accepted_event_is_confirmed_once_the_receiver_says_so(
    case: Case, exchange: Exchange, receiver: RecordingReceiver
) -> None:
    assert case.confirmed is not None
    confirmed = case.confirmed
    polls: list[Arrival] = []

    def reply(arrival: Arrival) -> Reply:
        if not confirmed.is_confirmation(arrival):
            return answering(case, confirmed.accepted)(arrival)
        polls.append(arrival)
        return confirmed.done if len(polls) > 1 else confirmed.not_yet

    receiver.reply = reply
    settlement = exchange(case, receiver.port, changes=confirmed.changes, timeout_seconds=20)
    assert (settlement.outcome, settlement.already_held) == (Outcome.CONFIRMED, False)
    assert (len(polls), len(events_of(case, receiver))) == (2, 1)


@pytest.mark.parametrize("case", CONFIRMING, ids=str)
def test_an_accepted_event_that_is_never_confirmed_is_unknown_and_can_be_asked_for(
    case: Case, exchange: Exchange, receiver: RecordingReceiver
) -> None:
    assert case.confirmed is not None
    confirmed = case.confirmed
    receiver.reply = lambda arrival: (
        confirmed.not_yet if confirmed.is_confirmation(arrival) else answering(case, confirmed.accepted)(arrival)
    )
    settlement = exchange(case, receiver.port, changes=confirmed.changes, timeout_seconds=1.5)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.UNKNOWN, FailureKind.ANSWER_TIMEOUT)
    assert settlement.receipt == confirmed.receipt


@pytest.mark.parametrize("case", CONFIRMING, ids=str)
def test_an_accepted_event_without_a_number_to_ask_by_is_unknown(
    case: Case, exchange: Exchange, receiver: RecordingReceiver
) -> None:
    assert case.confirmed is not None
    (confirming, *_) = [answer for answer in case.answers if answer.kind is None]
    receiver.reply = answering(case, confirming.reply)
    settlement = exchange(case, receiver.port, changes=case.confirmed.changes)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.UNKNOWN, FailureKind.ANSWER_MALFORMED)


@pytest.mark.parametrize("case", SIGNING_IN, ids=str)
@pytest.mark.parametrize(
    "answered",
    [
        (400, FailureKind.CREDENTIAL_REFUSED),
        (401, FailureKind.CREDENTIAL_REFUSED),
        (429, FailureKind.RATE_LIMITED),
        (503, FailureKind.UNAVAILABLE),
        (200, FailureKind.ANSWER_REJECTED),
    ],
)
def test_without_a_token_nothing_is_sent(
    case: Case, answered: tuple[int, FailureKind], exchange: Exchange, receiver: RecordingReceiver
) -> None:
    status, kind = answered
    receiver.reply = Reply(status=status, body=b"{}")
    settlement = exchange(case, receiver.port)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.NOT_SENT, kind)
    assert events_of(case, receiver) == []
