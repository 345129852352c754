"""One operation, run by the engine and by its references, and its smallest form in which they differ."""

import copy
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import GraphQLError, parse, print_ast

from crm_framework.engine import Context
from crm_framework.engine.execute import execute, reference_execute
from crm_framework.engine.operation import FALLBACKS
from crm_framework.engine.result import Result

from .comparing import agrees_in_time, difference
from .one_by_one import run_one_by_one
from .shrinking import shrunk


@dataclass(frozen=True)
class Duel:
    """A schema, and how a request to it begins: `context` makes a new one each time."""

    schema: strawberry.Schema
    context: Callable[[], Context]

    async def differ(
        self, text: str, variables: Mapping[str, Any], name: str | None, *, apart: bool = False
    ) -> str | None:
        """What the results differ in, if they do."""
        _, found = await self.fight(text, variables, name, apart=apart)
        return found

    async def fight(
        self, text: str, variables: Mapping[str, Any], name: str | None, *, apart: bool = False
    ) -> tuple[Result, str | None]:
        """The engine's result, and what the others' differ in. `apart` also resolves object by object."""
        given = copy.deepcopy(dict(variables))
        left = sum(FALLBACKS.values())
        try:
            mine = await execute(self.schema, text, given, name, self.context())
        except Exception as error:
            return Result(None), f"the engine raised {type(error).__name__}: {error}"
        if given != dict(variables):
            return mine, f"the variables were changed, to {given}"
        reference = await reference_execute(self.schema, text, dict(variables), name, self.context())
        exact = None
        if not reference.refused and (apart or reference.errors or mine.errors):
            context = self.context()
            context.one_by_one = apart
            exact = await run_one_by_one(self.schema, text, variables, name, context)
            if exact.refused:
                exact = None
        found = difference(mine, reference, exact)
        if found is not None and (sum(FALLBACKS.values()) > left or _without_condition(text, variables)):
            # what the engine leaves to graphql-core fails as it does there
            found = difference(mine, reference)
        if found is None and exact is not None and (unlike := agrees_in_time(reference, exact)):
            found = f"the two references: {unlike}"
        return mine, found

    async def told(
        self, text: str, variables: Mapping[str, Any], name: str | None, found: str, *, apart: bool = False
    ) -> str:
        """The difference with the smallest operation that shows it."""
        kind = found.split(":")[0].split(".")[0]

        async def fails(smaller: str) -> bool:
            difference = await self.differ(smaller, variables, name, apart=apart)
            return difference is not None and difference.split(":")[0].split(".")[0] == kind

        small = await shrunk(self.schema._schema, text, fails)
        again = await self.differ(small, variables, name, apart=apart) or found
        used = {one: value for one, value in variables.items() if f"${one}" in small}
        return (
            f"{again}\nvariables: {json.dumps(used, ensure_ascii=False)}, operation: {name}\n{pretty(small)}"
        )


def _without_condition(text: str, variables: Mapping[str, Any]) -> bool:
    """Whether `@skip` or `@include` is given no boolean: then graphql-core runs the whole operation."""
    names = re.findall(r"if: \$(\w+)", text)
    return any(name in variables and not isinstance(variables[name], bool) for name in names)


def pretty(text: str) -> str:
    try:
        return print_ast(parse(text))
    except GraphQLError:
        return text
