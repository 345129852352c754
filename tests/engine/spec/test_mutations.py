"""Root fields of a mutation run one after the other, each with all that was asked of it."""

import asyncio
from typing import Any

import strawberry

from crm_framework.engine import PUBLIC, Batch, EngineSchema, batch, root

from .harness import Ask, Fault, answering


class Number:
    """What the mutations change: one number, and who changed it when."""

    def __init__(self) -> None:
        self.value = 6
        self.log: list[str] = []

    def change(self, to: int) -> "Holder":
        self.log.append(f"change {to}")
        self.value = to
        return Holder(number=self)


@strawberry.type
class Holder:
    number: strawberry.Private[Number]

    @strawberry.field
    def the_number(self) -> int:
        return self.number.value

    @strawberry.field
    async def promised_number(self) -> int:
        await asyncio.sleep(0)
        self.number.log.append(f"read {self.number.value}")
        return self.number.value

    @batch(needs=("number",))
    @staticmethod
    async def number_of_all(holders: Batch[Any]) -> list[int]:
        "The number, read for all holders at once."
        await asyncio.sleep(0)
        return [holder.number.value for holder in holders]


def _schema(number: Number) -> EngineSchema:
    async def later(to: int) -> Holder:
        await asyncio.sleep(0)
        return number.change(to)

    def failing(to: int) -> Holder:
        raise Fault(f"cannot change to {to}")

    async def failing_later(to: int) -> Holder:
        await asyncio.sleep(0)
        raise Fault(f"cannot change to {to}")

    def reset() -> None:
        number.value = 0

    @strawberry.type
    class Query:
        the_number = answering("the_number", int, lambda: number.value)

    @strawberry.type
    class Mutation:
        change = answering("change", Holder | None, number.change, to=int)
        change_later = answering("change_later", Holder | None, later, to=int)
        fail = answering("fail", Holder | None, failing, to=int)
        fail_later = answering("fail_later", Holder | None, failing_later, to=int)
        must = answering("must", Holder, failing, to=int)
        nothing = answering("nothing", int | None, reset)

    return EngineSchema(Query, mutation=Mutation)


Number.change.__module__ = __name__


async def test_root_fields_run_one_after_the_other(ask: Ask) -> None:
    number = Number()
    text = """mutation M {
        first: change(to: 1) { theNumber }
        second: changeLater(to: 2) { theNumber promisedNumber }
        third: change(to: 3) { theNumber }
        fourth: changeLater(to: 4) { numberOfAll }
        fifth: change(to: 5) { promisedNumber theNumber } }"""
    found = await ask(_schema(number), text)
    assert found == (
        {
            "first": {"theNumber": 1},
            "second": {"theNumber": 2, "promisedNumber": 2},
            "third": {"theNumber": 3},
            "fourth": {"numberOfAll": 4},
            "fifth": {"promisedNumber": 5, "theNumber": 5},
        },
        set(),
    )
    assert list(found.data) == ["first", "second", "third", "fourth", "fifth"]
    assert number.log == ["change 1", "change 2", "read 2", "change 3", "change 4", "change 5", "read 5"]


async def test_one_that_fails_does_not_stop_those_after_it(ask: Ask) -> None:
    number = Number()
    text = """mutation M {
        first: change(to: 1) { theNumber }
        second: changeLater(to: 2) { theNumber }
        third: fail(to: 3) { theNumber }
        fourth: changeLater(to: 4) { theNumber }
        fifth: failLater(to: 5) { theNumber }
        sixth: change(to: 6) { theNumber } }"""
    assert await ask(_schema(number), text) == (
        {
            "first": {"theNumber": 1},
            "second": {"theNumber": 2},
            "third": None,
            "fourth": {"theNumber": 4},
            "fifth": None,
            "sixth": {"theNumber": 6},
        },
        {"4:9 third: cannot change to 3", "6:9 fifth: cannot change to 5"},
    )
    assert number.log == ["change 1", "change 2", "change 4", "change 6"]


async def test_one_that_may_not_be_null_and_fails_nulls_the_data(ask: Ask) -> None:
    number = Number()
    text = (
        "mutation { change(to: 1) { theNumber } must(to: 2) { theNumber } last: change(to: 3) { theNumber } }"
    )
    found = await ask(_schema(number), text)
    assert found == (None, {"1:40 must: cannot change to 2"})
    # whether those after it still run is left open by the specification; what ran before has run
    assert number.log[0] == "change 1"


async def test_fields_of_fragments_take_their_turn(ask: Ask) -> None:
    number = Number()
    text = """mutation M { ...F second: change(to: 2) { theNumber }
                           ... { third: changeLater(to: 3) { theNumber } } }
              fragment F on Mutation { first: changeLater(to: 1) { theNumber } }"""
    found = await ask(_schema(number), text)
    assert found == (
        {"first": {"theNumber": 1}, "second": {"theNumber": 2}, "third": {"theNumber": 3}},
        set(),
    )
    assert number.log == ["change 1", "change 2", "change 3"]


async def test_one_field_written_twice_runs_once(ask: Ask) -> None:
    number = Number()
    text = "mutation { change(to: 1) { theNumber } change(to: 1) { promisedNumber } __typename }"
    assert await ask(_schema(number), text) == (
        {"change": {"theNumber": 1, "promisedNumber": 1}, "__typename": "Mutation"},
        set(),
    )
    assert number.log == ["change 1", "read 1"]


async def test_one_that_is_left_out_does_not_run(ask: Ask) -> None:
    number = Number()
    text = "mutation ($go: Boolean!) { change(to: 1) @include(if: $go) { theNumber } nothing }"
    assert await ask(_schema(number), text, {"go": False}) == ({"nothing": None}, set())
    assert (number.log, number.value) == ([], 0)


async def test_an_unknown_field_refuses_all(ask: Ask) -> None:
    number = Number()
    result = await ask.result(_schema(number), "mutation { change(to: 1) { theNumber } unknown }")
    assert (result.refused, result.code, number.log) == (True, "BAD_INPUT", [])


async def test_a_mutation_where_only_queries_may_run_is_refused(ask: Ask) -> None:
    number = Number()
    text = "mutation { change(to: 1) { theNumber } }"
    result = await ask.result(_schema(number), text, operations=("query",))
    assert (result.refused, result.code, number.log) == (True, "BAD_INPUT", [])


async def test_a_mutation_of_a_schema_without_mutations_is_refused(ask: Ask) -> None:
    @strawberry.type
    class Query:
        @root(permission=PUBLIC)
        @staticmethod
        def a() -> int:
            "A number."
            return 1

    result = await ask.result(EngineSchema(Query), "mutation { a }")
    assert (result.refused, result.code) == (True, "BAD_INPUT")
