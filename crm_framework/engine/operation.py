"""A whole operation: its root fields, what of it graphql-core runs, and the settling of failures."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from graphql import OperationType

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
from .trace import Step
from .unwritable import Origin

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
    straight = plan.straight
    if straight is not None and context.trace is None:
        try:
            short = await straight.output(context, variables, ready.leaves)
        except Exception as error:
            run = Run(ready, plan, context, variables)
            return settled_alone(run, {straight.key: run.fail(error)}, failures)
        if short is not None:
            return Result(short, origin=_origin(ready, plan, failures))
    operation = _Operation(Run(ready, plan, context, variables), raw_variables, failures)
    output = await operation.output()
    return operation.settled(output)


def settled_alone(run: Run, output: dict[str, Any], failures: Failures) -> Result:
    """The result of what a run has put out."""
    return _Operation(run, {}, failures).settled(output)


def _origin(ready: Prepared, plan: Plan, failures: Failures) -> Origin:
    return Origin(ready.schema, plan.document, plan.operation, failures)


class _Operation:
    def __init__(self, run: Run, raw_variables: Mapping[str, Any], failures: Failures) -> None:
        self._run = run
        self._raw_variables = raw_variables
        self._failures = failures
        self._results: dict[str, Result] = {}

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
            value = output[field.key] = await self._value(field)
            may_have_failed = self._run.failed or field.key in self._results
            if may_have_failed and self._settled(field, value).output is None:
                break
        return output

    async def _value(self, field: PlannedField) -> Any:
        fallback = self._run.plan.fallbacks.get(field.key)
        if fallback is not None:
            return await self._left(fallback)
        if field.kind == "typename":
            return field.owner.name
        answers = await self._run.answer(field, Level(self._run.context, object, None, (None,)))
        return self._run.limited(field, answers[0])

    async def _left(self, fallback: Fallback) -> Any:
        FALLBACKS[fallback.reason] = FALLBACKS.get(fallback.reason, 0) + 1
        trace = self._run.context.trace
        element = f"{self._run.plan.root.of.name}.{fallback.key}"
        step = Step(fallback.key, element, "graphql-core", 1, why=fallback.reason)
        with trace.step(step) if trace is not None else nullcontext():
            found = await reference.run(
                self._run.ready,
                fallback.document,
                self._raw_variables,
                None,
                self._run.context,
                self._failures,
            )
        self._results[fallback.key] = found
        return None if found.output is None else found.output[fallback.key]

    def settled(self, output: dict[str, Any]) -> Result:
        """The result: nulls where failures are, and their errors, in the order of the response."""
        origin = _origin(self._run.ready, self._run.plan, self._failures)
        if not self._run.failed and not self._results:
            return Result(output, origin=origin)
        data: dict[str, Any] = {}
        errors: list[dict[str, Any]] = []
        for field in self._run.plan.root.fields:
            if field.key not in output:
                continue  # a mutation that was not run, as one before it failed
            found = self._settled(field, output[field.key])
            if found.output is None:
                return Result(None, found.errors[:1])
            data[field.key] = found.output[field.key]
            errors += found.errors
        return Result(data, errors, origin=origin)

    def _settled(self, field: PlannedField, value: Any) -> Result:
        """The result of one root field; without data where not even the operation as a whole may be null."""
        found = self._results.get(field.key)
        if found is None:
            settlement = Settlement(self._run.chosen)
            alone = Selection(of=field.owner, origin=None, source=None, fields=[field])
            data = settlement.root(alone, {field.key: value}) if self._run.failed else {field.key: value}
            errors = [self._failures.shown(error) for error in settlement.errors]
            found = self._results[field.key] = Result(data, errors)
        return found
