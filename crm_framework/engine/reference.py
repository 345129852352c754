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
from .unwritable import Origin


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
    origin = _origin(ready, document, operation_name, failures)
    return result_of(await outcome if isawaitable(outcome) else outcome, origin)


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
    origin = _origin(ready, document, operation_name, failures)
    if isinstance(stream, ExecutionResult):
        return result_of(stream, origin)
    return _each(stream, context, origin)


def _origin(ready: Prepared, document: DocumentNode, name: str | None, failures: Failures) -> Origin:
    operation = graphql.get_operation_ast(document, name)
    assert operation is not None  # it was let in
    return Origin(ready.schema, document, operation, failures)


async def _each(
    stream: AsyncIterator[ExecutionResult], context: Context, origin: Origin
) -> AsyncIterator[Result]:
    try:
        async for outcome in stream:
            context.rows_read = context.objects_written = context.objects_given = 0
            yield result_of(outcome, origin._replace(failures=Failures(context)))
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


def result_of(outcome: ExecutionResult, origin: Origin) -> Result:
    """graphql-core's result with its errors as clients may see them."""
    errors = [origin.failures.shown(error) for error in outcome.errors or ()]
    # without a path nothing has run: the variables did not fit
    refused = outcome.data is None and all(error.path is None for error in outcome.errors or ())
    return Result(outcome.data, errors, refused=refused and bool(errors), origin=origin)


def is_awaitable(value: Any) -> TypeGuard[Any]:
    """Whether a value can be awaited."""
    kind = type(value)
    known = _AWAITABLE.get(kind)
    if known is None:
        known = _AWAITABLE[kind] = hasattr(kind, "__await__")
    return known


_AWAITABLE: dict[type, bool] = {}
"""Type → whether it can be awaited: asked for every value, and the types are few."""
