"""Where the inputs of mutations, and what must be there for them, are made."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson

from crm_framework.security.actors import Actor
from crm_framework.server.operations import Operation
from crm_framework.server.service import Service

Input = dict[str, Any]


@dataclass
class Desk:
    """Makes what mutations need, each thing anew, over the API itself."""

    service: Service
    numbers: "count[int]" = field(default_factory=count)

    def new(self, what: str) -> str:
        return f"{what}-{next(self.numbers)}"

    def takes_key(self, name: str) -> bool:
        """Whether the mutation can be asked for again by an idempotency key."""
        found = self._input_type(name)
        return found is not None and "idempotencyKey" in self.service.schema.graphql.type_map[found].fields  # type: ignore[attr-defined]  # an input's

    def _input_type(self, name: str) -> str | None:
        arguments = self.service.schema.graphql.mutation_type.fields[name].args  # type: ignore[union-attr]  # there are some
        return str(arguments["input"].type).rstrip("!") if "input" in arguments else None

    async def run(self, name: str, input_: Input, selection: str) -> Mapping[str, Any]:
        """A mutation that must succeed; its payload."""
        kind = self._input_type(name)
        head, call = (f"mutation($input: {kind}!)", f"{name}(input: $input)") if kind else ("mutation", name)
        operation = Operation(
            f"{head} {{ answer: {call} {{ {selection} errors {{ message }} }} }}",
            {"input": input_},
            None,
            False,
        )
        context = self.service.context(Actor.system("desk"), "desk")
        answer = orjson.loads((await self.service.execute(operation, context)).encoded())
        assert "errors" not in answer, (name, answer)
        payload: Mapping[str, Any] = answer["data"]["answer"]
        assert payload["errors"] == [], (name, payload)
        return payload

    async def make(self, name: str, what: str, /, **input_: Any) -> str:
        """The id of the record that a mutation made."""
        return str((await self.run(name, input_, f"{what} {{ id }}"))[what]["id"])

    async def customer(self, **more: Any) -> str:
        return await self.make("createCustomer", "customer", name=self.new("Customer"), **more)


Make = Callable[[Desk], Awaitable[Input]]
Inputs = Mapping[str, tuple[Make, str]]
"""Mutation → maker of its input, and what is selected of its payload."""


def of(make: Callable[[Desk], Awaitable[str]], **more: Any) -> Make:
    """The input that names the id of a record, and more."""

    async def made(desk: Desk) -> Input:
        return {"id": await make(desk), **more}

    return made
