import re
from pathlib import Path

import msgspec
import pytest

from crm_framework.settings import FIELDS, OTHER_VARIABLES, SECTIONS, Settings

TEXT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")


def shown(value: object) -> str:
    if value in ((), None):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def test_every_setting_is_documented_with_its_default() -> None:
    section = TEXT.split("## Settings of the core")[1].split("\n##")[0]
    documented = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.MULTILINE))
    assert documented == {name: shown(getattr(Settings(), name)) for name in FIELDS if name not in SECTIONS}


@pytest.mark.parametrize("name", SECTIONS)
def test_every_setting_of_a_section_is_documented_with_its_default(name: str) -> None:
    section = TEXT.split(f"### `[{name}]`")[1].split("\n##")[0]
    documented = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.MULTILINE))
    fields = msgspec.structs.fields(SECTIONS[name])
    assert documented == {field.name: shown(field.default) for field in fields}


def test_every_other_variable_is_documented() -> None:
    section = TEXT.split("## Variables that are no settings")[1]
    assert set(re.findall(r"^\| `(CRM_\w+)` \|", section, re.MULTILINE)) == OTHER_VARIABLES
