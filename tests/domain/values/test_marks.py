"""Runs of combining marks: what continues one, and what is left of a long one."""

import sys
import unicodedata
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_framework.domain.values import marks

ACUTE, GRAVE_BELOW = "\u0301", "\u0316"


def continues(letter: str) -> bool:
    return unicodedata.combining(unicodedata.normalize("NFKD", letter)[0]) != 0


def test_what_continues_a_run_is_what_begins_with_a_mark_in_all_of_unicode() -> None:
    letters = "".join(map(chr, range(sys.maxunicode + 1)))
    found = [letter for letter in letters if continues(letter)]
    assert marks._mark().findall(letters) == found
    assert {ACUTE, "\u0f73", "\uff9e", "\U0001e94a"} <= set(found)


@pytest.mark.parametrize("mark", [ACUTE, "\u0f73", "\uff9e", "\U0001e94a"])
@pytest.mark.parametrize("before", [0, 1, 29, 30, 31, 62])
def test_a_run_has_thirty_marks_at_most(mark: str, before: int) -> None:
    start = "é" * before
    assert marks.stream_safe(start + mark * 30) == start + mark * 30
    assert not marks.has_long_run(start + mark * 30)
    assert marks.stream_safe(start + mark * 31 + "z") == start + mark * 30 + "z"
    assert marks.has_long_run(start + mark * 31 + "z")


def test_marks_of_several_kinds_are_one_run() -> None:
    text = "a" + ACUTE * 20 + GRAVE_BELOW * 20 + "b" + ACUTE * 5
    assert marks.stream_safe(text) == "a" + ACUTE * 20 + GRAVE_BELOW * 10 + "b" + ACUTE * 5


@given(st.text(st.sampled_from(["a", "é", ACUTE, ACUTE, GRAVE_BELOW, "\uff9e"]), max_size=300))
def test_the_rest_of_a_run_is_left_out(text: str) -> None:
    kept: list[str] = []
    for letter in text:
        run = sum(1 for _ in takewhile(continues, reversed(kept)))
        if not continues(letter) or run < marks.MOST_MARKS:
            kept.append(letter)
    assert marks.stream_safe(text) == "".join(kept)
    assert marks.has_long_run(text) == (len(kept) < len(text))
