"""The straight way to one record by its id: what takes it, and that it means the same as the others."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from crm_framework.engine.context import Limits
from crm_framework.engine.declarations import Source
from crm_framework.engine.execute import reference_execute
from crm_framework.engine.ids import encode_id
from crm_framework.engine.result import Result
from crm_framework.engine.sql import Fragment
from crm_framework.engine.trace import Trace
from crm_framework.errors import CrmError, ErrorCode

from . import library
from .conftest import Library

ALL = "{ id __typename title year price publishedAt boughtOn lent binding facts readingTime }"
BOOK = encode_id("Book", library.key(1000))
STRAIGHT = {
    "columns": f"query($id: ID!) {{ book(id: $id) {ALL} }}",
    "an alias": "query($id: ID) { one: book(id: $id) { a: title b: title } }",
    "fragments": "query($id: ID) { book(id: $id) { ...F ... on Book { year } } } fragment F on Book { id }",
    "a default": f'query($id: ID = "{BOOK}") {{ book(id: $id) {{ title }} }}',
    "left out": "query($id: ID, $no: Boolean = false) { book(id: $id) { title author @include(if: $no)"
    " { id } } }",
}
OTHERS = {
    "a literal": f'query($id: ID) {{ book(id: "{BOOK}") {{ title }} none: book(id: $id) {{ year }} }}',
    "another argument": "query($id: ID) { book(id: $id, title: null) { title } }",
    "by title": "query($id: String) { book(title: $id) { title } }",
    "a reference": "query($id: ID) { book(id: $id) { title author { name } } }",
    "two roots": "query($id: ID) { book(id: $id) { title } other: book(id: $id) { year } }",
}
IDS = {
    "there": BOOK,
    "not there": encode_id("Book", library.key(77)),
    "of another type": encode_id("Author", library.key(0)),
    "no id": "abc",
    "empty": "",
    "null": None,
    "a number": 7,
    "a list": [BOOK],
    "an object": {"id": BOOK},
}


def shown(result: Result) -> Any:
    """A response without the numbers under which the log has its errors."""
    return json.loads(re.sub(r"(reference(\": \")? ?)[0-9a-f]{12}", r"\1", json.dumps(result.response)))


async def same(shelves: Library, text: str, variables: dict[str, Any], **settings: Any) -> Any:
    """The answer, which has to be that of graphql-core."""
    found = await shelves.ask(text, variables, **settings)
    counted = len(shelves.reader.log), list(library.CALLS)
    expected = await reference_execute(shelves.schema, text, variables, None, shelves.visit(**settings))
    assert shown(found) == shown(expected)
    assert found.refused is expected.refused
    return found, *counted


@pytest.mark.parametrize("name", [*STRAIGHT, *OTHERS])
async def test_every_id_is_answered_alike(shelves: Library, name: str) -> None:
    await shelves.fill(1)
    text = {**STRAIGHT, **OTHERS}[name]
    for id in IDS:
        found, statements, calls = await same(shelves, text, {"id": IDS[id]})
        if name in STRAIGHT and id == "there":
            assert (found.errors, statements, calls) == ([], 1, [])
    await same(shelves, text, {})


@pytest.mark.parametrize("name", OTHERS)
async def test_everything_else_calls_the_function(shelves: Library, name: str) -> None:
    await shelves.fill(1)
    _, _, calls = await same(shelves, OTHERS[name], {"id": BOOK})
    assert ("book", 1) in calls


async def test_what_the_actor_may_not_see_is_not_there(shelves: Library) -> None:
    await shelves.fill(1)
    text, given = STRAIGHT["columns"], {"id": BOOK}
    found, statements, _ = await same(shelves, text, given, permissions=frozenset())
    assert (found.errors[0]["extensions"]["code"], statements) == ("FORBIDDEN", 0)

    def restricting(sql: str) -> Callable[[Source], Fragment]:
        return lambda source: Fragment(sql, (library.key(1000),))

    for sql, there in (("t.id = ?", True), ("t.id <> ?", False)):
        found, _, _ = await same(shelves, text, given, restrict=restricting(sql))
        assert (found.data["book"] is not None) is there


async def test_values_that_cannot_be_written_fail_in_their_place(shelves: Library) -> None:
    await shelves.fill(1)
    await shelves.reader.run("UPDATE lib_book SET binding = 'unheard of'")
    found, _, calls = await same(shelves, STRAIGHT["columns"], {"id": BOOK})
    assert found.data["book"]["binding"] is None
    assert found.errors[0]["path"] == ["book", "binding"]
    assert calls == [("book", 1)]


async def test_a_read_that_fails_is_an_error_of_the_field(shelves: Library) -> None:
    await shelves.fill(1)
    asked = 0

    async def read(sql: str, args: Sequence[object], *, bounded: bool = False) -> Any:
        nonlocal asked
        asked += 1
        raise CrmError(ErrorCode.UNAVAILABLE, "The database is busy.")

    found = await shelves.ask(STRAIGHT["columns"], {"id": BOOK}, read=read)
    assert found.data == {"book": None}
    assert [error["path"] for error in found.errors] == [["book"]]
    assert asked == 1


async def test_costs_and_rows_are_counted(shelves: Library) -> None:
    await shelves.fill(1)
    text = STRAIGHT["columns"]
    spent: list[int] = []
    await shelves.ask(text, {"id": BOOK}, spend=spent.append)
    assert spent == [1]
    found = await shelves.ask(text, {"id": BOOK}, limits=Limits(max_rows=0))
    assert found.errors[0]["extensions"]["code"] == "TOO_COMPLEX"


async def test_an_explanation_names_it(shelves: Library) -> None:
    await shelves.fill(1)
    for text, how in ((STRAIGHT["columns"], "by key"), (OTHERS["another argument"], "root")):
        trace = Trace()
        await shelves.ask(text, {"id": BOOK}, trace=trace)
        assert [step.how for step in trace.ordered] == [how]
