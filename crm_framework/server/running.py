"""Running operations within the time that they have, whichever way they came."""

from collections.abc import AsyncIterator

from crm_framework import tracing
from crm_framework.engine.result import Result
from crm_framework.schema.context import RequestContext

from .access_log import MAX_FACT
from .answers import error_entry
from .operations import Operation, kind_of
from .service import Service

_MAY_BE_DONE = "; a change may have been made, so repeat it with the same idempotencyKey, or look first."


async def in_time(service: Service, operation: Operation, context: RequestContext) -> Result:
    """Runs a query or a mutation, or stops it when its time is over."""
    try:
        with service.deadlines.begin() as deadline:
            if tracing.spans is None:
                result = await service.execute(operation, context)
            else:
                result = await _traced(tracing.spans, service, operation, context)
    except TimeoutError:
        if not deadline.expired:
            raise
        end = _MAY_BE_DONE if kind_of(operation) == "mutation" else "."
        seconds = service.deadlines.seconds
        result = _late(
            f"The operation took longer than {seconds:g} seconds and was stopped. Ask for less at once{end}"
        )
    service.counts.operation(result.code)
    return result


async def _traced(
    spans: tracing.Spans, service: Service, operation: Operation, context: RequestContext
) -> Result:
    """The same in a span: not with the document, which may hold values."""
    name = operation.operation_name
    with spans.span("GraphQL operation", {"graphql.operation.name": name[:MAX_FACT]} if name else {}) as span:
        result = await service.execute(operation, context)
        if result.code is not None:
            spans.failed(span, result.code)
        return result


async def started_in_time(
    service: Service, operation: Operation, context: RequestContext
) -> Result | AsyncIterator[Result]:
    """Starts a subscription: its results, or the one that refused it."""
    try:
        with service.deadlines.begin() as deadline:
            return await service.subscribe(operation, context)
    except TimeoutError:
        if not deadline.expired:
            raise
        return _late(f"The subscription did not start within {service.deadlines.seconds:g} seconds.")


def _late(message: str) -> Result:
    return Result(None, [error_entry("TIMEOUT", message)], refused=True)
