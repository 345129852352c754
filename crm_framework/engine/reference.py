"""The reference: graphql-core's own executor over the same declarations.

It says what an operation means. The engine's executor is compared with it, and hands it the root fields that
it does not take itself.
"""

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from inspect import isawaitable
from typing import Any, TypeGuard

import graphql
from graphql import DocumentNode, ExecutionResult, GraphQLError

from .context import Context, end
from .failures import Failures
from .prepare import Prepared
from .result import Result


async def run(
    ready: Prepared,
    document: DocumentNode,
    variables: Mapping[str, Any],
    operation_name: str | None,
    context: Context,
    failures: Failures,
) -> Result:
    """Runs an operation that was let in already."""
    outcome = graphql.execute(
        ready.schema,
        document,
        context_value=context,
        variable_values=dict(variables),
        operation_name=operation_name,
        is_awaitable=is_awaitable,
        hide_suggestions=not context.show_suggestions,
    )
    return result_of(await outcome if isawaitable(outcome) else outcome, failures)


async def subscribe(
    ready: Prepared,
    document: DocumentNode,
    variables: Mapping[str, Any],
    operation_name: str | None,
    context: Context,
    failures: Failures,
) -> AsyncIterator[Result] | Result:
    """Starts a subscription that was let in already."""
    outcome = graphql.subscribe(
        ready.schema,
        document,
        context_value=context,
        variable_values=dict(variables),
        operation_name=operation_name,
        hide_suggestions=not context.show_suggestions,
    )
    stream = await outcome if isawaitable(outcome) else outcome
    return result_of(stream, failures) if isinstance(stream, ExecutionResult) else _each(stream, context)


async def _each(stream: AsyncIterator[ExecutionResult], context: Context) -> AsyncIterator[Result]:
    try:
        async for outcome in stream:
            context.rows_read = context.objects_written = 0
            yield result_of(outcome, Failures(context))
    except Exception as error:
        yield broken(error, context)
    finally:
        await close(stream)
        await end(context)


def broken(error: Exception, context: Context) -> Result:
    """The last thing that a stream has to say, when it breaks itself."""
    failed = GraphQLError(str(error), original_error=error)
    return Result(None, [Failures(context).shown(failed)])


async def close(stream: AsyncIterable[Any]) -> None:
    """Tells a stream that nobody listens any longer."""
    closing = getattr(stream, "aclose", None)
    if closing is not None:
        await closing()


def result_of(outcome: ExecutionResult, failures: Failures) -> Result:
    """graphql-core's result with its errors as clients may see them."""
    errors = [failures.shown(error) for error in outcome.errors or ()]
    # without a path nothing has run: the variables did not fit
    refused = outcome.data is None and all(error.path is None for error in outcome.errors or ())
    return Result(outcome.data, errors, refused=refused and bool(errors))


def is_awaitable(value: Any) -> TypeGuard[Any]:
    """Whether a value can be awaited."""
    kind = type(value)
    known = _AWAITABLE.get(kind)
    if known is None:
        known = _AWAITABLE[kind] = hasattr(kind, "__await__")
    return known


_AWAITABLE: dict[type, bool] = {}
"""Type → whether it can be awaited: asked for every value, and the types are few."""
