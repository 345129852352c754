"""Pages with what hangs on their records, in one statement: lists on PostgreSQL, single records on both."""

from decimal import Decimal
from typing import Any

import orjson
import pytest
import strawberry

from crm_framework.engine import (
    PUBLIC,
    Connection,
    EngineSchema,
    Limits,
    Node,
    children,
    connection,
    node,
    one,
)
from crm_framework.engine.execute import execute, reference_execute
from crm_framework.engine.trace import Trace

from . import library
from .conftest import Library, LibraryReader
from .test_json_texts import insert, same

LISTS = "{ writers(first: 50) { nodes { name %s } } }"
BOOKS = "catalogue(first: 2, orderBy: [{field: TITLE}]) { nodes { id title year publishedAt lent binding } }"


@pytest.fixture
async def shelves(reader: LibraryReader) -> Library:
    """Three authors: of three books, of one, and of none."""
    schema = library.make_schema(library.PLAIN_CONFIG, plain_scalars=("DateTime", "Date"))
    for number, name in enumerate(("A", "B", "C"), 1):
        await reader.insert("lib_author", id=library.key(number), name=name, born=None, mentor_id=None)
    for number, author in ((10, 1), (11, 1), (12, 1), (13, 2)):
        await insert(reader, number, author_id=library.key(author), title=f'"T{number}"', year=None)
    return Library(schema, reader)


async def statements(shelves: Library, text: str, variables: dict[str, Any] | None = None) -> int:
    """How many the answer takes, which is the same as the reference's."""
    if variables is None:
        await same(shelves, text)
    mine = await shelves.ask(text, variables)
    taken = len(shelves.reader.log)
    reference = await reference_execute(shelves.schema, text, variables, None, shelves.visit())
    assert orjson.loads(mine.encoded()) == orjson.loads(reference.encoded())
    return taken


async def test_a_page_and_its_lists_are_one_statement_on_postgres(shelves: Library) -> None:
    one = shelves.reader.dialect == "postgres"
    assert await statements(shelves, LISTS % BOOKS) == (1 if one else 2)
    both = f"a: __typename {BOOKS} born"
    assert await statements(shelves, LISTS % both) == (1 if one else 2)
    edges = "{ writers(last: 2) { edges { cursor node { id %s } } pageInfo { hasPreviousPage } } }"
    assert await statements(shelves, edges % BOOKS) == (1 if one else 2)
    titled = "catalogue(first: 1, filter: {title: {eq: $title}}) { list: nodes { title } __typename }"
    filtered = LISTS % titled
    text = f"query ($title: String!) {filtered}"
    assert await statements(shelves, text, {"title": '"T11"'}) == 1
    found = await shelves.data(text, {"title": '"T11"'})
    lists = [writer["catalogue"]["list"] for writer in found["writers"]["nodes"]]
    assert lists == [[{"title": '"T11"'}], [], []]


async def test_what_else_is_selected_takes_a_statement_a_level(shelves: Library) -> None:
    for others in (
        f"{BOOKS} again: {BOOKS}",
        "catalogue { nodes { title } totalCount }",
        "catalogue { nodes { title author { name } } }",
        "catalogue { edges { node { title } } }",
        "catalogue { nodes { title } pageInfo { hasNextPage } }",
        "catalogue { nodes { title } more: nodes { id } }",
        "catalogue(last: 1) { nodes { title } }",
        f"{BOOKS} greeting",
        f"{BOOKS} books {{ title }}",
    ):
        assert await statements(shelves, LISTS % others) > 1


async def test_what_has_no_text_is_read_again_level_by_level(shelves: Library) -> None:
    await insert(shelves.reader, 30, author_id=library.key(2), title="torn", binding="torn")
    found = await same(shelves, LISTS % BOOKS.replace("first: 2", "first: 5"))
    assert [error["path"] for error in found.errors] == [
        ["writers", "nodes", 1, "catalogue", "nodes", 1, "binding"]
    ]
    cursor = LISTS % 'catalogue(after: "nonsense") { nodes { title } }'
    assert [error["path"][-1] for error in (await same(shelves, cursor)).errors] == ["catalogue"]


async def test_rows_and_objects_count_as_they_do_level_by_level(shelves: Library) -> None:
    text = LISTS % BOOKS
    for most, code in ((5, ["TOO_COMPLEX"]), (6, [])):
        visit = shelves.visit(limits=Limits(max_rows=most))
        found = await execute(shelves.schema, text.replace("50", "3"), None, None, visit)
        assert [error["extensions"]["code"] for error in found.errors] == code
        assert visit.rows_read == (3 if code else 6)
    visit = shelves.visit()
    await execute(shelves.schema, text, None, None, visit)
    assert visit.rows_read == 6


FIRST = (
    "debut { id title publishedAt lent year } life { born }"
    " latest: catalogue(first: 1) { nodes { title } __typename }"
)


async def test_single_records_are_read_with_those_that_they_hang_on(shelves: Library) -> None:
    await shelves.reader.run(f"UPDATE lib_author SET born = '1900-02-03' WHERE id = '{library.key(2)}'")
    assert await statements(shelves, LISTS % FIRST) == 1
    found = (await shelves.data(LISTS % "debut { id } life { born }"))["writers"]["nodes"]
    assert [one["life"] for one in found] == [{"born": None}, {"born": "1900-02-03"}, {"born": None}]
    assert [one["debut"] is None for one in found] == [False, False, True]
    places = "{ writers(last: 2) { edges { cursor node { %s } } pageInfo { startCursor hasPreviousPage } } }"
    assert await statements(shelves, places % FIRST) == 1
    titled = "query ($title: String) { writers { nodes { debut(title: $title) { title } } } }"
    assert await statements(shelves, titled, {"title": '"T11"'}) == 1
    found = (await shelves.data(titled, {"title": '"T11"'}))["writers"]["nodes"]
    assert found == [{"debut": {"title": '"T11"'}}, {"debut": None}, {"debut": None}]
    with_more = LISTS % "debut { title best { stars } } life { born } greeting"
    with_more = with_more.replace("first: 50", "first: 2, after: null")
    await same(shelves, with_more)
    for text in (
        "{ authors { debut { title best { stars } } life { born } } }",
        LISTS % 'a: debut { id } b: debut(title: "x") { title }',
        LISTS % "catalogue { nodes { title best { stars text } } } debut { author { name } }",
    ):
        await same(shelves, text)


async def test_a_single_record_that_fails_does_so_by_itself(shelves: Library) -> None:
    wrong = await same(shelves, LISTS % 'debut(title: "?") { title } life { born }')
    assert [error["path"] for error in wrong.errors] == [["writers", "nodes", n, "debut"] for n in range(3)]
    assert [one["life"] for one in wrong.data["writers"]["nodes"]] == [{"born": None}] * 3


async def test_what_a_database_does_not_take_fails_one_field(shelves: Library) -> None:
    """NUL is no text for PostgreSQL, and half a character none for SQLite."""
    given = {"title": "\0" if shelves.reader.dialect == "postgres" else "\ud800"}
    text = "query ($title: String) { writers { nodes { name debut(title: $title) { id } } } }"
    mine = await shelves.ask(text, given)
    reference = await reference_execute(shelves.schema, text, given, None, shelves.visit())
    assert orjson.loads(mine.encoded())["data"] == reference.data
    paths = [["writers", "nodes", n, "debut"] for n in range(3)]
    assert [error["path"] for error in mine.errors] == [error["path"] for error in reference.errors] == paths


@node(table="lib_author", permission=PUBLIC, shared=True)
class Buyer(Node):
    """Who buys what an author wrote."""

    dearest: library.Book | None = one(key="author_id", order=("-price",), description="The dearest.")
    books: list[library.Book] = children(key="author_id", order=("price",), description="By price.")
    softest: library.Book | None = one(key="author_id", order=("-binding",), description="By binding.")
    bound: list[library.Book] = children(key="author_id", order=("binding",), description="By binding.")


@strawberry.type
class Buyers:
    buyers: Connection[Buyer] = connection(description="All buyers.", permission=PUBLIC)


async def test_decimals_are_ordered_as_numbers(shelves: Library) -> None:
    for number, price in ((40, "9"), (41, "10"), (42, "-2"), (43, "10.5")):
        await insert(
            shelves.reader, number, author_id=library.key(3), title=f"P{price}", price=Decimal(price)
        )
    mine = Library(EngineSchema(Buyers, config=library.PLAIN_CONFIG), shelves.reader)
    await statements(mine, "{ buyers { nodes { dearest { title } books { title } } } }")
    last = (await mine.data("{ buyers { nodes { dearest { title } books { title } } } }"))["buyers"]["nodes"][
        2
    ]
    assert last["dearest"] == {"title": "P10.5"}
    assert [book["title"] for book in last["books"]] == ["P-2", "P9", "P10", "P10.5"]


async def test_texts_and_enumerations_are_ordered_by_code_points(shelves: Library) -> None:
    """Whatever the order of texts is that the database was made with."""
    for number, binding in ((50, "hard"), (51, "soft"), (52, "hard")):
        await insert(shelves.reader, number, author_id=library.key(3), title=f"B{number}", binding=binding)
    mine = Library(EngineSchema(Buyers, config=library.PLAIN_CONFIG), shelves.reader)
    text = "{ buyers { nodes { softest { title } bound { title } } } }"
    await statements(mine, text)
    last = (await mine.data(text))["buyers"]["nodes"][2]
    assert last == {"softest": {"title": "B51"}, "bound": [{"title": t} for t in ("B50", "B52", "B51")]}
    if shelves.reader.dialect == "postgres":
        assert all('ORDER BY t.binding COLLATE "C"' in log for log in shelves.reader.log[-2:])


async def test_it_is_explained(shelves: Library) -> None:
    trace = Trace()
    await shelves.data(LISTS % BOOKS, trace=trace)
    told = [(step["place"], step.get("why"), len(step["statements"])) for step in trace.shown]
    within = shelves.reader.dialect == "postgres"
    assert told == [
        ("writers", None, 1),
        ("writers.nodes.catalogue", "in the statement above", 0)
        if within
        else ("writers.nodes.catalogue", None, 1),
    ]


async def test_each_single_record_is_explained_in_one_line(shelves: Library) -> None:
    trace = Trace()
    await shelves.data(LISTS % f"{FIRST.replace('debut {', 'debut { author { name }')}", trace=trace)
    if shelves.reader.dialect == "postgres":
        await shelves.data(LISTS % FIRST, trace=(trace := Trace()))
    told = [
        (step["place"].removeprefix("writers"), step.get("why"), step["objects"], len(step["statements"]))
        for step in trace.shown
    ]
    above = "in the statement above"
    deeper = [(".nodes.debut.author", None, 2, 1)] if shelves.reader.dialect == "sqlite" else []
    assert told == [
        ("", None, 1, 1),
        (".nodes.debut", above, 3, 0),
        *deeper,
        (".nodes.life", above, 3, 0),
        (".nodes.latest", above, 3, 0),
    ]
