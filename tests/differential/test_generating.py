"""That the comparison would find something: what it generates, and how it compares and shrinks."""

import re
from collections import Counter
from random import Random
from typing import Any

import pytest
from graphql import build_schema, parse, validate

from crm_framework.engine.result import Result
from tests.engine import library

from . import trials as trials_module
from .comparing import difference
from .operations import Shape, generate
from .shrinking import shrunk, size_of
from .trials import Trials
from .values import Pools, literal, wrong

SCHEMA = library.make_schema()._schema
POOLS = Pools(ids={"Author": ["a"]}, cursors={"TITLE,id": ["c"]}, orders={"Query.books": "TITLE,id"})


def test_equal_seeds_make_equal_operations() -> None:
    first, second = (generate(SCHEMA, Random(3), POOLS) for _ in range(2))
    assert first.text == second.text
    assert first.request(Random(4)) == second.request(Random(4))


def test_nearly_all_operations_are_valid() -> None:
    texts = [generate(SCHEMA, Random(number), POOLS).text for number in range(200)]
    valid = [text for text in texts if not validate(SCHEMA, parse(text))]
    assert len(valid) > 190


def test_every_kind_of_thing_is_generated() -> None:
    found: Counter[str] = Counter()
    for number in range(400):
        operation = generate(SCHEMA, Random(number), POOLS)
        for name, pattern in {
            "alias": r"\w+: \w+",
            "named fragment": r"\.\.\.F\d",
            "inline fragment": r"\.\.\. on Author",
            "fragment without a type": r"\.\.\. (@\w+\(if: [^)]*\) )?\{",
            "fragment on the interface": r"on Node",
            "union": r"on Poster",
            "skip": r"@skip\(if: \$v\d+\)",
            "include": r"@include\(if: (true|false)\)",
            "typename": "__typename",
            "default": r"\$v\d+: \S+ = ",
            "cursor": r"(after|before): ",
            "order": r"orderBy: (\[|\$)",
            "nested filter": r"(and|or): ",
            "negated filter": r"not: ",
            "two operations": r"Op1",
            "introspection": r"__type\(|__schema",
            "variable in a value": r"\w+: \{[^}]*\$v\d",
        }.items():
            found[name] += bool(re.search(pattern, operation.text))
    assert [name for name, number in found.items() if number < 2] == []


def test_variables_are_left_out_null_and_spoilt() -> None:
    seen: set[str] = set()
    for number in range(300):
        rng = Random(number)
        operation = generate(SCHEMA, rng, POOLS)
        name, given = operation.request(rng)
        for declared in operation.variables[name]:
            seen.add("left out" if declared.name not in given else type(given[declared.name]).__name__)
    assert seen >= {"left out", "NoneType", "int", "str", "bool", "dict", "list"}


def test_literals_are_read_as_they_were_meant() -> None:
    value = {"text": 'a "b" \\ é \n', "list": [1, 2.5, None, True], "inner": {"a": []}}
    schema = build_schema("scalar J type Query { a(v: J): Int }")
    text = f"{{ a(v: {literal(value)}) }}"
    assert validate(schema, parse(text)) == []
    assert wrong(Random(1), value) != value


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (Result({"a": 1, "b": 2}), Result({"b": 2, "a": 1})),
        (Result({"a": 1}), Result({"a": 1.0})),
        (Result({"a": True}), Result({"a": 1})),
        (Result({"a": [1, 2]}), Result({"a": [2, 1]})),
        (Result({"a": None}), Result({"a": None}, [{"message": "x", "path": ["a"], "extensions": {}}])),
        (Result(None), Result(None, [{"message": "x", "extensions": {}}], refused=True)),
        (
            Result(None, [{"message": "x", "extensions": {}}], refused=True),
            Result(None, [{"message": "y", "extensions": {}}], refused=True),
        ),
    ],
)
def test_differences_are_seen(mine: Result, theirs: Result) -> None:
    assert difference(mine, theirs) is not None
    assert difference(mine, mine) is None


def test_references_to_the_log_are_no_difference() -> None:
    one, other = (
        Result(None, [{"message": f"under reference {reference}", "extensions": {}}], refused=True)
        for reference in ("0123456789ab", "abcdef012345")
    )
    assert difference(one, other) is None


def test_errors_are_compared_exactly_with_those_of_the_specification() -> None:
    def result(message: str) -> Result:
        return Result({"a": None}, [{"message": message, "path": ["a", "b"], "extensions": {}}])

    assert difference(result("x"), result("y")) is None  # both explain the same null
    assert difference(result("x"), result("y"), result("y")) is not None
    assert difference(result("x"), result("y"), result("x")) is None


async def test_what_fails_is_reported_in_its_smallest_form() -> None:
    operation = generate(SCHEMA, Random(12), POOLS, Shape(fields=60))
    fragments, query, rest = operation.text.rpartition("query ")
    text = f"{fragments}{query}{rest.replace('{', '{ authors(limit: 1) { name born mentor { name } }', 1)}"

    async def fails(smaller: str) -> bool:
        return "born" in smaller

    small = await shrunk(SCHEMA, text, fails)
    assert size_of(small) <= 3
    assert "born" in small


def test_a_failed_test_names_the_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials_module, "FAILURES", 1)
    trials: Any = Trials("test", 0.001)
    case = next(iter(trials.cases()))
    trials.ran = 1
    with pytest.raises(AssertionError, match=r"test: 1 of 1 cases differ[\s\S]*DIFFERENTIAL_FROM=0"):
        trials.failed(case, "different")
