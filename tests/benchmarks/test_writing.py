from pathlib import Path

import pytest

from benchmarks.report import Sheet
from benchmarks.writing import BEGIN, END, README, write

SHEET = Sheet("A title", ("workload", "ratio"), [("customer by id", "0.70"), ("create", "0.80")])


def test_tables_replace_what_is_between_the_marks(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write(["2 cores."], [SHEET], readme)
    assert readme.read_text() == (
        f"before\n{BEGIN}\n\n2 cores.\n\nA title:\n\n"
        "| workload | ratio |\n|---|--:|\n| customer by id | 0.70 |\n| create | 0.80 |\n\n"
        f"{END}\nafter\n"
    )


def test_a_file_without_marks_stays_as_it_is(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("text\n")
    with pytest.raises(ValueError, match="has no"):
        write(["2 cores."], [SHEET], readme)
    assert readme.read_text() == "text\n"


def test_the_readme_has_the_marks() -> None:
    text = README.read_text(encoding="utf-8")
    assert 0 < text.index(BEGIN) < text.index(END)
