"""A whole operation: its root fields, what of it graphql-core runs, and the settling of failures."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from graphql import GraphQLError, OperationType

from . import reference
from .arguments import Variables
from .context import Context
from .failures import Failures
from .plans import Fallback, Plan, PlannedField, Selection
from .prepare import Prepared
from .result import Result
from .rows import Level
from .run import Run
from .settle import Settlement

FALLBACKS: dict[str, int] = {}
"""Reason → how many root fields this process has left to graphql-core for it."""


async def run_operation(
    ready: Prepared,
    plan: Plan,
    context: Context,
    variables: Variables,
    raw_variables: Mapping[str, Any],
    failures: Failures,
) -> Result:
    """Runs an operation that was let in already; `variables` are coerced."""
    operation = _Operation(Run(ready, plan, context, variables), raw_variables, failures)
    output = await operation.output()
    return operation.settled(output)


class _Operation:
    def __init__(self, run: Run, raw_variables: Mapping[str, Any], failures: Failures) -> None:
        self._run = run
        self._raw_variables = raw_variables
        self._failures = failures
        self._foreign: list[dict[str, Any]] = []
        self._void = False

    async def output(self) -> dict[str, Any]:
        plan = self._run.plan
        fields = plan.root.fields
        if plan.operation.operation is OperationType.MUTATION:
            return await self._one_after_another(fields)
        if len(fields) == 1:
            return {fields[0].key: await self._value(fields[0])}
        found = await asyncio.gather(*(self._value(field) for field in fields))
        return {field.key: value for field, value in zip(fields, found, strict=True)}

    async def _one_after_another(self, fields: Sequence[PlannedField]) -> dict[str, Any]:
        output: dict[str, Any] = {}
        for field in fields:
            output[field.key] = await self._value(field)
            if self._void or (field.shape.required and self._is_void(field, output[field.key])):
                break
        return output

    def _is_void(self, field: PlannedField, value: Any) -> bool:
        """Whether the operation as a whole is null because of this field."""
        if not self._run.failed:
            return False
        alone = Selection(of=field.owner, origin=None, source=None, fields=[field])
        return Settlement(self._run.chosen).root(alone, {field.key: value}) is None

    async def _value(self, field: PlannedField) -> Any:
        fallback = self._run.plan.fallbacks.get(field.key)
        if fallback is not None:
            return await self._left(fallback)
        if field.kind == "typename":
            return field.owner.name
        level = Level(self._run.context, object, None, (None,))
        alone = Selection(of=field.owner, origin=None, source=None, fields=[field], filled=[field])
        return (await self._run.fill(alone, level))[0][0]

    async def _left(self, fallback: Fallback) -> Any:
        FALLBACKS[fallback.reason] = FALLBACKS.get(fallback.reason, 0) + 1
        run = self._run
        found = await reference.run(
            run.ready, fallback.document, self._raw_variables, None, run.context, self._failures
        )
        self._foreign += found.errors
        if found.data is None:
            self._void = True
            return None
        return found.data[fallback.key]

    def settled(self, output: dict[str, Any]) -> Result:
        """The result: nulls where failures are, and their errors."""
        run = self._run
        data: dict[str, Any] | None = output
        errors: Sequence[GraphQLError] = ()
        if run.failed:
            settlement = Settlement(run.chosen)
            data = settlement.root(run.plan.root, output)
            errors = settlement.errors
        shown = [*(self._failures.shown(error) for error in errors), *self._foreign]
        return Result(None if self._void else data, shown)
