"""Messages, cards and documents, as the vendors' own libraries and schemas see them."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rollback_audit.delivery import registry
from tests.delivery.conformance.case import ENVELOPE, NOW
from tests.receivers_real.conftest import Connector
from tests.receivers_real.installed import answer_of

pytestmark = [pytest.mark.receivers, pytest.mark.timeout(600)]  # of which most is pip

# Slack's library parses each block into its class, which knows the limits.
SLACK = """
import json, sys
from slack_sdk.models.blocks import Block
for block in json.load(sys.stdin)["blocks"]:
    parsed = Block.parse(block)
    parsed.validate_json()
    assert type(parsed) is not Block and parsed.to_dict() == block, (parsed, block)
print("taken")
"""
# Microsoft's library notes what it does not know, and leaves it out of what it gives back.
TEAMS = """
const { AdaptiveCard, SerializationContext } = require("adaptivecards/dist/adaptivecards.js");
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
const card = new AdaptiveCard();
const context = new SerializationContext();
card.parse(given, context);
const count = context.eventCount + card.validateProperties().validationEvents.length;
console.log(JSON.stringify({ count, items: card.getItemCount(), back: card.toJSON() }));
"""


def body(connector: Connector, provider: str) -> Any:
    return json.loads(registry.build(connector(provider), ENVELOPE, now=NOW).body)


def test_slacks_own_library_takes_every_block(connector: Connector, python: Path) -> None:
    assert answer_of(python, "-c", SLACK, given=json.dumps(body(connector, "slack"))) == "taken\n"


def test_slacks_own_library_would_notice_a_block_over_the_limit(connector: Connector, python: Path) -> None:
    message = body(connector, "slack")
    message["blocks"][1]["fields"] *= 2
    with pytest.raises(AssertionError, match="cannot exceed 10"):
        answer_of(python, "-c", SLACK, given=json.dumps(message))


def test_microsofts_own_library_knows_every_part_of_the_card(connector: Connector, node: Path) -> None:
    (attachment,) = body(connector, "teams")["attachments"]
    card = attachment["content"]
    seen = json.loads(answer_of("node", "-e", TEAMS, given=json.dumps(card), folder=node))
    assert (seen["count"], seen["items"]) == (0, len(card["body"]))
    texts = [run["text"] for block in card["body"] for run in block["inlines"]]
    assert [run["text"] for block in seen["back"]["body"] for run in block["inlines"]] == texts
    card["body"][0]["inlines"][0]["weight"] = "heavy"
    assert json.loads(answer_of("node", "-e", TEAMS, given=json.dumps(card), folder=node))["count"] > 0


def test_atlassians_own_schema_takes_the_description(connector: Connector, node: Path) -> None:
    schema = json.loads((node / "node_modules/@atlaskit/adf-schema/dist/json-schema/v1/full.json").read_bytes())
    document = body(connector, "jira")["fields"]["description"]
    checker = jsonschema.Draft4Validator(schema)
    checker.validate(document)
    document["content"][0]["type"] = "list"
    assert not checker.is_valid(document)
