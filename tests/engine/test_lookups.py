"""Members of filters that have to be looked up before a list is read."""

from typing import Any

import pytest

from crm_framework.engine.execute import reference_execute

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
