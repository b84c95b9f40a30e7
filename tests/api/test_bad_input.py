"""Bad input over every route that takes a body: refused with the field named, nothing stored, never a 5xx."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from rest_framework.test import APIClient

from tests.api.doors import CHANGES, PATCH, POSTS, WRITES, A, B, Door, E, World

pytestmark = pytest.mark.django_db

_ASKING, _SAYING = "/retry-execution-approval-plan", "/acknowledgements"

_AT = {door.address: door for door in POSTS}
_PLAN, _RUN, _ASK, _AUDIT = (_AT[f"{A}{end}"] for end in ("/retry-plan", "/worker-run", _ASKING, ""))
_REVIEW, _DECIDE = (
    _AT[f"{A}/retry-plans/{{retry_plan_id}}{_SAYING}"],
    _AT[f"{A}{_ASKING}s/{{approval_plan_id}}/decisions"],
)
_SCHEDULE, _NOTIFY, _BULK = (_AT[f"{B}{end}"] for end in ("/schedules", "/deliver", f"{_SAYING}/bulk"))
_WORD, _PACKAGE = _AT[f"{B}/{{schedule_id}}{_SAYING}"], _AT[f"{B}{_SAYING}/audit-package"]
_TELL, _ANSWER = (_AT[f"{A}/worker-health-alerts/{end}"] for end in ("deliver", f"{{alert_id}}{_SAYING}"))
_PLAYBOOK, _CLOSE = (_AT[f"{A}/connector-recovery-playbook{end}"] for end in ("", "s/{playbook_id}/closures"))

_HOLD, _RELEASE = (_AT[f"{E}/holds{end}"] for end in ("", "/{hold_id}/release"))


@dataclass(frozen=True, slots=True)
class Bad:
    """One change to a body that works, and the names that the refusal must hold."""

    door: Door
    change: dict[str, Any]
    named: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.door} {self.named[0]}={json.dumps(next(iter(self.change.values())))[:40]}"


_NUMBERS = ["5", 5.0, True, None, [], {}, "", 10**30, -1]
_TEXTS = [5, True, [], {}, "nul\0", "esc\x1b[0m", "lone \ud800", "x" * 5000]
_SWITCHES = ["false", "true", 0, 1, None, [], "no"]
_SECONDS = ["10", True, None, [], 0, 0.09, 60.1, 10**400, -1]
_MOMENTS = [
    5,
    True,
    [],
    "",
    "now",
    "2026-01-01",
    "2026-01-01T00:00:00",
    "2026-13-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "99999-01-01T00:00:00Z",
    "2026-01-01T00:00:00+99:99",
    "٢٠٢٦-01-01T00:00:00Z",
]
_WORDS = [5, True, [], {}, "", "APPROVED", "nonsense", "nul\0"]
_LISTS = [5, True, {}, "webhook", ["webhook", 5], ["nul\0"], ["webhook"] * 2, [["webhook"]]]


def _each(door: Door, name: str, values: list[Any]) -> Iterator[Bad]:
    for value in values:
        yield Bad(door, {name: value}, (name,))


def _inside(door: Door, outer: str, name: str, values: list[Any]) -> Iterator[Bad]:
    for value in values:
        yield Bad(door, {outer: {name: value}}, (f"{outer}.{name}",))


def _everywhere() -> Iterator[Bad]:
    for door in WRITES:
        for name in ("surprise", "__class__", "constructor"):
            yield Bad(door, {name: 1}, (name if name != "__class__" else "body",))
        for name in ("actor_claims", "actor_token"):
            yield Bad(door, {name: "x"}, (name,))


def _policies() -> Iterator[Bad]:
    for door in (_PLAN, _RUN):
        for name in ("max_retry_attempts", "max_retries"):
            yield from _inside(door, "retry_policy", name, [*_NUMBERS, 0, 51])
        for name in ("retry_delay_minutes", "delay_minutes"):
            yield from _inside(door, "retry_policy", name, [*_NUMBERS, 0, 10_081])
        for name in ("backoff_multiplier", "multiplier"):
            yield from _inside(door, "retry_policy", name, ["2", True, None, 0.99, 10.1, 10**400, [], 1e999])
        yield from _inside(door, "retry_policy", "max_delay_minutes", [*_NUMBERS, 14, 43_201])
        yield from _inside(door, "retry_policy", "jitter_ratio", ["0", True, None, -0.1, 1.1, []])
        yield from _inside(door, "retry_policy", "allow_immediate_retry", _SWITCHES)
        yield from _inside(door, "retry_policy", "retry_unknown_outcome", _SWITCHES)
        yield from _inside(door, "retry_policy", "surprise", [1])
        yield from _each(door, "retry_policy", [5, True, [], "x"])
        yield Bad(door, {"retry_policy": {"max_retries": 3, "max_retry_attempts": 4}}, ("retry_policy",))
        yield from _each(door, "source", [*_TEXTS, "nonsense"])
        yield from _each(door, "provider", [*_TEXTS, "nonsense"])


def _labels_and_deadlines() -> Iterator[Bad]:
    for door in (_PLAN, _RUN, _ASK, _AUDIT, _NOTIFY, _PACKAGE, _TELL, _PLAYBOOK):
        yield from _each(door, "generated_by", [*_TEXTS, "Authorization: Bearer abcdefghijklmnop1234"])
    for door in (_RUN, _AUDIT, _NOTIFY, _TELL):
        yield from _each(door, "timeout_seconds", _SECONDS)
        yield from _each(door, "retries", [*_NUMBERS, 11])


def _runs() -> Iterator[Bad]:
    for name in ("dry_run", "execute"):
        yield from _each(_RUN, name, _SWITCHES)
    yield Bad(_RUN, {"dry_run": False, "execute": False}, ("execute",))
    yield Bad(_RUN, {"dry_run": False}, ("execute",))
    yield Bad(_RUN, {"dry_run": False, "reason": "It is back."}, ("execute",))
    yield Bad(_RUN, {"execute": True}, ("reason",))
    yield from _each(_RUN, "max_retry_deliveries", [*_NUMBERS, 0, 10_001])
    yield from _each(_RUN, "reason", _TEXTS)
    yield Bad(_RUN, {"retry_plan_id": "x"}, ("plan_digest",))
    yield Bad(_RUN, {"plan_digest": "x"}, ("retry_plan_id",))
    for name in ("interval_minutes", "schedule_interval_minutes"):
        yield from _inside(_RUN, "schedule", name, [*_NUMBERS, 0, 10_081])
    yield from _inside(_RUN, "schedule", "enabled", _SWITCHES)
    yield from _inside(_RUN, "schedule", "cadence", _TEXTS)


def _reviews_and_approvals() -> Iterator[Bad]:
    for door in (_REVIEW, _DECIDE):
        for name in ("provider", "delivery_id", "audit_id"):
            yield from _each(door, name, [*_TEXTS, "", None])
    for door in (_REVIEW, _DECIDE, _WORD, _BULK, _ANSWER):
        yield from _each(door, "external_ref", [*_TEXTS, "AKIAIOSFODNN7EXAMPLE"])
        yield from _each(door, "notes", [*_TEXTS, "password: hunter2hunter2"])
    for door in (_REVIEW, _WORD, _BULK, _ANSWER):
        yield from _each(door, "acknowledgement_state", [*_WORDS, None])
        yield from _each(door, "acknowledged_by", _TEXTS)
    yield from _each(_DECIDE, "approval_state", [*_WORDS, None])
    yield from _each(_DECIDE, "expires_in_minutes", [*_NUMBERS, 0, 1441])
    yield from _each(_DECIDE, "approved_by", _TEXTS)
    yield Bad(_DECIDE, {"approved_by": "a", "decided_by": "b"}, ("approved_by", "decided_by"))
    yield Bad(_DECIDE, {"decisions": "all"}, ("provider", "delivery_id", "audit_id"))
    yield from _each(_DECIDE, "decisions", ["some", True, [], 5])
    yield from _inside(_ASK, "approval_policy", "require_retry_ack", _SWITCHES)
    yield from _each(_ASK, "retry_plan_id", _TEXTS)


def _health() -> Iterator[Bad]:
    for name in ("suppression_window_minutes", "expected_interval_minutes", "stale_metadata_minutes"):
        yield from _each(_TELL, name, [*_NUMBERS, 0, 10_081])
    yield from _each(_TELL, "delivery_provider", [*_TEXTS, "nonsense", "webhook,nonsense", "", ","])
    yield from _each(_TELL, "provider", [*_TEXTS, ""])
    yield Bad(_TELL, {"provider": "webhook", "delivery_provider": "all"}, ("provider", "delivery_provider"))
    yield from _each(_TELL, "force", _SWITCHES)
    yield from _each(_ANSWER, "provider", [*_TEXTS, "nonsense"])
    yield from _each(_ANSWER, "plan_id", _TEXTS)


def _sending() -> Iterator[Bad]:
    for name in ("schedule_id", "provider", "owner"):
        yield from _each(_AUDIT, name, _TEXTS)
        yield from _each(_PACKAGE, name, _TEXTS)
    yield from _each(_AUDIT, "delivery_provider", [*_TEXTS, "nonsense", "webhook,nonsense", "", ","])
    yield from _each(_AUDIT, "cadence", [*_TEXTS, ""])
    yield from _each(_AUDIT, "schedule_ref", _TEXTS)
    yield from _each(_AUDIT, "next_delivery_at", _MOMENTS)
    yield from _each(_NOTIFY, "provider", [*_TEXTS, "nonsense", "webhook,nonsense"])
    yield from _each(_NOTIFY, "schedule_id", _TEXTS)
    yield from _each(_NOTIFY, "force", _SWITCHES)
    yield from _each(_NOTIFY, "routing_policy", [5, True, [], "x"])
    yield from _inside(_NOTIFY, "routing_policy", "stale", _LISTS)
    yield Bad(_NOTIFY, {"routing_policy": {"stale": ["nonsense"]}}, ("routing_policy",))
    yield from _inside(_NOTIFY, "routing_policy", "surprise", [["webhook"]])


def _schedules() -> Iterator[Bad]:
    for door in (_SCHEDULE, PATCH):
        yield from _each(door, "owner", [*_TEXTS, "", None])
        yield from _each(door, "escalation_owner", _TEXTS)
        yield from _each(door, "providers", [*_LISTS, [], None, ["nonsense"]])
        yield from _each(door, "interval_days", [*_NUMBERS, 0, 3651])
        yield from _each(door, "next_due_at", [*_MOMENTS, None])
        yield from _each(door, "acknowledgement_minutes", [*_NUMBERS, 0, 525_601])
        yield from _each(door, "enabled", _SWITCHES)
    yield from _each(_SCHEDULE, "schedule_id", [*_TEXTS, "", None, "a/b", "a b", "schedules", "-a", "x" * 65])
    yield Bad(PATCH, {"schedule_id": "another"}, ("schedule_id",))


def _words() -> Iterator[Bad]:
    yield from _each(_WORD, "provider", [*_TEXTS, "", None])
    yield from _each(_WORD, "plan_id", _TEXTS)
    yield from _each(_BULK, "routes", [5, True, {}, "x", None, []])
    yield Bad(_BULK, {"routes": [{"schedule_id": "a", "provider": "b"}] * 101}, ("routes",))
    good = {"schedule_id": "payments-rollback", "provider": "webhook"}
    for change, name in [
        ({"provider": 5}, "provider"),
        ({"schedule_id": "nobody"}, "schedule_id"),
        ({"acknowledgement_state": "done"}, "acknowledgement_state"),
        ({"surprise": 1}, "surprise"),
        ({"notes": "token=abcdef123456"}, "notes"),
    ]:
        yield Bad(_BULK, {"routes": [good] * 99 + [good | change]}, (f"routes.99.{name}",))
    yield Bad(_BULK, {"routes": [good, 7]}, ("routes.1",))


def _recoveries() -> Iterator[Bad]:
    yield from _each(_PLAYBOOK, "min_failure_count", [*_NUMBERS, 0, 10_001])
    yield from _each(_PLAYBOOK, "lookback_hours", [*_NUMBERS, 0, 721])
    yield from _each(_CLOSE, "provider", [*_TEXTS, "", None])
    yield from _each(_CLOSE, "closure_state", _WORDS)
    for name in ("external_ref", "notes", "closed_by"):
        yield from _each(_CLOSE, name, [*_TEXTS, "Authorization: Bearer abcdefghijklmnop1234"])
    yield from _each(_CLOSE, "verification_refs", [5, True, {}, "gordackworker-0", ["x"] * 51])
    for ref in (5, None, "", "nul\0", "x" * 129, "gordackworker-0", [[]]):
        yield Bad(_CLOSE, {"verification_refs": [ref]}, ("verification_refs.0",))
    for word in ("mitigated", "deferred", "escalated", "reopened"):
        yield Bad(_CLOSE, {"closure_state": word, "external_ref": "", "notes": " "}, ("external_ref",))


def _holds() -> Iterator[Bad]:
    yield from _each(_HOLD, "scope", [*_WORDS, None])
    yield from _each(_HOLD, "subject_id", [*_TEXTS, "", None, "gordackaudit-0"])
    for door in (_HOLD, _RELEASE):
        yield from _each(door, "reason", [*_TEXTS, "", " ", None, "password: hunter2hunter2"])
    yield Bad(_HOLD, {"scope": "everything"}, ("subject_id",))


def _changes_of_runs() -> Iterator[Bad]:
    for door in CHANGES:
        yield from _each(door, "reason", [*_TEXTS, "", None])


TABLE = [
    bad
    for part in (
        _everywhere,
        _policies,
        _labels_and_deadlines,
        _runs,
        _reviews_and_approvals,
        _sending,
        _health,
        _schedules,
        _words,
        _recoveries,
        _holds,
        _changes_of_runs,
    )
    for bad in part()
]


def _rows() -> dict[str, int]:
    models = [*apps.get_app_config("rollback_audit").get_models()]
    return {model.__name__: model._default_manager.count() for model in models if model._meta.managed}


@pytest.mark.parametrize("door", WRITES, ids=str)
def test_bad_values_are_refused_by_name_and_store_nothing(door: Door, world: World, owner: APIClient) -> None:
    before = _rows()
    for number, bad in enumerate(bad for bad in TABLE if bad.door is door):
        # The encoder writes Infinity, which is not JSON; a number too large for a float is.
        body = json.dumps(door.body(world) | bad.change).replace("Infinity", "1e999")
        answer = owner.generic(
            door.method,
            door.at(world),
            body,
            content_type="application/json",
            **({"HTTP_IDEMPOTENCY_KEY": f"bad-{number}"} if number % 2 else {}),
        )
        assert answer.status_code == 400, (str(bad), answer.status_code, answer.content)
        refusal = answer.json()
        assert refusal["code"] == "invalid", str(bad)
        found = {name for name in refusal["errors"] if name.startswith(bad.named)}
        assert found, (str(bad), refusal)
        assert refusal["errors"].keys() == found, (str(bad), refusal)
    assert _rows() == before


_NO_OBJECTS = [
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"7",
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b'{"a": NaN}',
    b'{"a": Infinity}',
    b'{"a": -Infinity}',
    b'{"a": 1, "a": 1}',
    b'{"a": {"b": 1, "b": 2}}',
    b"{'a': 1}",
    b'{"a": ' + b"1" * 5000 + b"}",
    b'{"a": ' + b"[" * 21 + b"]" * 21 + b"}",
    b'{"a": ' * 100_000 + b"1" + b"}" * 100_000,
]
_TOO_LARGE = b'{"generated_by": "' + b"x" * 1024 * 1024 + b'"}'


@pytest.mark.parametrize("door", WRITES, ids=str)
def test_what_is_no_json_object_is_refused(door: Door, world: World, owner: APIClient) -> None:
    before = _rows()
    for body, status in [*((body, 400) for body in _NO_OBJECTS), (_TOO_LARGE, 413)]:
        answer = owner.generic(door.method, door.at(world), body, content_type="application/json")
        assert answer.status_code == status, body[:30]
        assert set(answer.json()) == {"detail", "code", "correlation_id"}
    assert _rows() == before


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "x"])
def test_what_is_not_said_to_be_json_is_refused(kind: str, world: World, owner: APIClient) -> None:
    answer = owner.generic("POST", f"{A}/retry-plan", b'{"generated_by": "me"}', content_type=kind)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_body_may_be_left_out_where_nothing_is_required(world: World, owner: APIClient) -> None:
    assert owner.generic("POST", f"{A}/retry-plan").status_code == 200


@pytest.mark.parametrize(
    ("address", "query", "name"),
    [
        *((f"{A}/worker-runs", f"limit={value}", "limit") for value in ("0", "201", "-1", "x", "", "1e3", "%D9%A5")),
        *((f"{A}/worker-runs", f"offset={value}", "offset") for value in ("10001", "-1", "x", "")),
        *((f"{A}/worker-runs", f"cursor={value}", "cursor") for value in ("", "x", "x:y:z", "x" * 5000, "%00")),
        *((f"{A}/worker-runs", f"dry_run={value}", "dry_run") for value in ("", "1", "True", "yes", "%00")),
        *((f"{A}/worker-runs", f"since={value}", "since") for value in ("", "yesterday", "2026-01-01", "99999")),
        (f"{A}/worker-runs", "state=done", "state"),
        (f"{A}/worker-runs", "generated_by=%00", "generated_by"),
        (f"{A}/worker-runs", "generated_by=" + "x" * 129, "generated_by"),
        (f"{A}/worker-runs", "state=queued&state=running", "state"),
        (f"{A}/worker-runs", "format=html", "format"),
        (f"{A}/worker-runs", "DROP%20TABLE=1", "query"),
        (f"{A}/deliveries", "offset=1", "offset"),
        (f"{A}/deliveries", "failure_kind=oops", "failure_kind"),
        (f"{B}/schedules", "enabled=2", "enabled"),
        (B, "metadata_kind=other", "metadata_kind"),
        (B, "delivery_success=maybe", "delivery_success"),
        (B, "acknowledgement_state=unknown", "acknowledgement_state"),
        (f"{B}/routes", "category=warm", "category"),
        (f"{A}/connectors", "provider=%1b", "provider"),
        (f"{A}/connector-recoveries", "state=done", "state"),
        *(
            (f"{A}/retry-recovery-report", f"recovery_slo_minutes={value}", "recovery_slo_minutes")
            for value in ("0", "43201", "-1", "x", "", "1e3", "%D9%A5")
        ),
        (f"{A}/retry-recovery-report", "generated_by=%00", "generated_by"),
        (f"{A}/retry-recovery-report", "limit=1", "limit"),
    ],
)  # fmt: skip
def test_bad_query_parameters_are_refused_by_name(address: str, query: str, name: str, owner: APIClient) -> None:
    answer = owner.get(f"{address}?{query}")
    assert answer.status_code == 400, answer.content
    assert list(answer.json()["errors"]) == [name]


def test_two_hundred_filters_are_refused_at_once(owner: APIClient) -> None:
    query = "&".join(f"filter_{number}=1" for number in range(200))
    answer = owner.get(f"{B}?{query}")
    assert answer.status_code == 400
    assert len(answer.json()["errors"]) == 20


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\t", "ümlaut"])
def test_a_malformed_idempotency_key_is_refused(key: str, world: World, owner: APIClient) -> None:
    before = _rows()
    answer = owner.post(f"{A}/retry-plan", {}, HTTP_IDEMPOTENCY_KEY=key)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["Idempotency-Key"])
    assert _rows() == before


def test_no_refusal_repeats_what_was_sent(world: World, owner: APIClient) -> None:
    canary = "kx9canary7"
    bodies: list[dict[str, Any]] = [
        {"acknowledgement_state": canary},
        {canary.upper(): 1},
        {"notes": f"password={canary}"},
        {"provider": canary},
        {"plan_id": canary},
        {"external_ref": f"https://user:{canary}@host/"},
    ]
    for body in bodies:
        answer = owner.post(f"{B}/{world.schedule_id}/acknowledgements", {"provider": "webhook"} | body)
        assert 400 <= answer.status_code < 500
        assert canary not in answer.content.decode().lower()
