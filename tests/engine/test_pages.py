"""Pages both ways over every order, against lists sorted in Python."""

import random
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from crm_framework.engine import RequestError, encode_id, window

from . import library
from .conftest import Library

COLUMNS = {
    "TITLE": "title",
    "YEAR": "year",
    "PRICE": "price",
    "PUBLISHED_AT": "published_at",
    "BOUGHT_ON": "bought_on",
    "LENT": "lent",
    "BINDING": "binding",
}
ORDERS = [
    [],
    ["TITLE"],
    ["-TITLE"],
    ["YEAR"],
    ["-YEAR"],
    ["PRICE", "TITLE"],
    ["-PRICE"],
    ["PUBLISHED_AT"],
    ["-PUBLISHED_AT", "-BOUGHT_ON"],
    ["LENT", "-BOUGHT_ON"],
    ["-BINDING", "YEAR"],
    ["BINDING", "-PRICE", "LENT"],
    ["YEAR", "YEAR", "-YEAR"],
    ["BOUGHT_ON", "BINDING"],
]


@pytest.fixture
async def books(shelves: Library) -> list[dict[str, Any]]:
    """Forty books of three authors with many ties and gaps, as Python values."""
    chance = random.Random(7)
    made = []
    for a in range(3):
        await shelves.reader.insert("lib_author", id=library.key(a), name=f"A{a}", born=None, mentor_id=None)
    for n in range(40):
        book: dict[str, Any] = {
            "id": library.key(chance.randrange(10**6) * 100 + n),
            "author_id": library.key(n % 2),
            "title": chance.choice(["a", "B", "b", "é", "z", "", "𝄞", "\uffee"]),
            "year": chance.choice([None, 1800, 1900, -5]),
            "price": chance.choice([None, Decimal("9.50"), Decimal("10.25"), Decimal("100.00")]),
            "published_at": chance.choice([None, library.moment(0), library.moment(1)]),
            "bought_on": chance.choice([date(2024, 1, 1), date(2023, 12, 31)]),
            "lent": chance.choice([True, False]),
            "binding": chance.choice([None, "hard", "soft"]),
        }
        await shelves.reader.insert("lib_book", **book, facts="{}", reading_seconds=None)
        made.append(book)
    return made


def in_order(books: list[dict[str, Any]], order: list[str]) -> list[str]:
    """Global ids in an order: by stable sorts from the last term to the first, NULL the largest value."""
    terms: dict[str, tuple[bool, str]] = {}
    for term in order:
        name, _, nulls = term.removeprefix("-").partition(" nulls ")
        terms.setdefault(name, (term.startswith("-"), nulls))
    last_descends = [*terms.values()][-1][0] if terms else False
    found = sorted(books, key=lambda book: book["id"], reverse=last_descends)
    for name, (descends, nulls) in reversed(terms.items()):
        first = (nulls or ("first" if descends else "last")) == "first"
        found = sorted(found, key=_comparable(COLUMNS[name], first is descends), reverse=descends)
    return [encode_id("Book", book["id"]) for book in found]


def _comparable(column: str, largest: bool) -> Callable[[Any], Any]:
    # the flag decides before a NULL meets another value
    return lambda book: (largest, 0) if book[column] is None else (not largest, book[column])


def spelled(order: list[str]) -> list[dict[str, str]]:
    found = []
    for term in order:
        name, _, nulls = term.removeprefix("-").partition(" nulls ")
        said = {"nulls": nulls.upper()} if nulls else {}
        found.append({"field": name, "direction": "DESC" if term.startswith("-") else "ASC", **said})
    return found


WALK = """query ($orderBy: [BookOrder!], $first: Int, $after: String, $last: Int, $before: String) {
  books(orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
    totalCount nodes { id } edges { cursor node { id } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""


@pytest.mark.parametrize("order", ORDERS, ids=",".join)
async def test_a_walk_meets_every_record_once(
    shelves: Library, books: list[dict[str, Any]], order: list[str]
) -> None:
    expected = in_order(books, order)
    for size in (1, 7, 40):
        met: list[str] = []
        cursor = None
        while True:
            page = await page_of(shelves, orderBy=spelled(order), first=size, after=cursor)
            met += [node["id"] for node in page["nodes"]]
            info = page["pageInfo"]
            assert page["totalCount"] == 40
            assert info["hasPreviousPage"] is (cursor is not None)
            assert [edge["node"] for edge in page["edges"]] == page["nodes"]
            assert (page["edges"][0]["cursor"], page["edges"][-1]["cursor"]) == (
                info["startCursor"],
                info["endCursor"],
            )
            cursor = info["endCursor"]
            if not info["hasNextPage"]:
                break
        assert met == expected


@pytest.mark.parametrize("order", ORDERS, ids=",".join)
async def test_a_walk_backwards_meets_every_record_once(
    shelves: Library, books: list[dict[str, Any]], order: list[str]
) -> None:
    expected = in_order(books, order)
    met: list[str] = []
    cursor = None
    while True:
        page = await page_of(shelves, orderBy=spelled(order), last=6, before=cursor)
        met = [node["id"] for node in page["nodes"]] + met
        info = page["pageInfo"]
        assert info["hasNextPage"] is (cursor is not None)
        cursor = info["startCursor"]
        if not info["hasPreviousPage"]:
            break
    assert met == expected


SHORT_WALK = """query ($orderBy: [BookOrder!], $first: Int, $after: String, $last: Int, $before: String) {
  books(orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
    nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""


async def test_pages_go_both_ways_wherever_nulls_are(shelves: Library, books: list[dict[str, Any]]) -> None:
    """Each way of an order: alone, before each way of another, and beside one without NULLs."""
    ways = [(sign, nulls) for sign in ("", "-") for nulls in ("", " nulls first", " nulls last")]
    years, prices = ([f"{sign}{name}{nulls}" for sign, nulls in ways] for name in ("YEAR", "PRICE"))
    orders = [[year] for year in years] + [[year, price] for year in years for price in prices]
    orders += [[year, "-TITLE"] for year in years] + [["TITLE", year] for year in years]
    chance = random.Random(3)
    for order in orders:
        expected = in_order(books, order)
        assert await walked(shelves, order, chance.choice([3, 7, 11])) == expected, order
        assert await walked(shelves, order, chance.choice([3, 7, 11]), backward=True) == expected, order


async def walked(shelves: Library, order: list[str], size: int, *, backward: bool = False) -> list[str]:
    """The whole list, page by page."""
    met: list[str] = []
    given: dict[str, Any] = {"last" if backward else "first": size}
    while True:
        page = (await shelves.data(SHORT_WALK, {"orderBy": spelled(order), **given}))["books"]
        found = [node["id"] for node in page["nodes"]]
        met = [*found, *met] if backward else [*met, *found]
        info = page["pageInfo"]
        if not info["hasPreviousPage" if backward else "hasNextPage"]:
            return met
        given |= {"before": info["startCursor"]} if backward else {"after": info["endCursor"]}


async def test_a_cursor_of_other_nulls_is_one_of_another_order(
    shelves: Library, books: list[dict[str, Any]]
) -> None:
    async def ask(order: list[dict[str, Any]], after: str | None = None) -> Any:
        return await shelves.ask(SHORT_WALK, {"orderBy": order, "first": 2, "after": after})

    plain = spelled(["-YEAR"])
    cursor = (await ask(plain)).data["books"]["pageInfo"]["endCursor"]
    for same in ({"nulls": "FIRST"}, {"nulls": None}):
        assert (await ask([plain[0] | same], cursor)).errors == []
    [error] = (await ask(spelled(["-YEAR nulls last"]), cursor)).errors
    assert error["extensions"]["code"] == "BAD_INPUT"
    assert error["message"] == (
        "after: this cursor belongs to the order -YEAR,-id, but the list is in the order "
        "-YEAR nulls last,-id; start again without a cursor, or keep the order"
    )
    # where there is always a value it makes no difference
    cursor = (await ask(spelled(["TITLE nulls first"]))).data["books"]["pageInfo"]["endCursor"]
    assert (await ask(spelled(["TITLE"]), cursor)).errors == []


async def test_both_cursors_bound_the_page(shelves: Library, books: list[dict[str, Any]]) -> None:
    expected = in_order(books, ["TITLE"])
    whole = await page_of(shelves, orderBy=spelled(["TITLE"]), first=40)
    cursors = [edge["cursor"] for edge in whole["edges"]]
    for arguments, inside in (
        ({"first": 3}, expected[6:9]),
        ({"last": 3}, expected[17:20]),
        ({"first": 100}, expected[6:20]),
        ({}, expected[6:20]),
    ):
        page = await page_of(
            shelves, orderBy=spelled(["TITLE"]), after=cursors[5], before=cursors[20], **arguments
        )
        assert [node["id"] for node in page["nodes"]] == inside
        assert (page["pageInfo"]["hasNextPage"], page["pageInfo"]["hasPreviousPage"]) == (True, True)


async def test_before_alone_means_the_page_that_ends_there(
    shelves: Library, books: list[dict[str, Any]]
) -> None:
    expected = in_order(books, [])
    whole = await page_of(shelves, first=40)
    page = await page_of(shelves, before=whole["edges"][30]["cursor"], page_default=4)
    assert [node["id"] for node in page["nodes"]] == expected[26:30]


async def test_an_empty_page(shelves: Library, books: list[dict[str, Any]]) -> None:
    page = await page_of(shelves, first=0)
    assert page == {
        "totalCount": 40,
        "nodes": [],
        "edges": [],
        "pageInfo": {"hasNextPage": True, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
    }


async def test_pages_of_which_nothing_is_selected(filled: Library) -> None:
    found = await filled.data(
        """query ($out: Boolean!) {
             books(first: 2) { totalCount @skip(if: $out) }
             writers(first: 2) { edges { cursor @skip(if: $out) } pageInfo { endCursor @skip(if: $out) }
                                 nodes { catalogue { nodes @skip(if: $out) { title } } } } }""",
        {"out": True},
    )
    assert found == {
        "books": {},
        "writers": {"edges": [{}, {}], "pageInfo": {}, "nodes": [{"catalogue": {}}, {"catalogue": {}}]},
    }


@pytest.mark.parametrize(
    "order", [*ORDERS, ["-PUBLISHED_AT nulls last", "BINDING nulls first"]], ids=",".join
)
async def test_pages_of_each_parent(shelves: Library, books: list[dict[str, Any]], order: list[str]) -> None:
    text = """query ($orderBy: [BookOrder!], $after: String, $first: Int, $last: Int) {
        authors { catalogue(orderBy: $orderBy, after: $after, first: $first, last: $last) {
          totalCount nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage } } } }"""
    expected = in_order(books, order or ["-PUBLISHED_AT"])
    author_of = {_id(book): book["author_id"] for book in books}
    own = [[one for one in expected if author_of[one] == library.key(a)] for a in range(3)]
    found = (await shelves.data(text, {"orderBy": spelled(order), "first": 6}))["authors"]
    assert [_ids(author) for author in found] == [own[0][:6], own[1][:6], []]
    assert [author["catalogue"]["totalCount"] for author in found] == [20, 20, 0]
    assert [author["catalogue"]["pageInfo"]["hasNextPage"] for author in found] == [True, True, False]
    # the place that a cursor names holds for every parent, whoever's record it was
    cursor = found[0]["catalogue"]["edges"][3]["cursor"]
    rest = expected[expected.index(own[0][3]) + 1 :]
    again = (await shelves.data(text, {"orderBy": spelled(order), "first": 4, "after": cursor}))["authors"]
    assert [_ids(author) for author in again] == [
        [one for one in rest if one in own[0]][:4],
        [one for one in rest if one in own[1]][:4],
        [],
    ]
    final = (await shelves.data(text, {"orderBy": spelled(order), "last": 3}))["authors"]
    assert [_ids(author) for author in final] == [own[0][-3:], own[1][-3:], []]
    assert [author["catalogue"]["pageInfo"]["hasPreviousPage"] for author in final] == [True, True, False]


async def test_the_limit_is_the_contexts(shelves: Library, books: list[dict[str, Any]]) -> None:
    page = await page_of(shelves, page_default=5)
    assert len(page["nodes"]) == 5
    result = await shelves.ask("{ books(first: 11) { nodes { id } } }", page_max=10)
    assert result.errors[0]["message"] == (
        "first: 11 is more than a page may hold; ask for 10 at most, and go on with the cursor"
    )


AT_MOST = "ask for 100 at most, and go on with the cursor"
BAD = {
    "first: 101": "first: 101 is more than a page may hold; " + AT_MOST,
    "last: 100000": "last: 100000 is more than a page may hold; " + AT_MOST,
    "first: -1": "first: -1 is negative; ask for 0 to 100",
    "last: -5": "last: -5 is negative; ask for 0 to 100",
    "first: 1, last: 1": "first and last exclude each other; give one of them",
    'after: "x"': "after: the cursor is damaged or was altered; use cursors as the API gave them",
    'after: ""': "after: the cursor is damaged or was altered; use cursors as the API gave them",
    'before: "é"': "before: the cursor is damaged or was altered; use cursors as the API gave them",
    'before: "bnVsbA=="': "before: the cursor is damaged or was altered; use cursors as the API gave them",
}


@pytest.mark.parametrize("arguments", BAD)
@pytest.mark.parametrize("nested", [False, True])
async def test_what_cannot_be_is_refused(filled: Library, arguments: str, nested: bool) -> None:
    root = "{ books(%s) { nodes { id } } }"
    text = "{ authors(limit: 1) { catalogue(%s) { nodes { id } } } }" if nested else root
    result = await filled.ask(text % arguments)
    assert result.data is None
    assert [(e["message"], e["extensions"], e["path"]) for e in result.errors] == [
        (
            BAD[arguments],
            {"code": "BAD_INPUT"},
            ["authors", 0, "catalogue"] if nested else ["books"],
        )
    ]
    assert len(filled.reader.log) == nested


async def test_a_cursor_of_another_order_is_refused(filled: Library) -> None:
    page = await page_of(filled, first=1, orderBy=spelled(["TITLE"]))
    result = await filled.ask(WALK, {"after": page["pageInfo"]["endCursor"], "orderBy": spelled(["-TITLE"])})
    assert (result.code, result.errors[0]["message"]) == (
        "BAD_INPUT",
        "after: this cursor belongs to the order TITLE,id, but the list is in the order -TITLE,-id; "
        "start again without a cursor, or keep the order",
    )
    assert filled.reader.log == []


async def test_an_altered_cursor_is_refused(filled: Library) -> None:
    cursor = (await page_of(filled, first=1, orderBy=spelled(["TITLE"])))["pageInfo"]["endCursor"]
    for place in range(0, len(cursor) - 4, 5):
        altered = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        result = await filled.ask(WALK, {"after": altered, "orderBy": spelled(["TITLE"])})
        assert result.code == "BAD_INPUT", place
        assert "damaged or was altered" in result.errors[0]["message"]
        assert filled.reader.log == []


def test_null_arguments_are_as_if_left_out(shelves: Library) -> None:
    assert window(shelves.visit(), None, None, None, None).limit == 50
    with pytest.raises(RequestError):
        window(shelves.visit(), 0, None, 0, None)


async def test_a_kept_list_takes_part_as_if_the_client_had_given_it(
    shelves: Library, books: list[dict[str, Any]]
) -> None:
    """Its filter besides the request's and what is searched for; its order where the request has none."""
    old = [book for book in books if book["year"] is not None and book["year"] < 1900]
    for order in ([], ["YEAR"]):
        page = await kept(shelves, "old", filter={"lent": {"eq": True}}, search="a", orderBy=spelled(order))
        wanted = [book for book in old if book["lent"] and "a" in book["title"]]
        assert [node["id"] for node in page["nodes"]] == in_order(wanted, order or ["-TITLE"])
        assert page["totalCount"] == len(wanted) > 1


@pytest.mark.parametrize(
    ("name", "problem"),
    [("coloured", "filter.colour: there is no such member"), ("by colour", "orderBy: there is no order by")],
)
async def test_a_kept_list_that_fits_no_more_is_refused(filled: Library, name: str, problem: str) -> None:
    result = await filled.ask(KEPT, {"kept": name})
    assert (result.code, result.data) == ("BAD_INPUT", None)
    assert f"the kept list does not fit any more: {problem}" in result.errors[0]["message"]
    assert filled.reader.log == []


KEPT = """query ($kept: String, $filter: BookFilter, $search: String, $orderBy: [BookOrder!]) {
  books(kept: $kept, filter: $filter, search: $search, orderBy: $orderBy) { totalCount nodes { id } } }"""


async def kept(shelves: Library, name: str, **variables: Any) -> Any:
    return (await shelves.data(KEPT, {"kept": name, **variables}))["books"]


async def page_of(shelves: Library, *, page_default: int = 50, **variables: Any) -> Any:
    return (await shelves.data(WALK, variables, page_default=page_default))["books"]


def _id(book: dict[str, Any]) -> str:
    return encode_id("Book", book["id"])


def _ids(author: Any) -> list[str]:
    return [node["id"] for node in author["catalogue"]["nodes"]]
