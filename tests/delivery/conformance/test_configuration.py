"""What an operator may write, and that nothing of it shows."""

import logging
from typing import Any

import pytest

from rollback_audit.delivery import registry
from rollback_audit.states import Outcome
from tests.delivery.conformance.case import ENVELOPE, HUSH, NOW, Case
from tests.delivery.conformance.cases import CASES
from tests.delivery.conformance.conftest import (
    Connect,
    Exchange,
    Read,
    answering,
    built,
    every_case,
    every_http_case,
)
from tests.receivers import RecordingReceiver, Reply

REQUIRED = [(case, key) for case in CASES for key in case.required]
BROKEN = [(case, changes, key) for case in CASES for changes, key in case.broken]
SECRETS = [(case, key) for case in CASES for key in registry.CONNECTORS[case.provider].SECRETS]


@every_case
def test_a_cases_own_keys_are_free_of_problems_and_its_secrets_are_marked(case: Case, read: Read) -> None:
    assert read(case).problems == ()
    assert all(HUSH in value for value in case.environ.values())


@pytest.mark.parametrize(("case", "key"), REQUIRED, ids=[f"{case}-{key}" for case, key in REQUIRED])
def test_a_required_key_that_is_missing_is_named(case: Case, key: str, read: Read) -> None:
    (problem,) = read(case, **{key: None}).problems
    assert (problem.connector, problem.key) == (case.provider, key.removesuffix("_env"))


@pytest.mark.parametrize(("case", "changes", "key"), BROKEN, ids=[f"{case}-{key}" for case, _, key in BROKEN])
def test_what_nobody_may_configure_is_refused_by_its_key(
    case: Case, changes: dict[str, object], key: str, read: Read
) -> None:
    (problem,) = read(case, **changes).problems
    assert (problem.connector, problem.key) == (case.provider, key)
    assert HUSH not in str(problem)


@pytest.mark.parametrize(("case", "key"), SECRETS, ids=[f"{case}-{key}" for case, key in SECRETS])
def test_a_literal_secret_is_refused_and_not_repeated(case: Case, key: str, read: Read) -> None:
    (problem,) = read(case, **{f"{key}_env": None, key: f"literal-{HUSH}"}).problems
    assert (problem.connector, problem.key) == (case.provider, key)
    assert HUSH not in str(problem)


@every_case
def test_every_option_is_held_to_its_type(case: Case, read: Read) -> None:
    for key in registry.CONNECTORS[case.provider].OPTIONS:
        (problem,) = read(case, **{key: ["of no type"]}).problems
        assert (problem.connector, problem.key) == (case.provider, key)


@every_case
def test_no_secret_and_no_address_shows_when_things_are_printed(case: Case, read: Read, connect: Connect) -> None:
    settings = connect(case)
    request = built(settings)
    step = registry.opening(settings, ENVELOPE, now=NOW)
    shown = f"{read(case)!r} {settings!r} {request!r} {step.request!r} {step!r}"
    assert HUSH not in shown
    assert "example.com" not in shown


@every_http_case
def test_no_secret_no_address_and_no_word_of_the_receiver_is_kept_or_logged(
    case: Case,
    exchange: Exchange,
    receiver: RecordingReceiver,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    settlements: list[Any] = []
    for reply in (
        *(answer.reply for answer in case.answers),
        Reply(status=500, body=b"receiver-word", headers=(("X-Word", "receiver-word"),)),
        Reply(drop=True),
    ):
        receiver.reply = answering(case, reply)
        settlements.append(exchange(case, receiver.port))
    shown = " ".join([repr(settlements), caplog.text, *capfd.readouterr()])
    assert not [word for word in (HUSH, "127.0.0.1", "receiver-word", str(receiver.port)) if word in shown]
    assert Outcome.CONFIRMED in {settlement.outcome for settlement in settlements}
