"""docs/connectors.md says of each provider what the code says."""

import re
from pathlib import Path

import pytest

from rollback_audit.delivery import registry
from rollback_audit.states import RepeatCheck

PAGE = (Path(__file__).parents[3] / "docs" / "connectors.md").read_text(encoding="utf-8")
SECTIONS = {
    heading: text for heading, _, text in (part.partition("\n") for part in re.split(r"^## ", PAGE, flags=re.M))
}
ROWS = {
    cells[0]: cells[1:]
    for cells in re.findall(r"^\| \[`(\w+)`\]\(#\1\) \| (.+) \| (.+) \| (.+) \| (.+) \|$", PAGE, re.M)
}


def test_the_table_of_providers_is_that_of_the_code() -> None:
    assert {
        provider: (
            str(connector.CATEGORY),
            "yes" if connector.DROPS_REPEATS else "no",
            str(registry.ASKING[provider].ASKS_BY if provider in registry.ASKING else RepeatCheck.NEVER),
            f"{connector.MAX_BODY_BYTES:,} bytes",
        )
        for provider, connector in registry.CONNECTORS.items()
    } == ROWS


@pytest.mark.parametrize("provider", sorted(registry.CONNECTORS))
def test_every_provider_has_a_section_that_names_each_of_its_keys(provider: str) -> None:
    section, connector = SECTIONS[provider], registry.CONNECTORS[provider]
    named = set(re.findall(r"`(\w+)`", section))
    missing = [key for key in connector.SECRETS if not {f"{key}_env", f"{key}_file"} & named]
    missing += [key for key in connector.OPTIONS if key not in named]
    assert missing == []
    for heading in ("**Ask for**", "**Sent**", "**Repeats**", "**Holds**", "**Checked**"):
        assert heading in section
