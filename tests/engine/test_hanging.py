"""What hangs on a page's records and is read with them: who asks, and for what, decides each time, whoever
asked last.
"""

from collections.abc import Callable
from typing import Any

import pytest
import strawberry

from crm_framework.engine import (
    PUBLIC,
    Connection,
    EngineSchema,
    Node,
    RequestError,
    connection,
    hanging,
    node,
    one,
)
from crm_framework.engine.declarations import Source, require_source
from crm_framework.engine.execute import reference_execute
from crm_framework.engine.sql import Fragment

from . import library
from .conftest import Library, LibraryReader
from .test_json_texts import insert

TEXT = """query %s($title: String, $n: Int) { writers(first: 50) { nodes {
  name debut(title: $title) { title } latest: catalogue(first: $n) { nodes { title } } life { born } } } }"""
"""Each test takes a name of its own for it, as plans are kept."""


@pytest.fixture
async def shelves(reader: LibraryReader) -> Library:
    """Three authors: of three books, of one, and of none."""
    schema = library.make_schema(library.PLAIN_CONFIG, plain_scalars=("DateTime", "Date"))
    for number, name in enumerate(("A", "B", "C"), 1):
        await reader.insert("lib_author", id=library.key(number), name=name, born=None, mentor_id=None)
    for number, author in ((10, 1), (11, 1), (12, 1), (13, 2)):
        await insert(reader, number, author_id=library.key(author))
    return Library(schema, reader)


async def asked(
    shelves: Library, text: str, given: dict[str, Any] | None = None, **settings: Any
) -> tuple[Any, int]:
    """What is answered, which is the same as the reference's, and how many statements that takes."""
    found = await shelves.ask(text, given, **settings)
    taken = len(shelves.reader.log)
    expected = await reference_execute(shelves.schema, text, given, None, shelves.visit(**settings))
    assert (found.data, found.errors) == (expected.data, expected.errors)
    return found, taken


def books(found: Any) -> list[tuple[str | None, list[str]]]:
    """The debut and the latest books of each author."""
    return [
        (one["debut"] and one["debut"]["title"], [book["title"] for book in one["latest"]["nodes"]])
        for one in found.data["writers"]["nodes"]
    ]


async def test_the_same_again_takes_no_work(shelves: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    text, given = TEXT % "Same", {"n": 1}
    first, taken = await asked(shelves, text, given)
    assert books(first) == [("T10", ["T12"]), ("T13", ["T13"]), (None, [])]
    assert taken == 1
    monkeypatch.setattr(hanging, "asked_at_once", None)
    monkeypatch.setattr(hanging, "choice_of", None)
    assert (await asked(shelves, text, given))[0].data == first.data


def only(table: str, sql: str) -> Callable[[Source], Fragment | None]:
    return lambda source: Fragment(sql) if source.table == table else None


async def test_everyone_gets_what_they_reach(shelves: Library) -> None:
    """Of single records and of lists, whoever asked the same before them."""
    text, given = TEXT % "Reach", {"n": 1}
    everything = [("T10", ["T12"]), ("T13", ["T13"]), (None, [])]
    nobody: list[tuple[str | None, list[str]]] = [(None, []), (None, []), (None, [])]
    for sql, expected in (
        ("t.title <> 'T10'", [("T11", ["T12"]), *everything[1:]]),
        ("t.title < 'T12'", [("T10", ["T11"]), *nobody[1:]]),
        (f"t.author_id = '{library.key(2)}'", [nobody[0], *everything[1:]]),
        ("1 = 0", nobody),
        ("t.title <> 'T10'", [("T11", ["T12"]), *everything[1:]]),
    ):
        found, taken = await asked(shelves, text, given, restrict=only("lib_book", sql))
        assert (books(found), taken) == (expected, 1)
        assert books((await asked(shelves, text, given))[0]) == everything


async def test_what_follows_for_one_does_not_for_the_next(shelves: Library) -> None:
    text, given, hidden = TEXT % "Following", {"n": 1}, only("lib_book", "1 = 0")
    for _ in range(2):
        followed = await shelves.ask(
            text, given, restrict=hidden, restrict_below=lambda parent, source, key: None
        )
        assert books(followed) == [("T10", ["T12"]), ("T13", ["T13"]), (None, [])]
        assert books((await asked(shelves, text, given, restrict=hidden))[0]) == [(None, [])] * 3


async def test_other_values_are_asked_for_anew(shelves: Library) -> None:
    text = TEXT % "Values"
    for title, n, expected in (
        (None, 1, [("T10", ["T12"]), ("T13", ["T13"]), (None, [])]),
        ("T11", 1, [("T11", ["T12"]), (None, ["T13"]), (None, [])]),
        ("T11", 2, [("T11", ["T12", "T11"]), (None, ["T13"]), (None, [])]),
        ("T13", 0, [(None, []), ("T13", []), (None, [])]),
        (None, 1, [("T10", ["T12"]), ("T13", ["T13"]), (None, [])]),
    ):
        found, _ = await asked(shelves, text, {"title": title, "n": n})
        assert books(found) == expected


async def test_other_sizes_of_pages_are_asked_for_anew(shelves: Library) -> None:
    text = "query Sizes { writers { nodes { debut { title } latest: catalogue { nodes { title } } } } }"
    for size in (1, 2, 1, 3):
        found, _ = await asked(shelves, text, page_default=size)
        assert [len(latest) for _, latest in books(found)] == [size, 1, 0][:size]


async def test_what_is_wrong_for_one_is_right_for_the_next(shelves: Library) -> None:
    text = TEXT % "Wrong"
    right = [("T10", ["T12"]), ("T13", ["T13"]), (None, [])]
    for given, wrong in (({"title": "?", "n": 1}, "debut"), ({"n": -1}, "latest"), ({"n": 1000}, "latest")):
        for _ in range(2):
            found, _ = await asked(shelves, text, given)
            assert {error["path"][-1] for error in found.errors} == {wrong}
        assert books((await asked(shelves, text, {"n": 1}))[0]) == right


async def test_filters_are_looked_at_each_time(shelves: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights have a say in them."""
    text = (
        "query Filtered { writers(first: 3) { nodes { debut { title }"
        ' latest: catalogue(first: 1, filter: {title: {eq: "T10"}}) { nodes { title } } } } }'
    )
    for _ in range(2):
        assert books((await asked(shelves, text))[0]) == [("T10", ["T10"]), ("T13", []), (None, [])]

    def refused(*_: Any) -> None:
        raise RequestError("FORBIDDEN", "not any more")

    monkeypatch.setattr("crm_framework.engine.connections.check_members", refused)
    found, _ = await asked(shelves, text)
    assert [error["path"][-1] for error in found.errors] == ["latest"]


TODAY = {"title": "T11"}


@node(table="lib_author", permission=PUBLIC, shared=True)
class Columnist(Node):
    """Who is shown with the book of the day."""

    today: library.Book | None = one(
        key="author_id",
        narrow=lambda: Fragment("t.title = ?", (TODAY["title"],)),
        description="The book of the day.",
    )


@strawberry.type
class Columnists:
    columnists: Connection[Columnist] = connection(description="All of them.", permission=PUBLIC)


async def test_what_narrows_is_asked_each_time(shelves: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function may go by more than its arguments."""
    mine = Library(EngineSchema(Columnists, config=library.PLAIN_CONFIG), shelves.reader)
    for title in ("T11", "T12", "T11"):
        monkeypatch.setitem(TODAY, "title", title)
        found, taken = await asked(mine, "{ columnists(first: 2) { nodes { today { title } } } }")
        assert found.data == {"columnists": {"nodes": [{"today": {"title": title}}, {"today": None}]}}
        assert taken == 1


async def test_a_table_without_row_numbers_is_joined_by_its_key(
    shelves: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it is known to have none."""
    if shelves.reader.dialect == "postgres":
        return  # it needs none
    source = require_source(library.Book)
    monkeypatch.setattr(source, "row_number", source.row_number)  # and back
    text = (
        "query %s { writers(first: 50) { nodes { debut { title }"
        " latest: catalogue(first: 1) { nodes { title } } } } }"
    )
    found, taken = await asked(shelves, text % "Before")
    assert taken == 1
    await shelves.reader.run("ALTER TABLE lib_book RENAME TO lib_numbered")
    await shelves.reader.run(library.TABLES[1].format(**library.TYPES["sqlite"]).rstrip() + " WITHOUT ROWID")
    await shelves.reader.run("INSERT INTO lib_book SELECT * FROM lib_numbered")
    # at first the page, it alone, twice the first list, and the other
    for name, statements in (("First", 5), ("First", 1), ("First", 1), ("Before", 1)):
        again, taken = await asked(shelves, text % name)
        assert (again.data, taken) == (found.data, statements)
