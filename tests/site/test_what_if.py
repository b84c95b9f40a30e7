"""`cavra plan --what-if POLICY --since T`."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from rollback_audit.errors import InvalidInput
from rollback_audit.management.backtests import read_policy, read_since
from rollback_audit.models import RetryPlan
from rollback_audit.planning.facts import RetryPolicy
from tests import factories

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command("plan", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def outage(db: None) -> None:
    """A failure ten hours ago, confirmed again twelve minutes later."""
    siem, began = factories.connector("siem"), factories.now() - timedelta(hours=10)
    factories.failed(siem, at=began)
    factories.delivery(siem, at=began + timedelta(minutes=12))


@pytest.mark.usefixtures("outage")
def test_the_two_policies_are_printed_side_by_side() -> None:
    lines = said("--what-if", "delay_minutes=5,multiplier=1,max_retries=6", "--since", "12h").splitlines()
    assert lines[0].startswith("First failures since ")
    assert lines[0].endswith(" UTC: 1")
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
    assert rows["retry_delay_minutes"] == ["15", "5"]
    assert rows["retry_count"] == ["2"]
    assert rows["median_recovery_minutes"] == ["15.0", "15.0"]
    assert len({len(line) for line in lines if line.split()[:1] in (["max_delay_minutes"], ["recovered_count"])}) == 1


@pytest.mark.usefixtures("outage")
def test_json_is_the_record() -> None:
    record = json.loads(said("--what-if", '{"retry_delay_minutes": 5}', "--since", "90d", "--json"))
    assert record["schema_version"].endswith("-retry-policy-back-test.v1")
    assert (record["present"]["retry_count"], record["proposed"]["retry_count"]) == (1, 2)
    assert not RetryPlan.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--what-if", "delay_minutes=5"], "--what-if and --since go together"),
        (["--since", "7d"], "--what-if and --since go together"),
        (["--json"], "--json goes with --what-if"),
        (["--what-if", "delay_minutes=0", "--since", "7d"], "retry_delay_minutes: 0 needs allow_immediate_retry"),
        (["--what-if", "eager", "--since", "7d"], "what-if: Expected a JSON object"),
        (["--what-if", "delay_minutes=five", "--since", "7d"], "what-if: Expected a JSON object"),
        (["--what-if", '{"a": ', "--since", "7d"], "what-if: Expected a JSON object"),
        (["--what-if", "hurry=1", "--since", "7d"], "policy: It has an unknown field"),
        (["--what-if", "", "--since", "last week"], "since: Expected 7d"),
        (["--what-if", "", "--since", "91d"], "since: Expected a moment of the last 90 days"),
        (["--what-if", "", "--since", "7d", "--provider", "nobody"], "provider: Unknown provider"),
    ],
)
@pytest.mark.django_db
def test_what_cannot_be_replayed_is_said(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError) as refusal:
        said(*arguments)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("7d", NOON - timedelta(days=7)),
        ("12h", NOON - timedelta(hours=12)),
        ("30m", NOON - timedelta(minutes=30)),
        ("90d", NOON - timedelta(days=90)),
        ("2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T10:00:00+02:00", datetime(2026, 1, 1, 8, tzinfo=UTC)),
        ("2026-01-01T10:00Z", datetime(2026, 1, 1, 10, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_as_people_type_it(text: str, moment: datetime) -> None:
    assert read_since(text, now=NOON) == moment


@pytest.mark.parametrize(
    "text", ["", "d", "7 d", "-7d", "7w", "\N{ARABIC-INDIC DIGIT SEVEN}d", "0001-01-01T00:00+14:00", "999999d"]
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_since(text, now=NOON)


def test_a_policy_is_read_either_way() -> None:
    typed = read_policy("max_retries=5, allow_immediate_retry=true")
    assert typed == read_policy('{"max_retry_attempts": 5, "allow_immediate_retry": true}')
    assert typed == RetryPolicy(5, 0, allow_immediate_retry=True)
