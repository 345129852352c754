"""What an operation may lead to is known before it runs, and nothing hides it."""

from collections.abc import Mapping
from typing import Any

import pytest

from crm_framework.engine import Context, Limits, RequestError
from crm_framework.engine.execute import execute, reference_execute

from .conftest import Library

PAGES = "catalogue(first: 5) { nodes { title } }"

COSTS: Mapping[str, tuple[str, dict[str, Any], int]] = {
    "one field": ("{ __typename }", {}, 1),
    "a page": ("{ books(first: 7) { nodes { title } } }", {}, 1 + 7),
    "a page without a length": ("{ books { nodes { title } } }", {}, 1 + 50),
    "the longest page": ("{ books(first: 5000) { nodes { title } } }", {}, 1 + 100),
    "from the end": ("{ books(last: 3) { nodes { title } } }", {}, 1 + 3),
    "a variable": ("query ($n: Int) { books(first: $n) { nodes { title } } }", {"n": 9}, 1 + 9),
    "a variable left out": ("query ($n: Int) { books(first: $n) { nodes { title } } }", {}, 1 + 50),
    "a default": ("query ($n: Int = 4) { books(first: $n) { nodes { title } } }", {}, 1 + 4),
    "null": ("{ books(first: null, last: 2) { nodes { title } } }", {}, 1 + 2),
    "edges": (
        "{ books(first: 7) { edges { cursor node { title } } pageInfo { hasNextPage } } }",
        {},
        1 + 14 + 1,
    ),
    "a count alone": ("{ books(first: 7) { totalCount } }", {}, 1),
    "pages in pages": ("{ writers(first: 10) { nodes { name " + PAGES + " } } }", {}, 1 + 10 * (1 + 1 + 5)),
    "aliases": ("{ a: books(first: 7) { nodes { title } } b: books(first: 7) { nodes { title } } }", {}, 16),
    "fragments": (
        "{ writers(first: 10) { nodes { ...A ...B } } }"
        " fragment A on Author { name a: " + PAGES + " } fragment B on Author { b: " + PAGES + " }",
        {},
        1 + 10 * (1 + 2 * (1 + 5)),
    ),
    "what is skipped": (
        "query ($no: Boolean!) { writers(first: 10) { nodes { name "
        + PAGES.replace("{", "@skip(if: $no) {", 1)
        + " } } }",
        {"no": True},
        1 + 10,
    ),
    "a list of no known length": (
        "{ writers(first: 2) { nodes { books { title } } } }",
        {},
        1 + 2 * (1 + 10),
    ),
}


@pytest.mark.parametrize("what", COSTS)
async def test_what_an_operation_may_lead_to(filled: Library, what: str) -> None:
    text, variables, cost = COSTS[what]
    for run in (execute, reference_execute):
        visit = filled.visit()
        told: list[int] = []
        visit.spend = told.append  # type: ignore[method-assign, assignment]  # what a context would charge
        await run(filled.schema, text, variables, None, visit)
        assert told == [cost]


async def test_more_than_the_limit_is_refused_before_it_runs(filled: Library) -> None:
    text = "query ($n: Int) { writers(first: $n) { nodes { catalogue(first: $n) { nodes { title } } } } }"
    for n, refused in ((30, False), (31, True)):
        result = await filled.ask(text, {"n": n}, limits=Limits(max_cost=1 + 30 * (2 + 30)))
        assert (result.code == "TOO_COMPLEX") is refused
        assert bool(filled.reader.log) is not refused
    assert result.errors[0]["message"].startswith(
        "the operation may lead to 1,024 objects; 961 are allowed. Ask for shorter lists"
    )


async def test_a_context_may_refuse_what_it_is_told(filled: Library) -> None:
    def broke(cost: int) -> None:
        raise RequestError("RATE_LIMITED", f"{cost} is too much")

    visit: Context = filled.visit()
    visit.spend = broke  # type: ignore[method-assign]  # one whose budget is used up
    result = await execute(filled.schema, "{ books(first: 7) { nodes { title } } }", None, None, visit)
    assert (result.code, result.data) == ("RATE_LIMITED", None)
