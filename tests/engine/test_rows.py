import asyncio
from typing import Any

import pytest

from crm_framework.engine import Batch, Context, Level, encode_id
from crm_framework.engine.errors import FieldFailure
from crm_framework.engine.rows import Outcome, canonical, wrap

from . import library
from .conftest import Library


async def test_a_batch_runs_once_per_arguments(filled: Library) -> None:
    found = await filled.data(
        """query ($n: Int) { authors {
             shelf { count } again: shelf(least: 0) { count } other: shelf(least: 9) { count }
             ...More ... on Author { shelf { author { name } } } } }
           fragment More on Author { third: shelf(least: $n) { count } }""",
        {"n": 9},
    )
    assert found["authors"][3] == {
        "shelf": {"count": 5, "author": {"name": "A003"}},
        "again": {"count": 5},
        "other": None,
        "third": None,
    }
    assert library.CALLS == [("shelf", 4), ("shelf", 4)]


async def test_siblings_of_all_parents_form_one_level(filled: Library) -> None:
    found = await filled.data("{ authors { grid { count value { symbol } author { name } } } }")
    assert (
        found["authors"][1]["grid"]
        == [[{"count": n, "value": None, "author": {"name": "A001"}} for n in range(2)]] * 2
    )
    assert library.CALLS == [("grid", 4)]
    assert len(filled.reader.log) == 2


async def test_objects_in_attributes_of_siblings_form_one_level(filled: Library) -> None:
    found = await filled.data("{ authors { shelf { value { symbol } top { author { name } } } } }")
    assert [author["shelf"]["value"]["symbol"] for author in found["authors"]] == ["€"] * 4
    assert library.CALLS == [("shelf", 4), ("symbol", 4)]
    assert len(filled.reader.log) == 3


async def test_what_a_computed_field_makes_forms_one_level(filled: Library) -> None:
    found = await filled.data("{ authors(limit: 1) { books { cost { amount symbol } } } }")
    costs = [book["cost"] for book in found["authors"][0]["books"]]
    assert [cost and cost["amount"] for cost in costs] == ["10.50", "11.50", "12.50", None, "14.50"]
    assert library.CALLS == [("symbol", 4)]


async def test_interfaces_and_unions_resolve_rows_and_plain_objects(filled: Library) -> None:
    text = """{ node(id: "%s") { __typename id ... on Author { name shelf { count } } }
                finds { __typename ... on Author { name books { title } } ... on Poster { headline }
                        ... on Book { title author { name } } } }"""
    found = await filled.data(text % encode_id("Author", library.key(1)))
    assert found["node"] == {
        "__typename": "Author",
        "id": encode_id("Author", library.key(1)),
        "name": "A001",
        "shelf": {"count": 5},
    }
    assert [one["__typename"] for one in found["finds"]] == ["Author", "Author", "Poster", "Book", "Book"]
    assert found["finds"][2] == {"__typename": "Poster", "headline": "Read!"}
    assert found["finds"][4] == {"__typename": "Book", "title": "T000-001", "author": {"name": "A000"}}


async def test_pages_made_by_a_function(filled: Library) -> None:
    found = await filled.data(
        """{ authors(limit: 2) { posters {
             totalCount nodes { headline } edges { cursor } pageInfo { endCursor } } } }"""
    )
    assert found["authors"][1]["posters"] == {
        "totalCount": 7,
        "nodes": [{"headline": "A001"}],
        "edges": [{"cursor": "A001"}],
        "pageInfo": {"endCursor": "A001"},
    }


async def test_an_exception_in_the_list_is_the_error_of_one_field(filled: Library) -> None:
    await filled.reader.run("UPDATE lib_author SET name = 'B' WHERE id = ?", [library.key(1)])
    result = await filled.ask("{ authors { name fragile } }")
    assert result.data is None  # fragile may not be null, and neither may what it is in
    assert [error["path"] for error in result.errors] == [["authors", 3, "fragile"]]
    assert "no B" not in str(result.response)


async def test_an_exception_of_the_batch_is_the_error_of_each_field(
    filled: Library, caplog: pytest.LogCaptureFixture
) -> None:
    result = await filled.ask('{ authors { fragile(mode: "all") } }')
    assert result.data is None
    assert {error["extensions"]["code"] for error in result.errors} == {"INTERNAL"}
    assert "secret" not in str(result.response)
    assert len(caplog.records) == 1


async def test_a_batch_of_the_wrong_length_misassigns_nothing(
    filled: Library, caplog: pytest.LogCaptureFixture
) -> None:
    result = await filled.ask('{ authors { fragile(mode: "short") } }')
    assert result.data is None
    assert result.code == "INTERNAL"
    assert "Author.fragile: the batch returned 1 results for 4 parents" in caplog.text


async def test_a_refusal_of_a_batch_is_shown(filled: Library) -> None:
    result = await filled.ask('{ authors(limit: 1) { fragile(mode: "refused") } }')
    assert [(e["message"], e["extensions"], e["path"]) for e in result.errors] == [
        ("mode: refused is refused", {"code": "BAD_INPUT"}, ["authors", 0, "fragile"])
    ]


async def test_one_who_stops_waiting_stops_no_one_else(filled: Library) -> None:
    outcome = Outcome()
    gate = asyncio.Event()

    async def run() -> list[str]:
        await gate.wait()
        return ["a", "b"]

    outcome.start(filled.visit(), run)
    impatient, patient = outcome.take(0), outcome.take(1, str.upper)
    impatient.cancel()
    gate.set()
    assert await patient == "B"
    assert outcome.take(0) == "a"


async def test_cancelling_a_batch_reaches_all_who_wait(filled: Library) -> None:
    visit = filled.visit()
    outcome = Outcome()

    async def run() -> list[str]:
        await asyncio.sleep(60)
        return []

    outcome.start(visit, run)
    waiting = outcome.take(0)
    await asyncio.sleep(0)
    for task in list(visit.tasks):
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0)
    assert visit.tasks == set()


async def test_failures_are_raised_anew_for_each_field(filled: Library) -> None:
    outcome = Outcome()
    outcome.start(filled.visit(), lambda: [ValueError("x"), 1])
    with pytest.raises(FieldFailure) as first:
        outcome.take(0)
    with pytest.raises(FieldFailure) as second:
        outcome.take(0)
    assert first.value is not second.value
    assert first.value.error is second.value.error
    assert outcome.take(1) == 1


async def test_a_batch_is_a_sequence_of_its_parents(filled: Library) -> None:
    level = Level(filled.visit(), library.Shelf)
    shelves = [library.Shelf(author_id=str(n), count=n, top=None) for n in range(3)]
    for each in shelves:
        level.add(each)
    batch: Batch[Any] = Batch(level)
    assert (len(batch), batch[1], list(batch[1:])) == (3, shelves[1], shelves[1:])
    assert batch.column("count") == [0, 1, 2]


async def test_wrapping_keeps_what_is_no_object(filled: Library) -> None:
    context: Context = filled.visit()
    shelf = library.Shelf(author_id="a", count=1, top=None)
    wrapped = wrap(context, [None, [shelf], "text", {"a": 1}])
    assert wrapped[0] is None
    assert wrapped[1][0]._values is shelf
    assert wrapped[2:] == ["text", {"a": 1}]
    assert wrap(context, wrapped[1][0]) is wrapped[1][0]


def test_equal_arguments_have_one_canonical_form() -> None:
    assert canonical({"b": [1, {"c": 2}], "a": None}) == canonical({"a": None, "b": (1, {"c": 2})})
    assert canonical(True) != canonical(1)
    assert canonical(1) != canonical(1.0)
    assert len({canonical(library.Shelf(author_id="a", count=n, top=None)) for n in (1, 1, 2)}) == 2
