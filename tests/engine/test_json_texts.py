"""Objects that PostgreSQL writes as JSON itself: to the letter as they are written here, or not at all."""

from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from crm_framework.engine import Limits, encode_cursor
from crm_framework.engine.execute import execute, reference_execute
from crm_framework.engine.result import Result

from . import library
from .conftest import Library, LibraryReader

PAGE = "{ books(first: 50, orderBy: [{field: TITLE}]) { nodes { %s } } }"
ALL = "__typename id title year publishedAt boughtOn lent binding readingSeconds"
ODD = (
    'quotes " and \\ and /',
    "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f",
    "\u2028\u2029\ufeff é 😀 \U0010ffff",
    "",
    "'; ? $1 %s",
)


@pytest.fixture
async def odd(reader: LibraryReader) -> Library:
    """A library with JSON as orjson writes it, and an author whose books have odd titles."""
    schema = library.make_schema(library.PLAIN_CONFIG, plain_scalars=("DateTime", "Date"))
    shelves = Library(schema, reader)
    await reader.insert("lib_author", id=library.key(1), name="A", born=None, mentor_id=None)
    await reader.insert("lib_author", id=library.key(2), name="no books", born=None, mentor_id=None)
    for number, title in enumerate(ODD):
        await insert(reader, 10 + number, title=title)
    return shelves


async def insert(reader: LibraryReader, number: int, **values: Any) -> None:
    usual: dict[str, Any] = {
        "id": library.key(number),
        "author_id": library.key(1),
        "title": f"T{number}",
        "year": 1899 + number,
        "price": None,
        "published_at": datetime(2024, 2, 29, 12, 0, 0, 120_000, tzinfo=UTC),
        "bought_on": date(2024, 2, 29),
        "lent": True,
        "binding": "hard",
        "facts": "{}",
        "reading_seconds": None,
    }
    await reader.insert("lib_book", **{**usual, **values})


async def same(shelves: Library, text: str) -> Result:
    """The answer, which graphql-core gives as well, and which is spelt as orjson spells it."""
    mine = await shelves.ask(text)
    reference = await reference_execute(shelves.schema, text, None, None, shelves.visit())
    assert orjson.dumps(mine.data) == orjson.dumps(reference.data)
    assert _told(mine) == _told(reference)
    if not mine.errors:
        assert mine.encoded() == orjson.dumps({"data": mine.data})
    return mine


def _told(result: Result) -> list[tuple[str, list[str | int]]]:
    return [(error["extensions"]["code"], error["path"]) for error in result.errors]


async def written(shelves: Library, text: str) -> Any:
    """The same, of which PostgreSQL has written all objects at once."""
    found = await same(shelves, text)
    await shelves.ask(text)
    assert found.errors == []
    assert ["_json" in sql for sql in shelves.reader.log] == [shelves.reader.dialect == "postgres"]
    return found.data


async def test_all_kinds_of_columns_are_written_alike(odd: Library) -> None:
    await insert(odd.reader, 30, title="nulls", year=None, published_at=None, binding=None, lent=False)
    await insert(odd.reader, 31, published_at=datetime(1, 1, 2, tzinfo=UTC), bought_on=date(1, 1, 2))
    latest = datetime(9999, 12, 31, 23, 59, 59, 999_998, tzinfo=UTC)  # the ends are asyncpg's infinities
    await insert(odd.reader, 32, published_at=latest, bought_on=date(9999, 12, 30), year=2**31 - 1)
    await insert(odd.reader, 33, year=-(2**31), binding="soft")
    data = await written(odd, PAGE % ALL)
    assert len(data["books"]["nodes"]) == len(ODD) + 4
    assert {one["title"] for one in data["books"]["nodes"]} > set(ODD)


async def test_whole_numbers_that_readers_of_json_would_round_are_text(odd: Library) -> None:
    """An object with one is read again as a row; the others stay as the database wrote them."""
    edges = (2**53 - 1, 1 - 2**53, 2**53, -(2**53), 2**63 - 1, -(2**63), 0)
    for number, value in enumerate(edges, 30):
        await insert(odd.reader, number, reading_seconds=value)
    found = await same(odd, PAGE % "title readingSeconds")
    told = {one["title"]: one["readingSeconds"] for one in found.data["books"]["nodes"]}
    assert [told[f"T{number}"] for number in range(30, 37)] == [
        *(2**53 - 1, 1 - 2**53, str(2**53), str(-(2**53)), str(2**63 - 1), str(-(2**63)), 0)
    ]
    data = await odd.data(
        '{ books(filter: {readingSeconds: {gte: "9007199254740992"}}, orderBy: [{field: TITLE}])'
        " { nodes { title } } }"
    )
    assert [one["title"] for one in data["books"]["nodes"]] == ["T32", "T34"]


async def test_aliases_and_nothing_selected(odd: Library) -> None:
    await written(odd, PAGE % "a: title b: title title")
    skipped = await odd.data(PAGE % "title @skip(if: true)")
    assert skipped["books"]["nodes"] == [{}] * len(ODD)


@pytest.mark.parametrize(
    "page",
    [
        "nodes { id title }",
        "nodes { id title } pageInfo { hasNextPage hasPreviousPage }",
        "nodes { title } totalCount",
        "edges { node { title } }",
        "edges { cursor node { title } } pageInfo { startCursor endCursor hasNextPage }",
        "__typename nodes { title } pageInfo { endCursor }",
        "nodes { title } again: nodes { id }",
    ],
)
@pytest.mark.parametrize("window", ["first: 2", "last: 2", "first: 0", "first: 50"])
async def test_pages_of_all_forms(odd: Library, page: str, window: str) -> None:
    await same(odd, f"{{ books({window}, orderBy: [{{field: TITLE}}]) {{ {page} }} }}")
    await same(odd, f"{{ writers {{ nodes {{ name catalogue({window}) {{ {page} }} }} }} }}")


async def test_a_page_after_a_cursor(odd: Library) -> None:
    cursor = encode_cursor("TITLE,id", ["quotes", library.key(1)])
    found = await written(
        odd, f'{{ books(after: "{cursor}", orderBy: [{{field: TITLE}}]) {{ nodes {{ title }} }} }}'
    )
    assert [one["title"] for one in found["books"]["nodes"]] == [ODD[0], ODD[2]]


async def test_what_has_no_text_is_read_again_and_fails_by_itself(odd: Library) -> None:
    await insert(odd.reader, 30, title="torn", binding="torn")
    found = await same(odd, PAGE % "title binding")
    assert [error["path"] for error in found.errors] == [["books", "nodes", 4, "binding"]]
    nested = await same(odd, "{ writers { nodes { catalogue { nodes { title binding } } } } }")
    assert len(nested.errors) == 1


async def test_rows_that_are_read_again_count_once(odd: Library) -> None:
    await insert(odd.reader, 30, title="torn", binding="torn")
    visit = odd.visit(limits=Limits(max_rows=len(ODD) + 1))
    text = f"{{ books(first: {len(ODD) + 1}) {{ nodes {{ title binding }} }} }}"
    found = await execute(odd.schema, text, None, None, visit)
    assert visit.rows_read == len(ODD) + 1
    assert len(found.errors) == 1


async def test_moments_beyond_those_of_python_fail_as_they_do_in_rows(odd: Library) -> None:
    if odd.reader.dialect != "postgres":
        await odd.data(PAGE % "title publishedAt")
        assert not any("_json" in sql for sql in odd.reader.log)  # SQLite keeps moments as text
        return
    await insert(odd.reader, 30, title="endless")
    await odd.reader.run("UPDATE lib_book SET published_at = 'infinity' WHERE title = 'endless'")
    found = await odd.data(PAGE % "title publishedAt")
    assert found["books"]["nodes"][3]["publishedAt"] == "9999-12-31T23:59:59.999999"
    assert ["_json" in sql for sql in odd.reader.log] == [True, False]


async def test_a_column_of_another_type_is_read_as_rows_from_then_on(odd: Library) -> None:
    if odd.reader.dialect != "postgres":
        await odd.data(PAGE % "title publishedAt")
        assert not any("_json" in sql for sql in odd.reader.log)  # SQLite has no types of columns
        return
    await odd.reader.run("ALTER TABLE lib_book ALTER COLUMN title TYPE uuid USING id")
    text = "{ books(first: 50) { nodes { title } } }"
    found = await odd.data(text)
    assert len(found["books"]["nodes"]) == len(ODD)
    assert len(odd.reader.log) == 2
    await odd.data(text)
    assert len(odd.reader.log) == 1


async def test_objects_in_texts_count(odd: Library) -> None:
    """Authors that stand at many places: each is written out with its books."""
    await insert(odd.reader, 30)
    text = "{ books { nodes { author { catalogue { nodes { title } } } } } }"
    whole = len(ODD) + 1
    objects = 1 + whole * (1 + 1 + 1 + whole)  # pages, books, authors, pages, books
    fits = await execute(odd.schema, text, None, None, odd.visit(limits=Limits(max_objects=objects)))
    assert fits.errors == []
    beyond = await execute(odd.schema, text, None, None, odd.visit(limits=Limits(max_objects=objects - 1)))
    assert [error["extensions"]["code"] for error in beyond.errors] == ["TOO_COMPLEX"]
