"""The conditions that continue a list: their text, and that the databases read them from an index."""

import pytest

from crm_framework.engine import (
    DeclarationError,
    Dialect,
    Fragment,
    OrderField,
    Orders,
    RequestError,
    decode_cursor,
    encode_cursor,
)
from crm_framework.engine.cursors import place
from crm_framework.engine.keyset import By, Ordering, beyond, declared_order, ordering

from . import library
from .conftest import Library

ORDERS = Orders(
    "ThingOrder",
    [
        OrderField("NAME", "string", "By name.", column="name"),
        OrderField("SIZE", "int", "By size.", column="size", nullable=True),
        OrderField("DAY", "date", "By day.", sql="coalesce(t.day, t.made)", nullable=False),
    ],
)


def terms(*order: str) -> Ordering:
    return ordering("id", ORDERS, [declared_order(ORDERS, one) for one in order], None)


@pytest.mark.parametrize(
    ("order", "values", "expected"),
    [
        ([], ["k"], Fragment("(t.id) > (?)", ("k",))),
        (["NAME"], ["a", "k"], Fragment("(t.name, t.id) > (?, ?)", ("a", "k"))),
        (
            ["-NAME", "-DAY"],
            ["a", "d", "k"],
            Fragment("(t.name, (coalesce(t.day, t.made)), t.id) < (?, ?, ?)", ("a", "d", "k")),
        ),
        (["SIZE"], [3, "k"], Fragment("((t.size, t.id) > (?, ?)) OR (t.size IS NULL)", (3, "k"))),
        (["-SIZE"], [3, "k"], Fragment("(t.size, t.id) < (?, ?)", (3, "k"))),
        (["SIZE"], [None, "k"], Fragment("(t.size IS NULL) AND ((t.id) > (?))", ("k",))),
        (
            ["-SIZE"],
            [None, "k"],
            Fragment("(t.size IS NOT NULL) OR ((t.size IS NULL) AND ((t.id) < (?)))", ("k",)),
        ),
        (
            ["-SIZE nulls last"],
            [3, "k"],
            Fragment("((t.size, t.id) < (?, ?)) OR (t.size IS NULL)", (3, "k")),
        ),
        (["-SIZE nulls last"], [None, "k"], Fragment("(t.size IS NULL) AND ((t.id) < (?))", ("k",))),
        (["SIZE nulls first"], [3, "k"], Fragment("(t.size, t.id) > (?, ?)", (3, "k"))),
        (
            ["-NAME", "DAY"],
            ["a", "d", "k"],
            Fragment(
                "(t.name <= ?) AND ((t.name < ?) OR "
                "((t.name = ?) AND (((coalesce(t.day, t.made)), t.id) > (?, ?))))",
                ("a", "a", "a", "d", "k"),
            ),
        ),
    ],
)
def test_what_comes_after(order: list[str], values: list[object], expected: Fragment) -> None:
    assert beyond(terms(*order).terms, values, "sqlite") == expected


def test_text_goes_by_code_points_and_null_is_the_largest() -> None:
    assert terms("-NAME", "SIZE").clause("sqlite") == "ORDER BY t.name DESC, t.size NULLS LAST, t.id"
    assert terms("-NAME", "SIZE").clause("postgres") == 'ORDER BY t.name COLLATE "C" DESC, t.size, t.id'
    assert terms("-SIZE").clause("sqlite") == "ORDER BY t.size DESC NULLS FIRST, t.id DESC"
    assert beyond(terms("NAME").terms, ["a", "k"], "postgres").sql == '(t.name COLLATE "C", t.id) > (?, ?)'


def test_nulls_go_where_an_order_says() -> None:
    for said in ("-SIZE nulls first", "SIZE nulls last", "NAME nulls first"):  # as they go anyway
        assert terms(said) == terms(said.partition(" ")[0])
    last, first = terms("-SIZE nulls last"), terms("SIZE nulls first")
    assert last.clause("sqlite") == "ORDER BY t.size DESC, t.id DESC"
    assert last.clause("postgres") == "ORDER BY t.size DESC NULLS LAST, t.id DESC"
    assert first.clause("postgres") == "ORDER BY t.size NULLS FIRST, t.id"
    assert last.reversed().fingerprint == first.fingerprint == "SIZE nulls first,id"
    with pytest.raises(DeclarationError, match=r"'SIZE nulls away' is no order\. Write -NAME or"):
        terms("SIZE nulls away")


def test_an_ordering_turns_round() -> None:
    assert terms("-NAME", "SIZE").reversed().fingerprint == "NAME,-SIZE,-id"
    assert ordering("id", None, (), None).fingerprint == "id"


def test_a_field_chosen_again_makes_no_other_ordering() -> None:
    title, year = {"field": "TITLE", "direction": "DESC"}, {"field": "YEAR"}
    known = len(library.BOOK_ORDERS.known)
    made = ordering("id", library.BOOK_ORDERS, (), [title, year])
    for often in (1, 5_000):
        assert ordering("id", library.BOOK_ORDERS, (), [title, *[year, title] * often]) is made
    assert len(library.BOOK_ORDERS.known) <= known + 1


def test_a_cursor_holds_values_of_every_kind() -> None:
    cursor = encode_cursor("a,b", [1, "é", None, library.moment(0), True])
    assert decode_cursor("a,b", cursor, "after") == [1, "é", None, "2024-01-01T12:00:00+00:00", True]


@pytest.mark.parametrize(
    "values",
    [
        ["a"],
        [],
        ["a", "k", "k"],
        [1, library.key(1)],
        ["a", "no key"],
        [None, library.key(1)],
        ["a\0", library.key(1)],
    ],
)
def test_a_forged_cursor_does_not_reach_the_database(values: list[object]) -> None:
    cursor = encode_cursor("NAME,id", values)
    dialect: Dialect
    for dialect in ("sqlite", "postgres"):
        with pytest.raises(RequestError, match="damaged or was altered"):
            place(terms("NAME"), cursor, "after", dialect, "uuid")


def test_a_cursor_of_another_list_does_not_reach_the_database() -> None:
    """One that is ordered by moments, where this list takes its keys, which grow with time, for them."""
    made = Orders("JobOrder", [OrderField("MADE", "id", "By the moment.", column="id")])
    cursor = encode_cursor("MADE,id", [library.moment(0).isoformat(), library.key(1)])
    dialect: Dialect
    for dialect in ("sqlite", "postgres"):
        with pytest.raises(RequestError, match="damaged or was altered"):
            place(ordering("id", made, [By("MADE")], None), cursor, "after", dialect, "uuid")


async def test_a_page_is_read_from_the_index(filled: Library) -> None:
    cursor = await filled.data("{ books(first: 3, orderBy: [{field: TITLE}]) { pageInfo { endCursor } } }")
    await filled.data(
        """query ($after: String) { books(first: 3, after: $after, orderBy: [{field: TITLE}]) { nodes { id } }
           authors { catalogue(first: 2) { nodes { id } } } }""",
        {"after": cursor["books"]["pageInfo"]["endCursor"]},
    )
    statements = [sql for sql in filled.reader.log if "lib_book" in sql]
    plans = [await filled.plan(sql) for sql in statements]
    assert len(plans) == 2
    if filled.reader.dialect == "sqlite":
        assert "SEARCH t USING COVERING INDEX lib_book_title ((title,id)>(?,?))" in plans[0]
        assert "SEARCH t USING COVERING INDEX lib_book_author (author_id=?)" in plans[1]
        assert "SCAN t" not in plans[0] + plans[1]
        assert "TEMP B-TREE" not in plans[0]
    else:
        assert "Index Only Scan using lib_book_title" in plans[0]
        assert "Index Cond: (ROW(title, id) > ROW(" in plans[0]
        assert "lib_book_author" in plans[1]
        assert "Seq Scan" not in plans[0] + plans[1]


async def test_the_best_of_each_parent_are_looked_up_whatever_the_statistics_say(filled: Library) -> None:
    """SQLite, told that there are few rows, would else go through all of them for each parent."""
    await filled.grow(4, 100, 4)
    if filled.reader.dialect == "sqlite":
        await filled.reader.run("ANALYZE")
    await filled.data("{ authors { catalogue(first: 2, orderBy: [{field: TITLE}]) { nodes { id title } } } }")
    (sql,) = (sql for sql in filled.reader.log if "FROM lib_book" in sql)
    assert "SCAN t" not in await filled.plan(sql)
