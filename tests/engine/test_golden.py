"""The statements of each shape of a query over the library, word by word, and their plans."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from crm_framework.engine import EngineSchema, encode_cursor, encode_id
from crm_framework.engine.trace import Trace
from crm_framework.testing.templates import TestDatabases
from tests.golden import Shape, check_plan, compare, written

from . import library
from .conftest import Library, LibraryReader, PostgresReader, SqliteReader

HERE = Path(__file__).parent / "golden"
AUTHORS = 400
BOOKS = 10
INDEXES = (
    "CREATE INDEX lib_book_year ON lib_book (year, id)",
    "CREATE INDEX lib_book_price ON lib_book ({price}, id)",
    "CREATE INDEX lib_book_published ON lib_book (published_at, id)",
    "CREATE INDEX lib_book_bought ON lib_book (bought_on, id)",
    "CREATE INDEX lib_book_lent ON lib_book (lent, id)",
    "CREATE INDEX lib_book_binding ON lib_book (binding, id)",
)
"""One for each order, so that every order can be read along one."""

FEW = "sorts the few rows that were read, of all parents together"
PASSED = "what comes after has two ranges, values and NULLs: rows before the cursor are passed over"
TIED = "sorts only rows that are equal in the first term, which the index gives"
COUNTED = "all rows are counted"
ANYWHERE = "words in the middle of a text, which this index does not serve"

OTHERWISE = "PostgreSQL keeps NULLs last in an index, and first where that is read from its end"

KEY = library.key(200_003)
PRIMARY = frozenset({"primary key"})


def page(order: str, after: Sequence[Any] | None, *indexes: str, passed: bool = False) -> Shape:
    """A page of books in this order (`-` before it for descending), perhaps after a row of these values."""
    name, direction = order.removeprefix("-"), "DESC" if order.startswith("-") else "ASC"
    orders = f"orderBy: [{{field: {name}, direction: {direction}}}]"
    key = "-id" if order.startswith("-") else "id"
    text = f"{{ books(first: 10, {orders}) {{ nodes {{ title }} }} }}"
    variables = {}
    if after is not None:
        text = (
            f"query ($after: String) {{ books(first: 10, after: $after, {orders}) {{"
            " nodes { title } pageInfo { endCursor } } }"
        )
        variables = {"after": encode_cursor(f"{order},{key}", [*after, KEY])}
    return Shape(text, variables, frozenset(indexes), {"WALK lib_book": PASSED} if passed else {})


SHAPES = {
    "by_key": Shape(
        "query ($id: ID!) { node(id: $id) { ... on Book { title year } } }",
        {"id": encode_id("Book", KEY)},
        PRIMARY,
    ),
    "reference": Shape(
        "{ books(first: 10, orderBy: [{field: TITLE}]) { nodes { author { name } } } }",
        {},
        frozenset({"lib_book_title", "primary key"}),
    ),
    "reference_twice": Shape(
        "{ books(first: 10, orderBy: [{field: TITLE}]) { nodes { a: author { name } b: author { born } } } }",
        {},
        frozenset({"lib_book_title", "primary key"}),
    ),
    "page_first": page("TITLE", None, "lib_book_title"),
    "page_after_title": page("TITLE", ["T200-003"], "lib_book_title"),
    "page_after_title_descending": page("-TITLE", ["T200-003"], "lib_book_title"),
    "page_after_year": page("YEAR", [1902], "lib_book_year", passed=True),
    "page_after_no_year": page("YEAR", [None], "lib_book_year"),
    "page_after_year_descending": page("-YEAR", [1902], "lib_book_year"),
    "page_after_no_year_descending": page("-YEAR", [None], "lib_book_year", passed=True),
    "page_after_price": page("PRICE", ["12.50"], "lib_book_price", passed=True),
    "page_after_published_at_descending": page("-PUBLISHED_AT", [library.moment(200)], "lib_book_published"),
    "page_after_bought_on": page("BOUGHT_ON", [date(2024, 2, 5)], "lib_book_bought"),
    "page_after_lent": page("LENT", [False], "lib_book_lent"),
    "page_after_binding": page("BINDING", ["hard"], "lib_book_binding", passed=True),
    "page_without_nulls_first": Shape(
        "{ books(first: 10, orderBy: [{field: YEAR, direction: DESC, nulls: LAST}]) { nodes { title } } }",
        {},
        frozenset(),
        {"postgres: SCAN lib_book": OTHERWISE, "postgres: SORT": OTHERWISE},
    ),
    "page_of_two_orders": Shape(
        """query ($after: String) { books(first: 10, after: $after,
  orderBy: [{field: TITLE, direction: DESC}, {field: YEAR}]) { nodes { title } } }""",
        {"after": encode_cursor("-TITLE,YEAR,id", ["T200-003", 1902, KEY])},
        frozenset({"lib_book_title"}),
        {"SORT": TIED},
    ),
    "page_backward": Shape(
        """query ($before: String) { books(last: 10, before: $before, orderBy: [{field: TITLE}]) {
  nodes { title } pageInfo { startCursor hasPreviousPage } } }""",
        {"before": encode_cursor("TITLE,id", ["T200-003", KEY])},
        frozenset({"lib_book_title"}),
    ),
    "filter": Shape(
        """{ books(first: 10, filter: {title: {in: ["T100-001", "T300-002"]}, lent: {eq: true}}) {
  nodes { title } } }""",
        {},
        frozenset(),
        {"SORT": "the rows of two titles are sorted"},
    ),
    "filter_exists": Shape(
        "{ books(first: 10, orderBy: [{field: TITLE}], filter: {reviewed: true}) { nodes { title } } }",
        {},
        frozenset({"lib_book_title", "lib_review_book"}),
    ),
    "search_and_filter": Shape(
        """{ books(first: 10, search: "-003", orderBy: [{field: TITLE}], filter: {year: {gt: 1900}}) {
  nodes { title } } }""",
        {},
        frozenset(),
        {"postgres: SCAN lib_book": ANYWHERE, "postgres: SORT": ANYWHERE},
    ),
    "with_single_records": Shape(
        """query ($after: String) { books(first: 10, after: $after, orderBy: [{field: TITLE}]) {
  nodes { title best { stars } } pageInfo { endCursor } } }""",
        {"after": encode_cursor("TITLE,id", ["T200-003", KEY])},
        frozenset({"lib_book_title", "lib_review_book"}),
        {"SORT": "the reviews of each book are sorted, and on PostgreSQL the page once more"},
    ),
    "with_single_records_of_few": Shape(
        """{ books(first: 10, orderBy: [{field: YEAR}], filter: {lent: {eq: true}}) {
  nodes { title best { stars } } } }""",
        {},
        frozenset({"lib_review_book"}),
        {"SORT": "what is lent is sorted before the reviews are looked for, and those of each book"},
    ),
    "with_first_of_lists": Shape(
        "{ writers(first: 10) { nodes { latest: catalogue(first: 1) { nodes { title } } life { born } } } }",
        {},
        frozenset({"primary key", "lib_book_author"}),
        {"postgres: SORT": FEW},
    ),
    "children": Shape(
        "{ writers(first: 10) { nodes { books { title } } } }",
        {},
        frozenset({"primary key", "lib_book_author"}),
        {"SORT": FEW},
    ),
    "top_of_each": Shape(
        "{ writers(first: 10) { nodes { catalogue(first: 2) { nodes { title } } } } }",
        {},
        frozenset({"primary key", "lib_book_author"}),
        {"SORT": FEW},
    ),
    "top_of_each_after": Shape(
        """query ($after: String) { writers(first: 10) { nodes { catalogue(first: 2, after: $after) {
  edges { cursor node { title } } pageInfo { hasNextPage } } } } }""",
        {"after": encode_cursor("-PUBLISHED_AT,-id", [library.moment(5), KEY])},
        frozenset({"primary key", "lib_book_author"}),
        {"SORT": FEW},
    ),
    "count": Shape("{ books { totalCount } }", exceptions={"SCAN lib_book": COUNTED}),
    "count_filtered": Shape('{ books(filter: {title: {startsWith: "T1"}}) { totalCount } }'),
    "count_of_each": Shape(
        "{ writers(first: 10) { nodes { catalogue { totalCount } } } }",
        {},
        frozenset({"primary key", "lib_book_author"}),
    ),
}


async def opened(url: str) -> LibraryReader:
    if url.startswith("sqlite"):
        return SqliteReader(url.removeprefix("sqlite://"))
    return await PostgresReader.open(url)


async def _fill(url: str) -> None:
    """4,000 books of 400 authors, each second book with a review."""
    reader = await opened(url)
    price = "CAST(price AS NUMERIC)" if reader.dialect == "sqlite" else "price"
    for statement in library.TABLES:
        await reader.run(statement.format(**library.TYPES[reader.dialect]))
    for statement in INDEXES:
        await reader.run(statement.format(price=price))
    if reader.dialect == "sqlite":
        await reader.run("BEGIN")
    await Library(library.make_schema(), reader).fill(AUTHORS, BOOKS)
    if reader.dialect == "sqlite":
        await reader.run("COMMIT")
    else:
        await reader.run("VACUUM ANALYZE")
    await reader.close()


@pytest.fixture
async def full(
    schema: EngineSchema, test_databases: TestDatabases, database_kind: Any
) -> AsyncIterator[Library]:
    url = test_databases.copy(database_kind, "golden-library", _fill)
    reader = await opened(url)
    yield Library(schema, reader)
    await reader.close()
    test_databases.drop(url)


@pytest.mark.parametrize("name", SHAPES)
async def test_the_statements_are_these_and_their_plans_are_good(full: Library, name: str) -> None:
    shape, dialect = SHAPES[name], full.reader.dialect
    trace = Trace()
    await full.data(shape.text, dict(shape.variables), trace=trace)
    compare(HERE / f"{name}.{dialect}.sql", written(shape, trace))
    statements = [one for step in trace.steps for one in step.statements]
    explain = "EXPLAIN" if dialect == "postgres" else "EXPLAIN QUERY PLAN"
    for statistics in (False, True) if dialect == "sqlite" else (True,):
        if statistics and dialect == "sqlite":
            await full.reader.run("ANALYZE")
        plans = {}
        for one in statements:
            rows = await full.reader.run(f"{explain} {one.sql}", one.arguments)
            plans[one.sql] = [str(row.get("detail") or row.get("QUERY PLAN")) for row in rows]
        check_plan(shape, dialect, plans)


def test_each_file_is_of_a_shape() -> None:
    expected = {f"{name}.{dialect}.sql" for name in SHAPES for dialect in ("sqlite", "postgres")}
    assert {file.name for file in HERE.iterdir()} == expected
