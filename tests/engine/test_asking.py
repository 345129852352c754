"""What a list is asked for is worked out anew only where something differs, and then for everyone alike."""

from collections.abc import Sequence
from typing import Any

import pytest

from crm_framework.engine import listings
from crm_framework.engine.connections import Connected
from crm_framework.engine.declarations import Source
from crm_framework.engine.sql import Fragment

from .conftest import Library

LISTS = (
    "query %s($n: Int, $by: [BookOrder!]) { books(first: $n, orderBy: $by) { nodes { title } }"
    " writers(first: 2) { nodes { name catalogue(first: 1) { nodes { title } } } } }"
)
"""Each test takes a name of its own for it, as plans are kept."""
SEARCH = "query($text: String) { books(first: 2, search: $text) { nodes { title } } }"
FILTERED = "{ books(first: 2, filter: {lent: {eq: true}}) { nodes { title } } }"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lists for which it was worked out, by their fields."""
    found: list[str] = []
    real = Connected.asked

    def noted(self: Connected, field: Any, *arguments: Any) -> Any:
        found.append(field.python_name)
        return real(self, field, *arguments)

    monkeypatch.setattr(Connected, "asked", noted)
    return found


async def test_the_same_again_takes_no_work(filled: Library, asked: list[str]) -> None:
    first = await filled.data(LISTS % "Same", {"n": 3})
    assert sorted(asked) == ["books", "catalogue", "writers"]
    statements = list(filled.reader.log)
    asked.clear()
    assert await filled.data(LISTS % "Same", {"n": 3}) == first
    assert asked == []
    assert filled.reader.log == statements


async def test_other_values_are_asked_for_anew(filled: Library, asked: list[str]) -> None:
    for n in (3, 2, 3):
        found = await filled.data(LISTS % "Values", {"n": n})
        assert len(found["books"]["nodes"]) == n
    assert asked.count("books") == 3
    assert asked.count("writers") == asked.count("catalogue") == 1


async def test_other_sizes_of_pages_are_asked_for_anew(filled: Library, asked: list[str]) -> None:
    for size in (4, 1, 4):
        found = await filled.data(LISTS % "Sizes", page_default=size)
        assert len(found["books"]["nodes"]) == size
    assert asked.count("books") == 3


async def test_orders_differ(filled: Library) -> None:
    def by(direction: str) -> dict[str, Any]:
        return {"n": 1, "by": [{"field": "TITLE", "direction": direction}]}

    for direction, title in (("ASC", "T000-000"), ("DESC", "T003-004"), ("ASC", "T000-000")):
        found = await filled.data(LISTS % "Orders", by(direction))
        assert found["books"]["nodes"] == [{"title": title}]


async def test_searches_differ(filled: Library) -> None:
    for text, titles in (
        ("001-002", ["T001-002"]),
        ("003-003", ["T003-003"]),
        (None, ["T000-000", "T000-001"]),
    ):
        found = await filled.data(SEARCH, {"text": text})
        assert [one["title"] for one in found["books"]["nodes"]] == titles


async def test_filters_are_looked_at_each_time(filled: Library, asked: list[str]) -> None:
    """Rights and lookups have a say in them."""
    for _ in range(2):
        await filled.data(FILTERED)
    assert asked == ["books", "books"]


async def test_everyone_gets_what_they_reach(filled: Library) -> None:
    """Whoever asked the same before them."""

    def only(number: int | None) -> Any:
        def restrict(source: Source) -> Fragment | None:
            if source.table != "lib_book" or number is None:
                return None
            return Fragment("t.title LIKE ?", (f"%-{number:03d}",))

        return restrict

    def titles(found: Any) -> Sequence[set[str]]:
        lists = [found["books"], *(one["catalogue"] for one in found["writers"]["nodes"])]
        return [{node["title"][-3:] for node in one["nodes"]} for one in lists]

    everything = await filled.data(LISTS % "Reach", {"n": 50}, restrict=only(None))
    for number in (1, 2, 1):
        found = await filled.data(LISTS % "Reach", {"n": 50}, restrict=only(number))
        assert titles(found) == [{f"{number:03d}"}] * 3
        assert await filled.data(LISTS % "Reach", {"n": 50}, restrict=only(None)) == everything


async def test_statements_are_made_once(filled: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "{ books(first: 2) { nodes { title } } }"
    expected = await filled.data(text)
    monkeypatch.setattr(listings, "all_of", None)  # none can be made any more
    assert await filled.data(text) == expected
