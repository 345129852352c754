import re
from pathlib import Path

from crm_framework.testing import fixtures

TEXT = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
FOR_OURSELVES = {"test_databases", "plugin_dir"}


def test_every_fixture_is_documented() -> None:
    section = TEXT.split("## Fixtures")[1].split("\n## ")[0]
    documented = {
        name
        for line in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", line)
    }
    defined = {
        name for name, value in vars(fixtures).items() if type(value).__name__ == "FixtureFunctionDefinition"
    }
    assert documented == defined - FOR_OURSELVES
    assert defined >= FOR_OURSELVES
