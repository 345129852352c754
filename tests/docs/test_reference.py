"""Every public name is documented: in the source, and so in the page that is made of it."""

import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import crm_framework
import crm_framework.testing

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
TOOL = runpy.run_path(str(ROOT / "tools" / "reference.py"))
NAMES = [(package, name) for package in (crm_framework, crm_framework.testing) for name in package.__all__]


def test_the_committed_page_is_what_the_tool_writes(tmp_path: Path) -> None:
    written = tmp_path / "reference.md"
    subprocess.run([sys.executable, ROOT / "tools" / "reference.py", written], cwd=tmp_path, check=True)
    assert written.read_text(encoding="utf-8") == PAGE, "run `make reference`, and look at what changed"


def test_every_public_name_has_one_section_and_nothing_else_has() -> None:
    sections = [line.removeprefix("### ").strip("`") for line in PAGE.splitlines() if line.startswith("### ")]
    assert sorted(sections) == sorted(name for _, name in NAMES)


@pytest.mark.parametrize(("package", "name"), NAMES, ids=lambda value: str(getattr(value, "__name__", value)))
def test_it_has_a_docstring_of_its_own(package: ModuleType, name: str) -> None:
    home = package._HOME.get(name)
    module = package.__name__
    assert TOOL["documentation"](f"{module}.{home}" if home else module, name)


def test_a_dataclass_without_one_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = "from dataclasses import dataclass\n\n\n@dataclass\nclass Parcel:\n    weight: int\n"
    (tmp_path / "undocumented_parcel.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(LookupError, match="Parcel has no docstring of its own in undocumented_parcel"):
        TOOL["documentation"]("undocumented_parcel", "Parcel")


def test_the_page_says_nothing_of_the_machine_that_wrote_it() -> None:
    assert str(ROOT) not in PAGE
    assert " at 0x" not in PAGE
