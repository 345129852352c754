"""GraphQL over HTTP: the endpoint /graphql.

POST takes JSON and GET takes queries only, so that no other site can make a browser change anything; and
nothing is done for a request without a token.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from . import answers
from .access_log import note
from .answers import JSON, Refusal, accepts_page, error_entry, media_type, refused
from .authentication import authenticate
from .console import page
from .operations import Operation, check_read_only, read_operation
from .request_ids import request_id
from .service import Service, service_of

log = logging.getLogger("crm_framework.server")

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
"""All of them come here, so that the refusal of most of them is an answer of this API."""


async def graphql(request: Request) -> Response:
    """Answers one operation, or a browser with the console."""
    if request.method in ("GET", "HEAD") and accepts_page(request.headers.get("accept")):
        return page()
    media = media_type(request.headers.get("accept"))
    try:
        if request.method not in ("GET", "POST"):
            raise Refusal(405, "BAD_INPUT", "Send POST, or GET for queries.", headers={"Allow": "GET, POST"})
        if media is None:
            raise Refusal(406, "BAD_INPUT", f"The answer is {answers.GRAPHQL} or {JSON}; accept one of them.")
        return answers.answer(await _result(request, service_of(request)), media)
    except Refusal as refusal:
        return refused(refusal, media or JSON)
    except Exception as error:
        return refused(_internal(error, service_of(request).settings.debug), media or JSON)


async def _result(request: Request, service: Service) -> Mapping[str, Any]:
    settings = service.settings
    actor = await authenticate(request.headers, service.verifier.verify)
    note(request.scope, actor=actor.name)
    operation = await read_operation(
        request, max_bytes=settings.max_body_bytes, max_seconds=settings.request_timeout_s
    )
    note(request.scope, operation=operation.operation_name)
    if operation.read_only:
        check_read_only(operation)
    return await _in_time(service, operation, service.context(actor, request_id()))


async def _in_time(service: Service, operation: Operation, context: Any) -> Mapping[str, Any]:
    seconds = service.settings.request_timeout_s
    try:
        async with asyncio.timeout(seconds) as deadline:
            return await service.execute(operation, context)
    except TimeoutError:
        if not deadline.expired():
            raise
        message = (
            f"The operation took longer than {seconds:g} seconds and was stopped. Ask for less at once; "
            "a change may have been made, so repeat it with the same idempotencyKey."
        )
        return {"errors": [error_entry("TIMEOUT", message)]}


def _internal(error: Exception, debug: bool) -> Refusal:
    """A fault of the program: its text goes to the log, the client gets the id to find it by."""
    log.error("request failed", exc_info=error)
    text = f" {type(error).__name__}: {error}" if debug else ""
    return Refusal(500, "INTERNAL", f"The server failed. The log has it as {request_id()}.{text}")
