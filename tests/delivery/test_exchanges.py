"""Exchanges of several steps: what follows what, under one deadline, and what a failure on the way means."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from rollback_audit.delivery import course
from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import (
    ConnectorSettings,
    Egress,
    Envelope,
    PayloadTooLarge,
    Phase,
    Send,
    Settlement,
    Step,
    Verdict,
    WireRequest,
)
from rollback_audit.delivery.course import Course
from rollback_audit.delivery.exchange import MAX_STEPS
from rollback_audit.delivery.phases import whole
from rollback_audit.delivery.statuses import verdict_for
from rollback_audit.delivery.tokens import SPARE_SECONDS, TOKENS, Tokens
from rollback_audit.states import FAILURE_CLASS, Category, FailureClass, Outcome, RepeatCheck
from rollback_audit.states import FailureKind as Kind
from tests.receivers import Arrival, RecordingReceiver, Reply

Carry = Callable[..., Settlement[Any]]
End = tuple[Outcome, Kind | None]

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
ENVELOPE = Envelope(event=b"{}", event_type="a.b", event_id="e-1", idempotency_key="k-1", occurred_at=NOW)
# What went wrong on our side: no answer comes to these.
OURS = {Kind.PAYLOAD_TOO_LARGE, Kind.REQUEST_INVALID, Kind.WORKER_LOST}
HELD = Verdict(failure_kind=None, already_held=True)


@pytest.fixture(autouse=True)
def no_tokens() -> Iterator[None]:
    TOKENS.clear()
    yield
    TOKENS.clear()


@pytest.fixture
def receiver() -> Iterator[RecordingReceiver]:
    with RecordingReceiver() as receiver:
        yield receiver


def by_path(**replies: Any) -> Callable[[Arrival], Reply]:
    """Answer by the last part of the path: with one reply each time, or with one after the other."""
    turns = {
        name: iter(reply) if isinstance(reply, list) else itertools.repeat(reply) for name, reply in replies.items()
    }
    return lambda arrival: next(turns[arrival.path.rpartition("/")[2]])


def paths(receiver: RecordingReceiver) -> list[str]:
    return [arrival.path.rpartition("/")[2] for arrival in receiver.arrivals]


@pytest.mark.parametrize(
    ("phase", "ended", "expected"),
    [
        (Phase.EVENT, (Outcome.CONFIRMED, None), (Outcome.CONFIRMED, None)),
        (Phase.EVENT, (Outcome.REFUSED, Kind.PAYLOAD_REFUSED), (Outcome.REFUSED, Kind.PAYLOAD_REFUSED)),
        (Phase.EVENT, (Outcome.UNKNOWN, Kind.ANSWER_TIMEOUT), (Outcome.UNKNOWN, Kind.ANSWER_TIMEOUT)),
        (Phase.PREPARE, (Outcome.CONFIRMED, None), (Outcome.NOT_SENT, Kind.ANSWER_REJECTED)),
        (Phase.PREPARE, (Outcome.NOT_SENT, Kind.CONNECT_REFUSED), (Outcome.NOT_SENT, Kind.CONNECT_REFUSED)),
        (Phase.PREPARE, (Outcome.REFUSED, Kind.CREDENTIAL_REFUSED), (Outcome.NOT_SENT, Kind.CREDENTIAL_REFUSED)),
        (Phase.PREPARE, (Outcome.REFUSED, Kind.RATE_LIMITED), (Outcome.NOT_SENT, Kind.RATE_LIMITED)),
        (Phase.PREPARE, (Outcome.REFUSED, Kind.PAYLOAD_REFUSED), (Outcome.NOT_SENT, Kind.ANSWER_REJECTED)),
        (Phase.PREPARE, (Outcome.REFUSED, Kind.REDIRECT_REFUSED), (Outcome.NOT_SENT, Kind.ANSWER_REJECTED)),
        (Phase.PREPARE, (Outcome.ANSWERED_5XX, Kind.UNAVAILABLE), (Outcome.NOT_SENT, Kind.UNAVAILABLE)),
        (Phase.PREPARE, (Outcome.UNKNOWN, Kind.ANSWER_TIMEOUT), (Outcome.NOT_SENT, Kind.CONNECT_TIMEOUT)),
        (Phase.PREPARE, (Outcome.UNKNOWN, Kind.CONNECTION_LOST), (Outcome.NOT_SENT, Kind.TRY_LATER)),
        (Phase.CONFIRM, (Outcome.CONFIRMED, None), (Outcome.CONFIRMED, None)),
        (Phase.CONFIRM, (Outcome.NOT_SENT, Kind.CONNECT_REFUSED), (Outcome.UNKNOWN, Kind.ANSWER_TIMEOUT)),
        (Phase.CONFIRM, (Outcome.REFUSED, Kind.CREDENTIAL_REFUSED), (Outcome.UNKNOWN, Kind.ANSWER_TIMEOUT)),
        (Phase.CONFIRM, (Outcome.UNKNOWN, Kind.CONNECTION_LOST), (Outcome.UNKNOWN, Kind.CONNECTION_LOST)),
    ],
)
def test_what_a_steps_end_means_depends_on_whether_the_event_had_left(phase: Phase, ended: End, expected: End) -> None:
    assert whole(phase, *ended) == expected


def test_only_the_receivers_own_word_that_it_holds_the_event_confirms_without_sending_it() -> None:
    assert whole(Phase.PREPARE, Outcome.CONFIRMED, None, already_held=True) == (Outcome.CONFIRMED, None)


@pytest.mark.parametrize("kind", sorted(set(Kind) - OURS))
def test_nothing_before_the_event_leaves_it_in_doubt_or_refuses_it_for_good(kind: Kind) -> None:
    outcome, found = whole(Phase.PREPARE, Outcome.REFUSED, kind)
    assert outcome is Outcome.NOT_SENT
    assert found is not None
    assert FAILURE_CLASS[found] not in {FailureClass.UNKNOWN, FailureClass.FINAL}


def request_to(receiver: RecordingReceiver, name: str, *, method: str = "POST", body: bytes = b"{}") -> WireRequest:
    return WireRequest(method=method, url=f"{receiver.url}/{name}", headers=(), body=body if method != "GET" else b"")


def by_status(status_code: int, body: bytes) -> Verdict:
    return verdict_for(status_code)


def send(step: Step, egress: Egress, **given: Any) -> Send[Any]:
    return Send(**{"key": "k", "step": step, "egress": egress, "timeout_seconds": 5.0, **given})


def drive(step: Step, egress: Egress, **given: Any) -> Settlement[Any]:
    with Client[Any]() as client:
        (settlement,) = client.send_all([send(step, egress, **given)])
    return settlement


def test_a_step_that_follows_is_sent_over_the_same_connection_and_the_last_one_settles(
    receiver: RecordingReceiver,
) -> None:
    event = Step(request=request_to(receiver, "event", body=b"the event"), judge=by_status)
    asking = Step(request=request_to(receiver, "ask", method="GET"), judge=lambda *_: event, phase=Phase.PREPARE)
    settlement = drive(asking, receiver.egress)
    assert (settlement.key, settlement.outcome, settlement.status_code) == ("k", Outcome.CONFIRMED, 200)
    assert [(arrival.method, arrival.body) for arrival in receiver.arrivals] == [("GET", b""), ("POST", b"the event")]
    assert "content-length" not in receiver.arrivals[0].headers
    assert receiver.connection_count == 1


def test_a_handle_that_asked_by_get_posts_again(receiver: RecordingReceiver) -> None:
    event = Step(request=request_to(receiver, "event", body=b"body"), judge=by_status)
    asking = Step(request=request_to(receiver, "ask", method="GET"), judge=lambda *_: event, phase=Phase.PREPARE)
    with Client[Any](max_in_flight=1) as client:
        client.send_all([send(asking, receiver.egress), send(event, receiver.egress), send(asking, receiver.egress)])
    assert [(arrival.method, arrival.body) for arrival in receiver.arrivals] == [
        ("GET", b""), ("POST", b"body"), ("POST", b"body"), ("GET", b""), ("POST", b"body"),
    ]  # fmt: skip


def test_an_event_cannot_travel_by_get(receiver: RecordingReceiver) -> None:
    settlement = drive(Step(request=request_to(receiver, "event", method="GET"), judge=by_status), receiver.egress)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.NOT_SENT, Kind.REQUEST_INVALID)
    assert receiver.arrivals == []


@pytest.mark.parametrize(
    ("phase", "outcome", "kind"),
    [
        (Phase.PREPARE, Outcome.NOT_SENT, Kind.ADDRESS_FORBIDDEN),
        (Phase.EVENT, Outcome.NOT_SENT, Kind.ADDRESS_FORBIDDEN),
        (Phase.CONFIRM, Outcome.UNKNOWN, Kind.ANSWER_TIMEOUT),
    ],
)
def test_a_step_that_leads_elsewhere_is_not_taken(
    receiver: RecordingReceiver, phase: Phase, outcome: Outcome, kind: Kind
) -> None:
    with RecordingReceiver() as elsewhere:
        astray = Step(request=request_to(elsewhere, "event"), judge=by_status, phase=phase, receipt=5)
        settlement = drive(Step(request=request_to(receiver, "first"), judge=lambda *_: astray), receiver.egress)
        assert elsewhere.connection_count == 0
    assert (settlement.outcome, settlement.failure_kind, settlement.receipt) == (outcome, kind, 5)


def test_a_step_waits_as_long_as_it_says_and_others_go_on_meanwhile(receiver: RecordingReceiver) -> None:
    later = Step(request=request_to(receiver, "later"), judge=by_status, phase=Phase.CONFIRM, after_seconds=0.3)
    first = Step(request=request_to(receiver, "first"), judge=lambda *_: later)
    with Client[Any]() as client:
        client.submit([send(first, receiver.egress)])
        while len(receiver.arrivals) < 1:
            assert client.pump(timeout_seconds=0.01) == []
        client.submit([send(Step(request=request_to(receiver, "other"), judge=by_status), receiver.egress, key="o")])
        assert [settlement.key for settlement in client.pump(timeout_seconds=5)] == ["o"]
        assert client.pending == 1
        assert [settlement.key for settlement in client.pump(timeout_seconds=5)] == ["k"]
        assert client.pending == 0
    first_at, _, later_at = (arrival.at for arrival in receiver.arrivals)
    assert later_at - first_at >= 0.28


def test_one_deadline_covers_all_steps(receiver: RecordingReceiver) -> None:
    def endless(status_code: int, body: bytes) -> Step:
        return replace(step, phase=Phase.CONFIRM, receipt=9)

    receiver.reply = Reply(latency_seconds=0.15)
    step = Step(request=request_to(receiver, "again"), judge=endless)
    began = time.monotonic()
    settlement = drive(step, receiver.egress, timeout_seconds=0.5)
    assert time.monotonic() - began < 1.5
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.UNKNOWN, Kind.ANSWER_TIMEOUT)
    assert settlement.receipt == 9
    assert 2 <= len(receiver.arrivals) <= 4


def test_a_step_that_would_begin_after_the_deadline_is_not_waited_for(receiver: RecordingReceiver) -> None:
    later = Step(
        request=request_to(receiver, "later"), judge=by_status, phase=Phase.CONFIRM, after_seconds=60, receipt=7
    )
    began = time.monotonic()
    settlement = drive(Step(request=request_to(receiver, "first"), judge=lambda *_: later), receiver.egress)
    assert time.monotonic() - began < 2
    assert (settlement.outcome, settlement.failure_kind, settlement.receipt) == (
        Outcome.UNKNOWN, Kind.ANSWER_TIMEOUT, 7,
    )  # fmt: skip


@pytest.mark.parametrize(("phase", "outcome"), [(Phase.PREPARE, Outcome.NOT_SENT), (Phase.CONFIRM, Outcome.UNKNOWN)])
def test_steps_without_end_are_cut(receiver: RecordingReceiver, phase: Phase, outcome: Outcome) -> None:
    step = Step(request=request_to(receiver, "again"), judge=lambda *_: replace(step, phase=phase), phase=phase)
    assert drive(step, receiver.egress, timeout_seconds=20).outcome is outcome
    assert len(receiver.arrivals) == MAX_STEPS


def test_closing_between_two_steps_settles_nothing(receiver: RecordingReceiver) -> None:
    later = Step(request=request_to(receiver, "later"), judge=by_status, after_seconds=3)
    client = Client[Any]()
    client.submit([send(Step(request=request_to(receiver, "first"), judge=lambda *_: later), receiver.egress)])
    while not receiver.arrivals:
        client.pump(timeout_seconds=0.01)
    assert client.pump(timeout_seconds=0.05) == []
    assert client.pending == 1
    client.close()
    assert client.pending == 0


@dataclass
class Desk:
    """A receiver's sign-in as the client sees it: a shared step until somebody has signed in."""

    receiver: RecordingReceiver
    signed_in: bool = False
    opened: list[str] = field(default_factory=list)

    def opening(self) -> Step:
        event = Step(request=request_to(self.receiver, "event"), judge=by_status)
        if self.signed_in:
            return event

        def judge(status_code: int, body: bytes) -> Verdict | Step:
            if status_code != 200:
                return verdict_for(status_code)
            self.signed_in = True
            return event

        return Step(request=request_to(self.receiver, "sign-in"), judge=judge, phase=Phase.PREPARE, shared="desk")

    def sends(self, count: int) -> list[Send[Any]]:
        return [send(self.opening(), self.receiver.egress, key=number, reopen=self.opening) for number in range(count)]


def test_of_many_that_want_the_same_sign_in_one_goes_and_the_others_open_anew(receiver: RecordingReceiver) -> None:
    receiver.reply = Reply(latency_seconds=0.05)
    with Client[Any](max_in_flight=8) as client:
        client.submit(Desk(receiver).sends(50))
        assert client.pending == 50
        settled = client.send_all([])
    assert sorted(settlement.key for settlement in settled) == list(range(50))
    assert {settlement.outcome for settlement in settled} == {Outcome.CONFIRMED}
    assert paths(receiver).count("sign-in") == 1
    assert paths(receiver).count("event") == 50


def test_those_that_wait_for_a_sign_in_fail_as_it_does(receiver: RecordingReceiver) -> None:
    receiver.reply = Reply(status=429, headers=(("Retry-After", "30"),), latency_seconds=0.05)
    with Client[Any]() as client:
        settled = client.send_all(Desk(receiver).sends(20))
    assert sorted(settlement.key for settlement in settled) == list(range(20))
    assert {(s.outcome, s.failure_kind, s.status_code, s.retry_after_seconds) for s in settled} == {
        (Outcome.NOT_SENT, Kind.RATE_LIMITED, 429, 30)
    }
    assert paths(receiver) == ["sign-in"]


class Vendor:
    """A connector that can do everything, against a `RecordingReceiver`; the module of a provider in one object."""

    PROVIDER = "vendor"
    CATEGORY = Category.SIEM
    DROPS_REPEATS = False
    MAX_BODY_BYTES = 1000
    SECRETS: tuple[str, ...] = ()
    OPTIONS: Mapping[str, type] = MappingProxyType({})
    ASKS_BY = RepeatCheck.BY_KEY

    def __init__(self, receiver: RecordingReceiver) -> None:
        self.receiver = receiver
        self.lasts_seconds = 3600

    def check(self, settings: ConnectorSettings) -> None:
        """Nothing to check."""

    def build(self, settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> WireRequest:
        token = settings.secrets.get("access_token", "none")
        return WireRequest("POST", f"{self.receiver.url}/event", (("Authorization", token),), envelope.event)

    def judge(self, status_code: int, body: bytes) -> Verdict:
        found = verdict_for(status_code)
        return replace(found, receipt=int(body)) if found.confirmed and body.isdigit() else found

    def question(self, settings: ConnectorSettings, envelope: Envelope, *, receipt: int | None) -> WireRequest | None:
        return None if receipt == 0 else WireRequest("GET", f"{self.receiver.url}/ask", (), b"")

    def holding(self, status_code: int, body: bytes, envelope: Envelope) -> Verdict | None:
        if status_code != 200:
            return verdict_for(status_code)
        return HELD if body == b"held" else None

    def sign_in(self, settings: ConnectorSettings) -> WireRequest:
        return WireRequest("POST", f"{self.receiver.url}/sign-in", (), b"")

    def token(self, status_code: int, body: bytes) -> tuple[str, int] | Verdict:
        return (body.decode(), self.lasts_seconds) if status_code == 200 else verdict_for(status_code)

    def wanted(self, settings: ConnectorSettings) -> bool:
        return True

    def confirmation(self, settings: ConnectorSettings, envelope: Envelope, *, receipt: int) -> WireRequest:
        return WireRequest("POST", f"{self.receiver.url}/poll", (), str(receipt).encode())

    def confirmed(self, status_code: int, body: bytes, *, receipt: int) -> Verdict | None:
        return verdict_for(status_code) if body != b"not yet" else None


def settings_for(receiver: RecordingReceiver) -> ConnectorSettings:
    return ConnectorSettings(
        name="vendor", provider="vendor", enabled=True, url=receiver.url, secrets={}, options={}, headers=(),
        egress=receiver.egress, digest="d1",
    )  # fmt: skip


@pytest.fixture
def vendor(receiver: RecordingReceiver) -> Vendor:
    return Vendor(receiver)


@pytest.fixture
def carry(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Carry:
    """Carry the envelope with the abilities that are named: sign, ask, confirm."""
    monkeypatch.setattr(course, "FIRST_WAIT_SECONDS", 0.02)

    def carry(*abilities: str, receipt: int | None = None, **given: Any) -> Settlement[Any]:
        def opening() -> Step:
            return Course(
                connector=vendor,
                signing_in=vendor if "sign" in abilities else None,
                asking=vendor if "ask" in abilities else None,
                confirming=vendor if "confirm" in abilities else None,
                settings=settings_for(vendor.receiver),
                envelope=ENVELOPE,
                now=NOW,
                receipt=receipt,
            ).opening()

        return drive(opening(), vendor.receiver.egress, reopen=opening, **given)

    return carry


TOKEN = Reply(body=b"t-1")
ABSENT, HOLDING = Reply(body=b"absent"), Reply(body=b"held")
TAKEN, LATER = Reply(body=b"7"), Reply(body=b"not yet")
BUSY, DENIED, DROP = Reply(status=503), Reply(status=401), Reply(drop=True)


@dataclass(frozen=True)
class Walk:
    """What a connector with these abilities does with these replies: the steps it takes, and how it ends."""

    abilities: str
    replies: dict[str, Any]
    steps: str
    outcome: Outcome
    kind: Kind | None = None
    receipt: int | None = None

    def __str__(self) -> str:
        return f"{self.steps} {self.outcome}"


@pytest.mark.parametrize(
    "walk",
    [
        Walk("sign", {"sign-in": TOKEN, "event": Reply()}, "sign-in event", Outcome.CONFIRMED),
        Walk("sign", {"sign-in": DENIED}, "sign-in", Outcome.NOT_SENT, Kind.CREDENTIAL_REFUSED),
        Walk("sign", {"sign-in": BUSY}, "sign-in", Outcome.NOT_SENT, Kind.UNAVAILABLE),
        Walk("sign", {"sign-in": DROP}, "sign-in", Outcome.NOT_SENT, Kind.TRY_LATER),
        Walk("sign", {"sign-in": TOKEN, "event": BUSY}, "sign-in event", Outcome.ANSWERED_5XX, Kind.UNAVAILABLE),
        Walk("sign", {"sign-in": TOKEN, "event": DENIED}, "sign-in event", Outcome.REFUSED, Kind.CREDENTIAL_REFUSED),
        Walk("ask", {"ask": HOLDING}, "ask", Outcome.CONFIRMED),
        Walk("ask", {"ask": ABSENT, "event": Reply()}, "ask event", Outcome.CONFIRMED),
        Walk("ask", {"ask": ABSENT, "event": DROP}, "ask event", Outcome.UNKNOWN, Kind.CONNECTION_LOST),
        Walk("ask", {"ask": DENIED}, "ask", Outcome.NOT_SENT, Kind.CREDENTIAL_REFUSED),
        Walk("ask", {"ask": Reply(status=400)}, "ask", Outcome.NOT_SENT, Kind.ANSWER_REJECTED),
        Walk("confirm", {"event": TAKEN, "poll": Reply()}, "event poll", Outcome.CONFIRMED, None, 7),
        Walk(
            "confirm",
            {"event": TAKEN, "poll": [LATER, LATER, Reply()]},
            "event poll poll poll",
            Outcome.CONFIRMED,
            None,
            7,
        ),
        Walk("confirm", {"event": TAKEN, "poll": BUSY}, "event poll", Outcome.UNKNOWN, Kind.ANSWER_TIMEOUT, 7),
        Walk("confirm", {"event": TAKEN, "poll": DROP}, "event poll", Outcome.UNKNOWN, Kind.CONNECTION_LOST, 7),
        Walk("confirm", {"event": BUSY}, "event", Outcome.ANSWERED_5XX, Kind.UNAVAILABLE),
        Walk("sign ask confirm", {"sign-in": TOKEN, "ask": HOLDING}, "sign-in ask", Outcome.CONFIRMED),
        Walk(
            "sign ask confirm",
            {"sign-in": TOKEN, "ask": ABSENT, "event": TAKEN, "poll": Reply()},
            "sign-in ask event poll",
            Outcome.CONFIRMED,
            None,
            7,
        ),
    ],
    ids=str,
)
def test_the_course_of_a_delivery(carry: Carry, vendor: Vendor, walk: Walk) -> None:
    vendor.receiver.reply = by_path(**walk.replies)
    settlement = carry(*walk.abilities.split())
    assert " ".join(paths(vendor.receiver)) == walk.steps
    assert (settlement.outcome, settlement.failure_kind, settlement.receipt) == (walk.outcome, walk.kind, walk.receipt)
    assert settlement.already_held == (walk.outcome is Outcome.CONFIRMED and "event" not in walk.steps)


def test_a_failed_question_keeps_what_the_receiver_asked_for_and_the_earlier_receipt(
    carry: Carry, vendor: Vendor
) -> None:
    vendor.receiver.reply = Reply(status=429, headers=(("Retry-After", "12"),))
    settlement = carry("ask", receipt=3)
    assert (settlement.outcome, settlement.retry_after_seconds, settlement.receipt) == (Outcome.NOT_SENT, 12, 3)


def test_where_there_is_nothing_to_ask_by_the_event_is_sent(carry: Carry, vendor: Vendor) -> None:
    assert carry("ask", receipt=0).outcome is Outcome.CONFIRMED
    assert paths(vendor.receiver) == ["event"]


def test_a_last_word_that_never_comes_leaves_the_outcome_unknown_at_the_deadline(carry: Carry, vendor: Vendor) -> None:
    vendor.receiver.reply = by_path(event=TAKEN, poll=LATER)
    settlement = carry("confirm", timeout_seconds=0.5)
    assert (settlement.outcome, settlement.failure_kind, settlement.receipt) == (
        Outcome.UNKNOWN, Kind.ANSWER_TIMEOUT, 7,
    )  # fmt: skip
    assert settlement.duration_ms < 2000


def test_a_token_is_fetched_once_and_used_until_it_is_about_to_expire(carry: Carry, vendor: Vendor) -> None:
    vendor.receiver.reply = by_path(**{"sign-in": [TOKEN, Reply(body=b"t-2")], "event": Reply()})
    carry("sign")
    carry("sign")
    assert paths(vendor.receiver) == ["sign-in", "event", "event"]
    assert [arrival.headers.get("authorization") for arrival in vendor.receiver.arrivals] == [None, "t-1", "t-1"]
    TOKENS.clear()
    vendor.lasts_seconds = SPARE_SECONDS
    carry("sign")
    assert TOKENS.find("d1") is None


def test_a_kept_token_that_is_refused_is_renewed_once_within_the_exchange(carry: Carry, vendor: Vendor) -> None:
    TOKENS.keep("d1", "stale", lasts_seconds=3600)
    vendor.receiver.reply = by_path(**{"sign-in": TOKEN, "event": [Reply(status=401), Reply()]})
    assert carry("sign").outcome is Outcome.CONFIRMED
    assert paths(vendor.receiver) == ["event", "sign-in", "event"]
    assert TOKENS.find("d1") == "t-1"


def test_a_fresh_token_that_is_refused_is_forgotten_and_the_credential_counts_as_refused(
    carry: Carry, vendor: Vendor
) -> None:
    vendor.receiver.reply = by_path(**{"sign-in": TOKEN, "event": Reply(status=401)})
    TOKENS.keep("d1", "stale", lasts_seconds=3600)
    settlement = carry("sign")
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.REFUSED, Kind.CREDENTIAL_REFUSED)
    assert paths(vendor.receiver) == ["event", "sign-in", "event"]
    assert TOKENS.find("d1") is None


def test_many_that_hold_the_same_stale_token_sign_in_once(vendor: Vendor) -> None:
    TOKENS.keep("d1", "stale", lasts_seconds=3600)

    def reply(arrival: Arrival) -> Reply:
        if arrival.path.endswith("sign-in"):
            return Reply(body=b"t-1", latency_seconds=0.1)
        return Reply(status=200 if arrival.headers["authorization"] == "t-1" else 401)

    def opening() -> Step:
        return Course(
            connector=vendor, signing_in=vendor, asking=None, confirming=None, settings=settings_for(vendor.receiver),
            envelope=ENVELOPE, now=NOW, receipt=None,
        ).opening()  # fmt: skip

    vendor.receiver.reply = reply
    with Client[Any]() as client:
        settled = client.send_all(
            send(opening(), vendor.receiver.egress, key=number, reopen=opening) for number in range(20)
        )
    assert [settlement.outcome for settlement in settled] == [Outcome.CONFIRMED] * 20
    assert paths(vendor.receiver).count("sign-in") == 1


def test_nobody_signs_in_for_an_event_that_is_too_large(vendor: Vendor) -> None:
    with pytest.raises(PayloadTooLarge):
        Course(
            connector=vendor, signing_in=vendor, asking=None, confirming=None, settings=settings_for(vendor.receiver),
            envelope=replace(ENVELOPE, event=b"x" * 1001), now=NOW, receipt=None,
        ).opening()  # fmt: skip
    assert vendor.receiver.arrivals == []


def test_a_token_that_somebody_else_has_renewed_since_is_not_forgotten() -> None:
    tokens = Tokens()
    tokens.keep("d", "old", lasts_seconds=3600)
    tokens.keep("d", "new", lasts_seconds=3600)
    tokens.forget("d", "old")
    assert tokens.find("d") == "new"
    tokens.forget("d", "new")
    assert tokens.find("d") is None
