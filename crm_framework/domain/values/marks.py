"""Runs of combining marks, kept short: to put one into order takes time with the square of its length.

The bound and what counts as a run are those of Unicode's Stream-Safe Text Format (UAX #15, section 13).
"""

import re
import unicodedata
from functools import cache

MOST_MARKS = 30
"""Combining marks that may follow each other. The most that any language writes is a handful."""

_FIRST, _BEYOND = 0x300, 0x20000
"""No mark is below or above; to look at all of Unicode would take ten times as long."""


def stream_safe(text: str) -> str:
    """The text with 30 combining marks after each other at most: the rest of a longer run is left out."""
    return _long_runs().sub(r"\1", text) if _may_have_long_runs(text) else text


def has_long_run(text: str) -> bool:
    """Whether more than 30 combining marks follow each other."""
    return _may_have_long_runs(text) and _long_runs().search(text) is not None


def _may_have_long_runs(text: str) -> bool:
    """In one of 31 characters at most: a longer run has a mark at one of these places."""
    if len(text) <= MOST_MARKS or text.isascii():
        return False
    return _mark().search(text[MOST_MARKS :: MOST_MARKS + 1]) is not None


@cache
def _mark() -> re.Pattern[str]:
    return re.compile(_marks())


@cache
def _long_runs() -> re.Pattern[str]:
    """Linear: only where a run begins is it read to its end."""
    one = _marks()
    return re.compile(f"({one}(?<!{one}{one}){one}{{{MOST_MARKS - 1}}}){one}+")


@cache
def _marks() -> str:
    """What continues a run, as a class of a regular expression."""
    ranges: list[tuple[int, int]] = []
    for code in filter(_continues, range(_FIRST, _BEYOND)):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    return f"[{''.join(f'{chr(first)}-{chr(last)}' for first, last in ranges)}]"


def _continues(code: int) -> bool:
    """Whether a character begins with a mark once it is taken apart, as U+FF9E does, which is none itself."""
    letter = chr(code)
    if unicodedata.combining(letter):
        return True
    apart = unicodedata.decomposition(letter) and unicodedata.normalize("NFKD", letter)
    return bool(apart) and unicodedata.combining(apart[0]) != 0
