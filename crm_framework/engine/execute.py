"""The one way to run an operation: read, check limits, check permissions, then execute."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from time import perf_counter
from typing import Any

import strawberry
from graphql import GraphQLError

from . import reference
from .access import check_access, with_defaults
from .arguments import Variables
from .context import Context, end
from .cost import admit_cost
from .documents import Document, Way
from .errors import InvalidDocument, RequestError
from .failures import Failures
from .limits import are_few, check_variables
from .operation import run_operation
from .planner import planned
from .plans import Plan
from .prepare import Prepared, prepared
from .result import Result, refused
from .subscriptions import subscribed
from .trace import TracedReader

Given = Mapping[str, Any] | None

MANY_VALUES = 1_000
"""Items and members in the variables from which on they are read in a thread."""
_NESTED = frozenset({list, dict})
"""Types of JSON's values that have values in them."""
REFUSAL_COST = 1
"""What an operation costs that is refused, beside the time that it took."""


async def execute(
    schema: strawberry.Schema,
    text: str,
    variables: Given,
    operation_name: str | None,
    context: Context,
    *,
    operations: Collection[str] = ("query", "mutation"),
) -> Result:
    """Runs a query or a mutation. Never raises for what is in a request: that becomes errors of the result.

    `operations` are the kinds that may run here. Permissions are checked for the whole operation before any
    of it runs. Batches that are still under way when it ends, or is cancelled, are cancelled.
    """
    started = perf_counter()
    failures = Failures(context)
    ready = prepared(schema)
    given = variables or {}
    try:
        context.begin()
        document, way = _admitted(ready, text, given, operation_name, context, operations)
        given = way.variables.declared(given)
        coerced = await _coerced(way, given, context)
        plan = _plan(ready, document, way, given, context)
        if plan is None:
            return await reference.run(ready, document.node, given, operation_name, context, failures)
        admit_cost(plan.cost, context, coerced)
        if context.trace is None:
            return await run_operation(ready, plan, context, coerced, given, failures)
        context.reader = TracedReader(context.reader, context.trace)
        result = await run_operation(ready, plan, context, coerced, given, failures)
        result.plan = context.trace.shown
        return result
    except (InvalidDocument, RequestError) as error:
        return _refused(error, context, started, failures)
    finally:
        if context.tasks:
            await end(context)


def pin(schema: strawberry.Schema, text: str) -> None:
    """Makes a document ready to run, for good: it is neither read again nor forgotten for others.

    Raises `InvalidDocument`, and `RequestError` for one beyond the usual limits.
    """
    ready = prepared(schema)
    ready.documents.pin(ready.schema, text)


async def reference_execute(
    schema: strawberry.Schema,
    text: str,
    variables: Given,
    operation_name: str | None,
    context: Context,
    *,
    operations: Collection[str] = ("query", "mutation"),
) -> Result:
    """The same by graphql-core alone, field by field: what `execute` is compared with."""
    started = perf_counter()
    failures = Failures(context)
    ready = prepared(schema)
    given = variables or {}
    try:
        document, way = _admitted(ready, text, given, operation_name, context, operations)
        given = way.variables.declared(given)
        check_variables(given, context.limits)
        coerced = way.variables.read(given)
        plan = None if isinstance(coerced, list) else _plan(ready, document, way, given, context)
        if plan is not None and not isinstance(coerced, list):
            admit_cost(plan.cost, context, coerced)
        return await reference.run(ready, document.node, given, operation_name, context, failures)
    except (InvalidDocument, RequestError) as error:
        return _refused(error, context, started, failures)
    finally:
        await end(context)


async def subscribe(
    schema: strawberry.Schema,
    text: str,
    variables: Given,
    operation_name: str | None,
    context: Context,
) -> AsyncIterator[Result] | Result:
    """Starts a subscription: a result for each event, or one result with what refused it.

    The iterator must be closed (`aclose`) by the one who stops listening.
    """
    started = perf_counter()
    failures = Failures(context)
    ready = prepared(schema)
    given = variables or {}
    try:
        context.begin()
        document, way = _admitted(ready, text, given, operation_name, context, ("subscription",))
        given = way.variables.declared(given)
        coerced = await _coerced(way, given, context)
        plan = _plan(ready, document, way, given, context)
        if plan is not None:
            admit_cost(plan.cost, context, coerced)
        if plan is None or plan.fallbacks:
            return await reference.subscribe(ready, document.node, given, operation_name, context, failures)
        return await subscribed(ready, plan, context, coerced, failures)
    except (InvalidDocument, RequestError) as error:
        return _refused(error, context, started, failures)


def _admitted(
    ready: Prepared,
    text: str,
    variables: Mapping[str, Any],
    operation_name: str | None,
    context: Context,
    operations: Collection[str],
) -> tuple[Document, Way]:
    """The document, if it may run as a whole. Raises `RequestError` and `InvalidDocument`."""
    document = ready.documents.read(ready.schema, text, context)
    way = document.way(ready.schema, ready.rules, ready.coercion, operation_name, variables)
    if way.kind not in operations:
        raise RequestError("BAD_INPUT", f"a {way.kind} cannot run here, only: {', '.join(operations)}")
    check_access(context, way.needs, way.permissions)
    return document, way


async def _coerced(way: Way, given: Mapping[str, Any], context: Context) -> Variables:
    """The values of the variables. Raises `RequestError` and `InvalidDocument`."""
    hide = not context.show_suggestions
    nested = not _NESTED.isdisjoint(map(type, given.values()))
    if nested and not are_few(given, MANY_VALUES):
        started = perf_counter()
        await asyncio.to_thread(check_variables, given, context.limits)
        coerced = await way.variables.read_aside(given, hide_suggestions=hide)
        if not isinstance(coerced, list):
            context.charge(perf_counter() - started)
    else:
        if nested:
            check_variables(given, context.limits)
        coerced = way.variables.read(given, hide_suggestions=hide)
    if isinstance(coerced, list):
        raise InvalidDocument(coerced)
    return coerced


def _refused(
    error: InvalidDocument | RequestError, context: Context, started: float, failures: Failures
) -> Result:
    if isinstance(error, InvalidDocument):
        result = refused(error.errors, failures)
    else:
        result = refused([GraphQLError(error.message, original_error=error)], failures)
    context.charge(perf_counter() - started, 0 if result.code == "RATE_LIMITED" else REFUSAL_COST)
    return result


def _plan(
    ready: Prepared, document: Document, way: Way, variables: Mapping[str, Any], context: Context
) -> Plan | None:
    """The operation's plan; `None` where `@skip` or `@include` is given no boolean."""
    if not way.is_planned:
        conditions = with_defaults(way.operation, variables)
        used = {definition.variable.name.value for definition in way.operation.variable_definitions or ()}
        if all(isinstance(conditions.get(name), bool) for name in document.conditions if name in used):
            with context.preparing("plan"):
                plan = planned(ready, document.node, way.operation, conditions)
            ready.documents.keep_plan(way, plan)
        way.is_planned = True
    return way.plan
