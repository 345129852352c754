"""Members of filters that have to be looked up before a list is read."""

from collections.abc import Sequence
from typing import Any

import pytest

from crm_framework.engine.context import Context
from crm_framework.engine.errors import DeclarationError, RequestError
from crm_framework.engine.execute import reference_execute
from crm_framework.engine.filters import Condition, Filter, FilterSpec, Found, Member, compile_filter
from crm_framework.engine.lookups import check_fits, look_up, waits
from crm_framework.engine.sql import Fragment

from . import library
from .conftest import Library

TOTAL = "query ($filter: BookFilter) { books(filter: $filter) { totalCount nodes { title } } }"


async def titles(filled: Library, filter: Any) -> set[str]:
    found = (await filled.data(TOTAL, {"filter": filter}))["books"]
    assert found["totalCount"] == len(found["nodes"])
    return {node["title"] for node in found["nodes"]}


async def test_a_member_is_looked_up_once_for_a_filter(filled: Library) -> None:
    dear = await titles(filled, {"dearer": 1})
    assert dear
    assert dear != await titles(filled, {})
    both = {"and": [{"dearer": 1}, {"not": {"dearer": 2}}], "or": [{"dearer": 1}]}
    assert await titles(filled, both) == dear - await titles(filled, {"dearer": 2})
    await filled.data(TOTAL, {"filter": both})
    assert library.CALLS.count(("dear", 1)) == 1
    assert await titles(filled, {"not": {"dearer": 1}}) == await titles(filled, {}) - dear


@pytest.mark.parametrize(
    "text",
    [
        "{ books(filter: {dearer: 1}, first: 2) { nodes { title author { name } } pageInfo { endCursor } } }",
        "{ authors { name catalogue(first: 2, filter: {dearer: 1}) { totalCount nodes { title } } } }",
        "{ writers(first: 3) { nodes { catalogue(first: 2, filter: {dearer: 1}) { nodes { title } } } } }",
        "{ writers(first: 3) { nodes { catalogue(first: 2, filter: {dearer: 10}) { nodes { title } } } } }",
        "{ books(filter: {and: [{dearer: 10}]}) { totalCount } authors { name } }",
    ],
)
async def test_lists_are_those_of_the_reference(filled: Library, text: str) -> None:
    reference = await reference_execute(filled.schema, text, None, None, filled.visit())
    assert (await filled.ask(text)).response == reference.response


async def test_a_value_that_does_not_fit_is_refused_at_its_place(filled: Library) -> None:
    result = await filled.ask(TOTAL, {"filter": {"not": {"or": [{"dearer": 10}]}}})
    assert [error["message"] for error in result.response["errors"]] == [
        "filter.not.or.0.dearer: 10 times is more than any book"
    ]
    for none in ({"dearer": None}, {"or": [{"dearer": 1}, {"dearer": None}]}):
        [error] = (await filled.ask(TOTAL, {"filter": none})).response["errors"]
        assert error["message"].endswith("dearer: null is no condition; leave it out, or use isNull")


async def test_nothing_is_looked_up_for_what_is_refused_anyway(filled: Library) -> None:
    for refused, message in (
        ({"and": [{"dearer": 1}] * 101}, "filter.and.100.dearer: a filter may hold 100 conditions at most"),
        (
            {"dearer": 1, "and": [{"title": {"in": ["a"] * 1000}}] * 5},
            "filter: 5001 values are too many; 5000 may be compared with in all",
        ),
        ({"dearer": 1, "title": {"eq": "\0"}}, "filter.title.eq: a text may not hold the character U+0000"),
    ):
        [error] = (await filled.ask(TOTAL, {"filter": refused})).response["errors"]
        assert error["message"] == message
        assert ("dear", 1) not in library.CALLS


async def test_a_kept_list_is_looked_up_with_the_filter_of_the_request(filled: Library) -> None:
    text = """query ($kept: String, $filter: BookFilter) {
        books(kept: $kept, filter: $filter) { totalCount nodes { title } } }"""
    dear = await titles(filled, {"dearer": 1})
    for filter, expected in (
        (None, dear),
        ({"not": {"dearer": 2}}, dear - await titles(filled, {"dearer": 2})),
    ):
        found = (await filled.data(text, {"kept": "dear", "filter": filter}))["books"]
        assert {node["title"] for node in found["nodes"]} == expected
        assert library.CALLS.count(("dear", 1)) == 1
        reference = await reference_execute(
            filled.schema, text, {"kept": "dear", "filter": filter}, None, filled.visit()
        )
        assert reference.response["data"] == {"books": found}


class Shelves:
    """A filter by what is asked for before, and by filters that are kept under names."""

    def __init__(self, **kept: Filter) -> None:
        self.asked: list[tuple[str, list[Any]]] = []
        self.kept = kept
        self.spec = FilterSpec(
            "ShelfFilter",
            [
                Member("room", "string", "The room.", column="room"),
                Member("free", "custom", "So much is free.", input=int, lookup=self.free),
                Member("lost", "custom", "Nobody knows.", input=bool, lookup=self.lost),
                Member("kept", "custom", "As kept.", input=str, names=self.names),
            ],
        )

    async def free(self, context: Context, values: Sequence[Any]) -> Condition:
        self.asked.append(("free", list(values)))

        def condition(value: Any, dialect: str) -> Fragment:
            if value < 0:
                raise RequestError("BAD_INPUT", "less than nothing")
            return Fragment("t.free >= ?", (value,))

        return condition

    async def lost(self, context: Context, values: Sequence[Any]) -> Condition:
        self.asked.append(("lost", list(values)))
        raise LookupError("nobody knows")

    async def names(self, context: Context, names: Sequence[str]) -> dict[str, Filter | RequestError]:
        self.asked.append(("kept", list(names)))
        return {**self.kept, "gone": RequestError("BAD_INPUT", "it is gone")}

    async def found(self, *filters: Filter) -> Found:
        return await look_up(self.spec, filters, Context(reader=None))  # type: ignore[arg-type]  # nobody reads


async def test_many_filters_are_looked_up_together() -> None:
    shelves = Shelves(big={"free": 5, "kept": "north"}, north={"room": {"eq": "N"}, "or": [{"free": 7}]})
    filters: list[Filter] = [
        {"kept": "big", "not": {"free": 9}},
        {"or": [{"kept": "big"}, {"kept": "north"}]},
        {"room": {"eq": "S"}},
        {"free": None},
    ]
    found = await shelves.found(*filters)
    assert shelves.asked == [("kept", ["big", "north"]), ("free", [9, 5, 7])]
    assert [waits(shelves.spec, each) for each in filters] == [True, True, False, False]
    big = ("(t.free >= ?) AND ((t.room = ?) AND (t.free >= ?))", (5, "N", 7))
    assert compile_filter(shelves.spec, {"kept": "big"}, "sqlite", found) == Fragment(*big)
    for each in filters[:3]:
        compile_filter(shelves.spec, each, "sqlite", found)
    assert await shelves.found({"room": {"eq": "S"}}) == {}


async def test_what_fails_in_one_filter_leaves_the_others_alone() -> None:
    shelves = Shelves(lost={"lost": True}, bad={"and": [{"free": -1}]}, round={"kept": "round"})
    found = await shelves.found(
        *({"kept": name} for name in ("lost", "bad", "round", "gone", "other")), {"free": 1}, {"kept": 4}
    )
    assert compile_filter(shelves.spec, {"free": 1}, "sqlite", found).args == (1,)
    with pytest.raises(LookupError, match="nobody knows"):
        compile_filter(shelves.spec, {"kept": "lost"}, "sqlite", found)
    refusals = {
        "bad": "filter.kept.and.0.free: less than nothing",
        "gone": "filter.kept: it is gone",
        "other": "filter.kept: there is none of this name",
        "round": f"filter{'.kept' * 51}: the filter builds on more than 50 others",
    }
    for name, refusal in refusals.items():
        with pytest.raises(RequestError) as refused:
            compile_filter(shelves.spec, {"kept": name}, "sqlite", found)
        assert (refused.value.code, refused.value.message) == ("BAD_INPUT", refusal)
    with pytest.raises(RequestError, match=r"filter\.kept: there is none of this name"):
        compile_filter(shelves.spec, {"kept": 4}, "sqlite", found)


async def test_a_text_that_is_too_long_is_not_looked_up() -> None:
    shelves = Shelves(north={"free": 2})
    wrong: dict[str, Any] = {"kept": "n" * 2_001}
    found = await shelves.found(wrong, {"kept": "north"}, {"or": [wrong, {"free": ["n" * 2_001]}]})
    assert shelves.asked == [("kept", ["north"]), ("free", [2])]
    with pytest.raises(RequestError) as refused:
        compile_filter(shelves.spec, wrong, "sqlite", found)
    assert refused.value.message == (
        "filter.kept: 2001 characters are too many; a text may have 2000. Shorten it"
    )


def test_without_a_lookup_a_filter_can_only_be_looked_through() -> None:
    spec = Shelves().spec
    value = {"free": 1, "not": {"kept": "any"}}
    check_fits(spec, value, "sqlite")
    with pytest.raises(RequestError, match=r"filter\.free: it rests on what cannot be looked up here"):
        compile_filter(spec, value, "sqlite")
    with pytest.raises(RequestError, match=r"filter\.room\.eq: a text is expected"):
        check_fits(spec, {**value, "room": {"eq": 4}}, "sqlite")


def test_what_is_to_be_looked_up_counts_by_its_values() -> None:
    spec = Shelves().spec
    fits = {"room": {"in": ["N"] * 1000}, "or": [{"free": [{"in": [1] * 999, "eq": 1}] * 4}]}
    check_fits(spec, fits, "sqlite")
    with pytest.raises(RequestError, match="filter: 5001 values are too many; 5000 may be compared"):
        check_fits(spec, {**fits, "free": 1}, "sqlite")


def test_a_member_has_one_way_to_its_condition() -> None:
    shelves = Shelves()
    with pytest.raises(DeclarationError, match="one of condition=, lookup= and names="):
        Member("free", "custom", "F.", input=int, lookup=shelves.free, names=shelves.names)
