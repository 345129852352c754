"""The one way to run an operation: read, check limits, check permissions, then execute."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, TypeGuard

import graphql
import orjson
import strawberry
from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode

from .access import check_access
from .context import Context
from .documents import Document, InvalidDocument
from .errors import RequestError
from .failures import Failures
from .limits import check_variables
from .prepare import Prepared, prepared

Variables = Mapping[str, Any] | None


@dataclass
class Result:
    """An operation's outcome, ready to be encoded.

    `refused`: nothing ran, and there is no `data` in the response; the code of the first error says why.
    """

    data: dict[str, Any] | None
    errors: list[dict[str, Any]] = field(default_factory=list)
    refused: bool = False

    @property
    def code(self) -> str | None:
        """The first error's code."""
        return self.errors[0]["extensions"]["code"] if self.errors else None

    @property
    def response(self) -> dict[str, Any]:
        """The response as GraphQL defines it."""
        found: dict[str, Any] = {} if self.refused else {"data": self.data}
        return {"errors": self.errors, **found} if self.errors else found

    def encoded(self) -> bytes:
        """The response as JSON."""
        return orjson.dumps(self.response)


async def execute(
    schema: strawberry.Schema,
    text: str,
    variables: Variables,
    operation_name: str | None,
    context: Context,
    *,
    operations: Collection[str] = ("query", "mutation"),
) -> Result:
    """Runs a query or a mutation. Never raises for what is in a request: that becomes errors of the result.

    `operations` are the kinds that may run here. Permissions are checked for the whole operation before any
    of it runs. Batches that are still under way when it ends, or is cancelled, are cancelled.
    """
    failures = Failures(context)
    ready = prepared(schema)
    try:
        document, _ = _admitted(ready, text, variables, operation_name, context, operations)
        outcome = graphql.execute(
            ready.schema,
            document.node,
            context_value=context,
            variable_values=dict(variables or {}),
            operation_name=operation_name,
            is_awaitable=_is_awaitable,
            hide_suggestions=not context.show_suggestions,
        )
        return _result(await outcome if isawaitable(outcome) else outcome, failures)
    except InvalidDocument as invalid:
        return _refused(invalid.errors, failures)
    except RequestError as error:
        return _refused([GraphQLError(error.message, original_error=error)], failures)
    finally:
        await _end(context)


async def subscribe(
    schema: strawberry.Schema,
    text: str,
    variables: Variables,
    operation_name: str | None,
    context: Context,
) -> AsyncIterator[Result] | Result:
    """Starts a subscription: a result for each event, or one result with what refused it.

    The iterator must be closed (`aclose`) by the one who stops listening.
    """
    failures = Failures(context)
    ready = prepared(schema)
    try:
        document, _ = _admitted(ready, text, variables, operation_name, context, ("subscription",))
        outcome = graphql.subscribe(
            ready.schema,
            document.node,
            context_value=context,
            variable_values=dict(variables or {}),
            operation_name=operation_name,
            hide_suggestions=not context.show_suggestions,
        )
        stream = await outcome if isawaitable(outcome) else outcome
    except InvalidDocument as invalid:
        return _refused(invalid.errors, failures)
    except RequestError as error:
        return _refused([GraphQLError(error.message, original_error=error)], failures)
    return _result(stream, failures) if isinstance(stream, ExecutionResult) else _each(stream, context)


async def _each(stream: AsyncIterator[ExecutionResult], context: Context) -> AsyncIterator[Result]:
    try:
        async for outcome in stream:
            context.rows_read = 0
            yield _result(outcome, Failures(context))
    except Exception as error:
        # the stream itself broke: the last thing to say
        failed = GraphQLError(str(error), original_error=error)
        yield Result(None, [Failures(context).shown(failed)])
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
        await _end(context)


def _admitted(
    ready: Prepared,
    text: str,
    variables: Variables,
    operation_name: str | None,
    context: Context,
    operations: Collection[str],
) -> tuple[Document, OperationDefinitionNode]:
    """The document, if it may run as a whole. Raises `RequestError` and `InvalidDocument`."""
    document = ready.documents.read(ready.schema, text, context)
    operation = document.operation(operation_name)
    kind = operation.operation.value
    if kind not in operations:
        raise RequestError("BAD_INPUT", f"a {kind} cannot run here, only: {', '.join(operations)}")
    check_variables(variables or {}, context.limits)
    check_access(context, document.needed(ready.schema, ready.rules, operation, variables or {}))
    return document, operation


def _result(outcome: ExecutionResult, failures: Failures) -> Result:
    errors = [failures.shown(error) for error in outcome.errors or ()]
    # without a path nothing has run: the variables did not fit
    refused = outcome.data is None and all(error.path is None for error in outcome.errors or ())
    return Result(outcome.data, errors, refused=refused and bool(errors))


def _refused(errors: Collection[GraphQLError], failures: Failures) -> Result:
    return Result(None, [failures.shown(error) for error in errors], refused=True)


async def _end(context: Context) -> None:
    tasks = list(context.tasks)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.gather(*tasks, return_exceptions=True)


def _is_awaitable(value: Any) -> TypeGuard[Any]:
    kind = type(value)
    known = _AWAITABLE.get(kind)
    if known is None:
        known = _AWAITABLE[kind] = hasattr(kind, "__await__")
    return known


_AWAITABLE: dict[type, bool] = {}
"""Type → whether it can be awaited: asked for every value, and the types are few."""
