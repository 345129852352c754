"""Filters on both databases, against what the same filter means over Python values."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_framework.engine import (
    DeclarationError,
    FilterSpec,
    Fragment,
    Member,
    RequestError,
    compile_filter,
    encode_id,
)
from crm_framework.engine.filter_inputs import FilterInputs

from . import library
from .conftest import Library, LibraryReader
from .library import BOOK_FILTER

TEXTS = [
    "",
    "a",
    "A",
    "ab",
    "b%",
    "a_b",
    "%",
    "_",
    "\\",
    "é",
    "e\u0301",
    "𝄞",
    "\ud7ff",
    "\U0010ffff",
    "a\U0010ffffz",
    "'",
]
YEARS = [None, -5, 0, 1899, 1900, 2**31 - 1]
PRICES = [None, Decimal("0.00"), Decimal("9.50"), Decimal("10.00"), Decimal("-1.25")]
MOMENTS = [None, *(library.moment(n) for n in range(2)), library.moment(0) + timedelta(microseconds=1)]
DAYS = [date(2024, 1, 1), date(2024, 2, 29)]
BINDINGS = [None, "hard", "soft"]
AUTHORS = [library.key(n) for n in range(2)]

Row = Mapping[str, Any]
OPERATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, wanted: value == wanted,
    "in": lambda value, wanted: value in wanted,
    "gt": lambda value, wanted: value > wanted,
    "gte": lambda value, wanted: value >= wanted,
    "lt": lambda value, wanted: value < wanted,
    "lte": lambda value, wanted: value <= wanted,
    "contains": lambda value, wanted: wanted in value,
    "startsWith": lambda value, wanted: value.startswith(wanted),
}
COLUMN = {
    "title": "title",
    "year": "year",
    "price": "price",
    "publishedAt": "published_at",
    "boughtOn": "bought_on",
    "lent": "lent",
    "binding": "binding",
    "author": "author_id",
}


def matches(row: Row, value: Mapping[str, Any]) -> bool:
    """What a filter means, in two truth values."""
    return all(_member(row, key, given) for key, given in value.items())


def _member(row: Row, key: str, given: Any) -> bool:
    if key == "and":
        return all(matches(row, one) for one in given)
    if key == "or":
        return any(matches(row, one) for one in given)
    if key == "not":
        return not matches(row, given)
    return all(_compared(row[COLUMN[key]], key, operator, wanted) for operator, wanted in given.items())


def _compared(value: Any, key: str, operator: str, wanted: Any) -> bool:
    if operator == "isNull":
        return (value is None) is wanted
    if value is None:
        return False
    if key == "binding":
        value = library.Binding(value)
    if key == "author":
        value = encode_id("Author", value)
    return OPERATIONS[operator](value, wanted)


def comparisons(values: list[Any], *operators: str) -> st.SearchStrategy[Any]:
    one = st.sampled_from([value for value in values if value is not None])
    options: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(operators, one)
    options |= {"in": st.lists(one, max_size=3), "isNull": st.booleans()}
    return st.fixed_dictionaries({}, optional=options)


ORDERED = ("eq", "gt", "gte", "lt", "lte")
LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "title": comparisons([*TEXTS, "zz"], "eq", "contains", "startsWith"),
        "year": comparisons([*YEARS, 1950], *ORDERED),
        "price": comparisons([*PRICES, Decimal("9.499")], *ORDERED),
        "publishedAt": comparisons([*MOMENTS, datetime(2020, 1, 1, tzinfo=UTC)], *ORDERED),
        "boughtOn": comparisons([*DAYS, date(2024, 2, 1)], *ORDERED),
        "lent": st.fixed_dictionaries({}, optional={"eq": st.booleans(), "isNull": st.booleans()}),
        "binding": comparisons(list(library.Binding), "eq"),
        "author": comparisons([encode_id("Author", key) for key in [*AUTHORS, library.key(9)]], "eq"),
    },
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "and": st.lists(inner, max_size=3),
            "or": st.lists(inner, max_size=3),
            "not": inner,
            "year": comparisons(YEARS, *ORDERED),
        },
    ),
    max_leaves=6,
)


@pytest.fixture
async def rows(reader: LibraryReader) -> list[Row]:
    """Books with every text, and every other value next to each."""
    made: list[Row] = []
    numbers = count()
    for title in TEXTS:
        for _ in range(4):
            n = next(numbers)
            row = {
                "id": library.key(n),
                "author_id": AUTHORS[n % 2],
                "title": title,
                "year": YEARS[n % len(YEARS)],
                "price": PRICES[n % len(PRICES)],
                "published_at": MOMENTS[n % len(MOMENTS)],
                "bought_on": DAYS[n % 2],
                "lent": n % 3 == 0,
                "binding": BINDINGS[n % 3],
            }
            await reader.insert("lib_book", **row, facts="{}", reading_seconds=None)
            made.append(row)
    return made


async def selected(
    reader: LibraryReader, value: Mapping[str, Any], spec: FilterSpec = BOOK_FILTER
) -> list[str]:
    where = compile_filter(spec, value, reader.dialect)
    found = await reader.run(f"SELECT t.id FROM lib_book AS t WHERE {where.sql} ORDER BY t.id", where.args)
    return [str(row["id"]) for row in found]


async def test_a_filter_selects_what_it_means(reader: LibraryReader, rows: list[Row]) -> None:
    failures: list[Any] = []
    cases: list[Any] = []

    @settings(
        max_examples=200,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(FILTERS)
    def collect(value: Any) -> None:
        cases.append(value)

    collect()
    for value in cases:
        expected = [row["id"] for row in rows if matches(row, value)]
        if await selected(reader, value) != expected:
            failures.append(value)
    assert failures[:3] == []
    assert len(cases) == 200


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, 64),
        ({"and": []}, 64),
        ({"or": []}, 0),
        ({"not": {}}, 0),
        ({"title": {}}, 64),
        ({"title": {"in": []}}, 0),
        ({"not": {"year": {"eq": 1900}}}, 64 - 10),
        ({"year": {"isNull": True}}, 11),
        ({"title": {"startsWith": "a"}}, 16),
        ({"title": {"contains": "%"}}, 8),
        ({"title": {"contains": "_"}}, 8),
        ({"title": {"contains": "\\"}}, 4),
        ({"title": {"startsWith": "\U0010ffff"}}, 4),
        ({"publishedAt": {"gt": "2024-01-01T13:00:00+01:00"}}, 32),
        ({"boughtOn": {"eq": "2024-02-29"}}, 32),
        ({"price": {"gte": "9.5"}}, 26),
        ({"price": {"lt": 9.5}}, 25),
        ({"binding": {"in": ["HARD"]}}, 21),
        ({"reviewed": False}, 64),
    ],
)
async def test_stored_filters_use_plain_json(
    reader: LibraryReader, rows: list[Row], value: Any, expected: int
) -> None:
    assert len(await selected(reader, value)) == expected


BAD: list[tuple[Any, str]] = [
    ([], "filter: a filter is an object of members"),
    ({"titel": {}}, "filter.titel: there is no such member; BookFilter has title, year,"),
    ({"title": None}, "filter.title: null is no condition; leave it out, or use isNull"),
    ({"title": "x"}, "filter.title: an object of comparisons is expected"),
    (
        {"title": {"eq": None}},
        "filter.title.eq: null is no value to compare with; leave it out, or use isNull",
    ),
    ({"title": {"like": "x"}}, "filter.title.like: there is no such comparison; title has eq, in, contains,"),
    ({"title": {"eq": 1}}, "filter.title.eq: a text is expected"),
    ({"title": {"eq": "a\0"}}, "filter.title.eq: a text may not hold the character U+0000"),
    ({"title": {"eq": "\ud800"}}, "filter.title.eq: a text may not hold half a surrogate pair"),
    ({"title": {"in": "ab"}}, "filter.title.in: a list of values is expected"),
    ({"title": {"in": ["a"] * 1001}}, "filter.title.in: 1001 values are too many; list 1000 at most"),
    ({"title": {"isNull": 1}}, "filter.title.isNull: true or false is expected"),
    ({"year": {"gte": True}}, "filter.year.gte: an integer of 64 bits at most is expected"),
    ({"year": {"gte": 2**63}}, "filter.year.gte: an integer of 64 bits at most is expected"),
    ({"price": {"eq": "x"}}, "filter.price.eq: a decimal number such as 12.50 is expected"),
    ({"price": {"eq": "NaN"}}, "filter.price.eq: a decimal number such as 12.50 is expected"),
    ({"price": {"eq": "1e999999999"}}, "filter.price.eq: a decimal number such as 12.50 is expected"),
    ({"publishedAt": {"lt": "2024-01-01"}}, "filter.publishedAt.lt: a moment with an offset, such as"),
    ({"publishedAt": {"lt": "soon"}}, "filter.publishedAt.lt: a moment with an offset, such as"),
    ({"boughtOn": {"lt": "soon"}}, "filter.boughtOn.lt: a day, such as 2026-03-01, is expected"),
    ({"lent": {"eq": "yes"}}, "filter.lent.eq: true or false is expected"),
    ({"lent": {"gt": True}}, "filter.lent.gt: there is no such comparison; lent has eq, isNull"),
    ({"binding": {"eq": "PAPER"}}, "filter.binding.eq: one of HARD, SOFT is expected"),
    ({"author": {"eq": "x"}}, "filter.author.eq: 'x' is no id of this API; use ids as the API gave them"),
    (
        {"author": {"eq": encode_id("Book", library.key(1))}},
        "filter.author.eq: 'Qm9vazowMDAwMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDE=' is the id of a Book; "
        "the id of an Author is expected here",
    ),
    ({"or": {}}, "filter.or: a list of filters is expected"),
    ({"or": [{"year": {}}, {"year": {"eq": "x"}}]}, "filter.or.1.year.eq: an integer of 64 bits"),
    ({"and": [{"title": {}}] * 101}, "filter.and.100.title: a filter may hold 100 conditions at most"),
    ({"or": [{}] * 501}, "filter.or.500: and, or and not may hold 500 filters in all"),
    (
        {"and": [{"title": {"in": ["a"] * 1000}}] * 6},
        "filter: 6000 values are too many; 5000 may be compared with in all",
    ),
    (
        {"title": {"contains": "a" * 2_001}},
        "filter.title.contains: 2001 characters are too many; a text may have 2000. Shorten it",
    ),
    ({"or": [{"title": {"in": ["a", "a" * 2_001]}}]}, "filter.or.0.title.in.1: 2001 characters are too many"),
    ({"price": {"eq": "1" * 2_001}}, "filter.price.eq: 2001 characters are too many"),
]


@pytest.mark.parametrize(("value", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_what_does_not_fit_is_refused_with_its_path(value: Any, message: str) -> None:
    with pytest.raises(RequestError) as refused:
        compile_filter(BOOK_FILTER, value, "sqlite")
    assert refused.value.code == "BAD_INPUT"
    assert refused.value.message.startswith(message)


def test_combinations_may_be_nested_six_deep() -> None:
    value: dict[str, Any] = {}
    for _ in range(6):
        value = {"not": value}
    assert compile_filter(BOOK_FILTER, value, "sqlite").args == ()
    with pytest.raises(RequestError, match="nested more than 6 deep"):
        compile_filter(BOOK_FILTER, {"and": [value]}, "sqlite")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"or": [{"and": []}] * 500}, 64),
        ({"or": [{"or": []}] * 500}, 0),
        ({"and": [{"not": {"or": [{}] * 50}}] * 9}, 0),
        ({"or": [{"title": {"eq": "a"}, "and": [{"lent": {"isNull": False}}]}] * 50}, 4),
        ({"and": [{"title": {"in": ["a"] * 50}}] * 100}, 4),
    ],
)
async def test_the_widest_filters_can_be_read(
    reader: LibraryReader, rows: list[Row], value: Any, expected: int
) -> None:
    assert len(await selected(reader, value)) == expected


def test_a_refusal_of_a_custom_member_gets_its_path() -> None:
    def refuse(value: Any, dialect: str) -> Fragment:
        raise RequestError("BAD_INPUT", f"{value} is unknown")

    spec = FilterSpec("F", [Member("tag", "custom", "A tag.", input=str, condition=refuse)])
    with pytest.raises(RequestError, match=r"filter\.not\.tag: x is unknown"):
        compile_filter(spec, {"not": {"tag": "x"}}, "sqlite")


async def test_texts_are_normalised_as_the_column_is(reader: LibraryReader, rows: list[Row]) -> None:
    spec = FilterSpec("F", [Member("title", "string", "T.", column="title", normalise=str.lower)])
    for value in ({"eq": "AB"}, {"in": ["AB"]}):
        assert len(await selected(reader, {"title": value}, spec)) == 4


async def test_a_prefix_reads_a_range_of_the_index(reader: LibraryReader, rows: list[Row]) -> None:
    where = compile_filter(BOOK_FILTER, {"title": {"startsWith": "a"}}, reader.dialect)
    assert "LIKE" not in where.sql
    explain = "EXPLAIN QUERY PLAN" if reader.dialect == "sqlite" else "EXPLAIN"
    if reader.dialect == "postgres":
        await reader.run("SET enable_seqscan = off")
    plan = await reader.run(f"{explain} SELECT t.id FROM lib_book AS t WHERE {where.sql}", where.args)
    assert "lib_book_title" in str(plan)


async def test_filters_reach_a_list_through_the_api(filled: Library) -> None:
    text = """query ($filter: BookFilter) { books(filter: $filter, search: "T00") { totalCount } }"""
    author = encode_id("Author", library.key(1))
    for value, expected in (
        (None, 20),
        ({"author": {"eq": author}}, 5),
        ({"isOld": True}, 4),
        ({"and": [{"isOld": False}, {"not": {"year": {"gt": 1900}}}]}, 4),
        ({"binding": {"eq": "HARD"}, "reviewed": True}, 4),
        ({"publishedAt": {"gte": "2024-01-05T12:00:00+00:00"}}, 6),
    ):
        assert (await filled.data(text, {"filter": value}))["books"]["totalCount"] == expected
    result = await filled.ask(text, {"filter": {"author": {"in": ["?"]}}})
    assert (result.code, result.errors[0]["path"]) == ("BAD_INPUT", ["books"])
    assert filled.reader.log == []


async def test_an_unknown_member_or_value_is_refused_before_anything_runs(filled: Library) -> None:
    for text in (
        '{ books(filter: {titel: {eq: "x"}}) { totalCount } }',
        "{ books(filter: {year: {eq: 99999999999}}) { totalCount } }",
        "{ books(filter: {binding: {eq: PAPER}}) { totalCount } }",
    ):
        result = await filled.ask(text)
        assert (result.code, result.refused, filled.reader.log) == ("BAD_INPUT", True, [])


def test_a_plugins_member_may_not_take_a_name() -> None:
    for name in ("title", "and", "not"):
        inputs = FilterInputs({"BookFilter": [Member(name, "int", "X.", column="year")]})
        with pytest.raises(DeclarationError, match=rf"BookFilter\.{name}: the name is taken"):
            inputs.input(BOOK_FILTER)


def test_members_for_a_filter_that_is_not_there_are_named() -> None:
    inputs = FilterInputs({"BookFilter": [], "GhostFilter": [Member("x", "int", "X.", column="x")]})
    inputs.input(BOOK_FILTER)
    assert inputs.unused() == ["GhostFilter"]


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "int", "column": "x", "sql": "y"},
        {"kind": "int"},
        {"kind": "enum", "column": "x"},
        {"kind": "id", "column": "x"},
        {"kind": "custom", "input": int},
        {"kind": "custom", "input": int, "condition": print, "lookup": print},
        {"kind": "int", "column": "x", "description": ""},
    ],
)
def test_an_incomplete_member_cannot_be_declared(options: Any) -> None:
    with pytest.raises(DeclarationError, match="member m: "):
        Member(**{"name": "m", "description": "M.", **options})


def test_a_column_is_a_plain_name() -> None:
    with pytest.raises(ValueError, match="no plain SQL name"):
        Member("x", "int", "X.", column="a; DROP TABLE b")
