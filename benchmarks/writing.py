"""`--write`: puts the tables of a run into the README."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import Sheet

README = Path(__file__).resolve().parent / "README.md"
BEGIN, END = "<!-- made by --write: begin -->", "<!-- made by --write: end -->"


def write(said: Sequence[str], sheets: Sequence[Sheet], readme: Path = README) -> None:
    """Replaces what is between the marks. Raises ValueError if one is missing."""
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme} has no {BEGIN} with {END} after it.")
    parts = [*said, *(sheet.markdown().strip() for sheet in sheets)]
    readme.write_text(f"{before}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}", encoding="utf-8")
