"""The numbers in docs/conformance.md are those of the tests."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(test_\w+\.py)`.* \| (\d+) \|", re.MULTILINE)
OF_ANOTHER = re.compile(r"[\[-](reference.*|postgres)[\]-]")
"""Cases of another executor or database than the one that is counted."""


def test_the_table_counts_the_cases_of_each_file() -> None:
    listing = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/engine/spec"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    cases = Counter(
        Path(line.partition("::")[0]).name
        for line in listing.splitlines()
        if "::" in line and not OF_ANOTHER.search(line)
    )
    assert {file: int(number) for file, number in ROW.findall(PAGE)} == dict(cases)
