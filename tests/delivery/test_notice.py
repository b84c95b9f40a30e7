"""What a person reads of an event, and what stands around it in a chat or a ticket."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from rollback_audit.delivery import jira, pagerduty, registry, servicenow
from rollback_audit.delivery.contract import ConfigurationProblem, ConnectorSettings, Egress, Envelope, WireRequest
from rollback_audit.delivery.notice import MAX_FACTS, MAX_HEADLINE, MAX_VALUE, event_or_size, notice_of
from rollback_audit.states import AlertLevel

NOW = datetime(2026, 11, 23, 10, 5, tzinfo=UTC)
KEY = "gordackdelivery-0123456789abcdef"
NOTIFICATION = "cavra.go_backend.rollback_drill.notification"
# What a vendor's markup, a terminal or a template might read something out of.
ODD = "<!channel> <a@b|c> [x](y) *b* `c` @here {{t}} ${e} &amp; \u2603\u202e\x07\n\t"
WIDE = "\U0001f512"


def envelope(event: object, *, event_type: str = NOTIFICATION) -> Envelope:
    text = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)
    return Envelope(event=text.encode(), event_type=event_type, event_id="e", idempotency_key=KEY, occurred_at=NOW)


def settings(provider: str, *, secrets: dict[str, str] | None = None, **options: object) -> ConnectorSettings:
    return ConnectorSettings(
        name="it",
        provider=provider,
        enabled=True,
        url="https://receiver.example.com",
        secrets=secrets or {"token": "t", "routing_key": "r"},
        options=options,
        headers=(),
        egress=Egress(),
        digest="",
    )


def built(provider: str, given: Envelope) -> WireRequest:
    return registry.build(settings(provider, project="SEC"), given, now=NOW)


def test_a_notice_says_what_happened_how_bad_it_is_how_many_and_which() -> None:
    notice = notice_of(
        envelope(
            {
                "summary": {
                    "alert_level": "warning",
                    "audit_id": "gordnotice-1",
                    "delivery_id": "gordackdelivery-2",
                    "due_soon_count": 2,
                    "filters": {"owner": "left out"},
                    "next_delivery_at": None,
                    "plan_id": "gordplan-3",
                    "route_count": 2,
                    "schedule_ref": "",
                    "stale_count": 0,
                }
            }
        )
    )
    assert (notice.headline, notice.level) == ("Rollback drill notification: warning", AlertLevel.WARNING)
    assert notice.lines == (
        "Alert level: warning",
        "Counts: due soon 2, route 2",
        "Plan: gordplan-3",
        "Audit: gordnotice-1",
        "Delivery: gordackdelivery-2",
        f"Event: {KEY}",
    )


@pytest.mark.parametrize(
    "event",
    [
        "not json",
        "[]",
        "null",
        "[" * 100_000,
        {},
        {"summary": None},
        {"summary": []},
        {"summary": {"alert_level": "alarming", "route_count": "3", "stale_count": True}},
        {"summary": {"alert_level": ["critical"], "route_count": -1}},
    ],
    ids=repr,
)
def test_an_event_that_says_nothing_is_named_by_its_type_and_id(event: object) -> None:
    notice = notice_of(envelope(event))
    assert (notice.headline, notice.level) == ("Rollback drill notification", None)
    assert notice.lines == (f"Event: {KEY}",)


def full(text: str) -> Envelope:
    """An event whose every part is as long and as odd as it can be."""
    summary: dict[str, Any] = {f"{number:02}_{text[:60]}": text for number in range(40)}
    summary |= {f"{text[:30]}{number}_count": 10**12 for number in range(40)}
    summary |= {"alert_level": "critical", "audit_id": text, "delivery_id": text}
    return envelope({"summary": summary, "routes": [text] * 100}, event_type=f"cavra.go_backend.{text}")


@pytest.mark.parametrize(
    "text", [ODD * 100, WIDE * 5_000, "x" * 5_000, "<&>" * 2_000], ids=["odd", "wide", "long", "escaped"]
)
def test_every_part_of_a_notice_is_bounded_and_printable(text: str) -> None:
    notice = notice_of(full(text))
    assert len(notice.headline) <= MAX_HEADLINE
    assert all(character.isalnum() or character in " :" for character in notice.headline)
    assert len(notice.facts) == MAX_FACTS
    assert all(len(name) <= MAX_VALUE and len(value) <= MAX_VALUE for name, value in notice.facts)
    assert all(line.isprintable() for line in notice.lines)
    assert [name for name, _ in notice.facts][-3:] == ["Audit", "Delivery", "Event"]


@pytest.mark.parametrize(
    "text", [ODD * 100, WIDE * 5_000, "x" * 5_000, "<&>" * 2_000], ids=["odd", "wide", "long", "escaped"]
)
def test_the_vendors_limits_hold_for_the_oddest_event(text: str) -> None:
    given = full(text)
    slack = json.loads(built("slack", given).body)
    header, section = slack["blocks"]
    assert len(header["text"]["text"]) <= 150
    assert len(section["fields"]) <= 10
    assert all(0 < len(field["text"]) <= 2_000 for field in section["fields"])
    assert len(built("teams", given).body) <= 28_000
    issue = json.loads(built("jira", given).body)["fields"]
    assert len(issue["summary"]) <= 255
    assert len(json.dumps(issue["description"], ensure_ascii=False)) <= 32_767
    record = json.loads(registry.build(settings("servicenow"), given, now=NOW).body)
    assert len(record["short_description"]) <= 160
    assert len(record["description"]) <= 4_000


def test_slack_reads_no_mention_and_no_markup_out_of_a_value() -> None:
    body = built("slack", envelope({"summary": {"schedule_ref": ODD}})).body.decode()
    texts = [field for block in json.loads(body)["blocks"] for field in (block.get("fields") or [block["text"]])]
    assert {text["type"] for text in texts} == {"plain_text"}
    assert "<" not in body
    assert "&lt;!channel&gt;" in body


def test_teams_reads_no_markdown_out_of_a_value() -> None:
    card = json.loads(built("teams", envelope({"summary": {"schedule_ref": ODD}})).body)["attachments"][0]["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}


def test_the_event_stands_whole_in_a_ticket_or_not_at_all() -> None:
    given = envelope({"note": "caf\u00e9"})
    assert event_or_size(given, limit=len(given.event) - 1) == given.event.decode()
    assert event_or_size(given, limit=10) == f"The event has {len(given.event)} bytes, too many to show here."


@pytest.mark.parametrize(
    ("level", "severity", "urgency"),
    [("critical", "critical", "1"), ("warning", "warning", "2"), ("healthy", "info", "3"), (None, "info", None)],
)
def test_the_alert_level_decides_how_loud_a_page_or_a_ticket_is(
    level: str | None, severity: str, urgency: str | None
) -> None:
    given = envelope({"summary": {} if level is None else {"alert_level": level}})
    assert json.loads(built("pagerduty", given).body)["payload"]["severity"] == severity
    record = json.loads(registry.build(settings("servicenow"), given, now=NOW).body)
    assert record.get("urgency") == urgency


def test_a_label_that_jira_never_saw_is_an_answer_whatever_language_it_is_in() -> None:
    given = envelope({})
    unknown = json.dumps({"errorMessages": [f"Der Wert '{KEY}' existiert nicht f\u00fcr das Feld 'labels'."]})
    assert jira.holding(400, unknown.encode(), given) is None
    assert jira.holding(400, unknown.replace(KEY, "another").encode(), given) is not None


@pytest.mark.parametrize("body", [b'{"issues":{}}', b'{"issues":[1]}', b'{"issues":[{"fields":[]}]}', b'{"issues":0}'])
def test_an_odd_list_of_issues_says_nothing(body: bytes) -> None:
    verdict = jira.holding(200, body, envelope({}))
    assert verdict is not None
    assert not verdict.confirmed


@pytest.mark.parametrize("body", [b'{"result":{}}', b'{"result":[1]}', b'{"result":[{}]}', b'{"result":null}'])
def test_an_odd_list_of_records_says_nothing(body: bytes) -> None:
    verdict = servicenow.holding(200, body, envelope({}))
    assert verdict is not None
    assert not verdict.confirmed


def test_pagerduty_is_asked_only_with_a_key_for_its_rest_api() -> None:
    given = settings("pagerduty", secrets={"routing_key": "r"})
    assert pagerduty.question(given, envelope({}), receipt=None) is None
    asked = pagerduty.question(replace(given, secrets={"routing_key": "r", "api_key": "k"}), envelope({}), receipt=None)
    assert asked is not None
    assert asked.url.startswith("https://api.pagerduty.com/incidents?")


@pytest.mark.parametrize(
    ("provider", "secrets", "options", "key"),
    [
        ("servicenow", {}, {}, "token"),
        ("servicenow", {"token": "t", "api_key": "k"}, {}, "api_key"),
        ("servicenow", {"user": "u", "password": "p", "token": "t"}, {}, "password"),
        ("servicenow", {"user": "u", "token": "t"}, {}, "password"),
        ("servicenow", {"user": "u:v", "password": "p"}, {}, "user"),
        ("servicenow", {"token": "t"}, {"table": "incident/../sys_user"}, "table"),
        ("jira", {"token": "t", "email": "a:b"}, {"project": "SEC"}, "email"),
        ("jira", {"token": "t"}, {"project": "sec"}, "project"),
        ("pagerduty", {"routing_key": "r"}, {"region": "mars"}, "region"),
        ("pagerduty", {"routing_key": "r"}, {"api_url": "http://api.example.com"}, "api_url"),
        ("pagerduty", {"routing_key": "r"}, {"api_url": "https://api.example.com:22"}, "api_url"),
        ("pagerduty", {"routing_key": "r"}, {"api_url": "https://api.example.com?x"}, "api_url"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_by_name(
    provider: str, secrets: dict[str, str], options: dict[str, object], key: str
) -> None:
    given = replace(settings(provider), secrets=secrets, options=options)
    with pytest.raises(ConfigurationProblem) as refused:
        registry.CONNECTORS[provider].check(given)
    assert refused.value.key == key


@pytest.mark.parametrize("provider", ["jira", "servicenow", "pagerduty"])
def test_a_base_with_a_query_is_refused(provider: str) -> None:
    given = replace(settings(provider, project="SEC"), url="https://receiver.example.com/?x=1")
    if provider == "servicenow":
        given = replace(given, secrets={"token": "t"})
    with pytest.raises(ConfigurationProblem) as refused:
        registry.CONNECTORS[provider].check(given)
    assert refused.value.key == "url"
