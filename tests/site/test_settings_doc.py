"""docs/settings.md and the readers agree, setting by setting."""

import dataclasses
import re

from cavra_site import env

_ROW = re.compile(r"^\| `(CAVRA_[A-Z_]+)` \| (.*?) \| (.*?) \|$", re.MULTILINE)
DOCUMENT = (env.BASE_DIR / "docs" / "settings.md").read_text(encoding="utf-8")


def default_in_words(setting: env.Setting) -> str:
    if setting.default is None:
        return "none"
    return f"`{setting.default}`" if setting.default else "empty"


def test_the_table_lists_every_setting_with_its_default_and_meaning() -> None:
    expected = [(setting.name, default_in_words(setting), setting.meaning) for setting in env.SETTINGS.values()]
    assert _ROW.findall(DOCUMENT) == expected


def test_the_environment_has_a_field_for_every_setting_and_no_other() -> None:
    fields = [f"{env.PREFIX}{field.name.upper()}" for field in dataclasses.fields(env.Environment)]
    assert fields == list(env.SETTINGS)


def test_no_other_setting_is_spoken_of() -> None:
    spoken_of = set(re.findall(r"CAVRA_[A-Z_]+[A-Z]", DOCUMENT))
    assert spoken_of <= set(env.SETTINGS)
