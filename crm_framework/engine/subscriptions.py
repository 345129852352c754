"""Subscriptions: a source of events, and for each of them what the operation selects, by the same plan."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from graphql import located_error

from .arguments import Variables
from .context import Context, end
from .failures import Failures
from .operation import settled_alone
from .plans import Plan
from .prepare import Prepared
from .reference import broken, close
from .result import Result
from .run import Run
from .run_asks import Ask


async def subscribed(
    ready: Prepared, plan: Plan, context: Context, variables: Variables, failures: Failures
) -> AsyncIterator[Result] | Result:
    """The results of a subscription that was let in already, or one with what went wrong at its start."""
    field = plan.root.fields[0]
    try:
        source = await Run(ready, plan, context, variables).called(Ask(field))
        if not isinstance(source, AsyncIterable):
            raise TypeError(f"{field.title} gave a {type(source).__name__}, and not one event after another")
    except Exception as error:
        return Result(None, [failures.shown(located_error(error, field.nodes, [field.key]))])
    return _each(ready, plan, context, variables, source)


async def _each(
    ready: Prepared, plan: Plan, context: Context, variables: Variables, source: AsyncIterable[Any]
) -> AsyncIterator[Result]:
    field = plan.root.fields[0]
    try:
        async for event in source:
            context.rows_read = context.objects_written = context.objects_given = 0
            run = Run(ready, plan, context, variables)
            try:
                [value] = await run.output(field, [event])
                value = run.limited(field, value)
            except Exception as error:
                value = run.fail(error)
            yield settled_alone(run, {field.key: value}, Failures(context))
    except Exception as error:
        yield broken(error, context)
    finally:
        await close(source)
        await end(context)
