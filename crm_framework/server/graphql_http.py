"""GraphQL over HTTP: the endpoint /graphql.

POST takes JSON and GET takes queries only, so that no other site can make a browser change anything; and
nothing is done for a request without a token.
"""

import logging
from typing import Any

from starlette.types import Receive, Scope, Send

from crm_framework.engine.result import Result
from crm_framework.security.actors import Actor
from crm_framework.security.verify import TokenRefused

from . import answers
from .access_log import note
from .answers import JSON, Answer, Refusal, accepts_page, error_entry, media_type, refused
from .authentication import authenticate
from .console import page
from .deadlines import Deadlines
from .operations import Headers, Operation, check_read_only, from_parameters, read_operation
from .request_ids import request_id
from .service import Service, service_in

log = logging.getLogger("crm_framework.server")


class GraphQL:
    """The endpoint, as an ASGI application: Starlette's requests and responses cost as much as a small query.

    All methods come here, so that the refusal of most of them is an answer of this API.
    """

    def __init__(self) -> None:
        self._deadlines: Deadlines | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # the first of several headers of one name counts
        headers: Headers = dict(reversed(list(scope["headers"])))
        accept = headers[b"accept"].decode("latin-1") if b"accept" in headers else None
        if scope["method"] in ("GET", "HEAD") and accepts_page(accept):
            await page()(scope, receive, send)
            return
        media = media_type(accept)
        answer: Answer
        try:
            answer = await self._answer(scope, headers, receive, media)
        except Refusal as refusal:
            answer = refused(refusal, media or JSON)
        except Exception as error:
            answer = refused(_internal(error, service_in(scope).settings.debug), media or JSON)
        await answer.send(send)

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive, media: str | None) -> Answer:
        method = scope["method"]
        if method not in ("POST", "GET"):
            raise Refusal(405, "BAD_INPUT", "Send POST, or GET for queries.", headers={"Allow": "GET, POST"})
        if media is None:
            raise Refusal(406, "BAD_INPUT", f"The answer is {answers.GRAPHQL} or {JSON}; accept one of them.")
        service = service_in(scope)
        settings = service.settings
        address = _address(scope)

        def told(refused: TokenRefused) -> None:
            service.refusals.unauthenticated(
                why=refused.why,
                hint=refused.begins,
                holder=refused.holder,
                request_id=request_id(),
                source=address or None,
            )

        actor = await authenticate(headers, service.verifier.verify, service.guesses, address, told)
        note(scope, actor=actor.name)
        deadlines = self._of(settings.request_timeout_s)
        if method == "GET":
            operation = from_parameters(scope["query_string"], service.persisted)
            note(scope, operation=operation.operation_name)
            check_read_only(operation)
        else:
            operation = await read_operation(
                headers,
                receive,
                service.persisted,
                max_bytes=settings.max_body_bytes,
                deadlines=deadlines,
            )
            note(scope, operation=operation.operation_name)
        context = service.context(actor, request_id())
        result = await _in_time(service, operation, context, deadlines)
        if result.errors:
            _note_forbidden(service, scope, actor, operation, result)
        service.counts.operation(result.code)
        budget = service.budgets.of(actor.token_id or actor.id)
        return answers.answer(result, media, budget.headers() if budget else (), context.wait_s)

    def _of(self, seconds: float) -> Deadlines:
        if self._deadlines is None or self._deadlines.seconds != seconds:
            self._deadlines = Deadlines(seconds)
        return self._deadlines


def _note_forbidden(
    service: Service, scope: Scope, actor: Actor, operation: Operation, result: Result
) -> None:
    """For the audit log: what the actor may not see or do."""
    for error in result.errors:
        if error["extensions"]["code"] == "FORBIDDEN":
            service.refusals.forbidden(
                actor,
                error["message"],
                operation=operation.operation_name,
                request_id=request_id(),
                source=_address(scope) or None,
            )
            return


def _address(scope: Scope) -> str:
    """Where the request came from, as far as the server knows it."""
    client = scope.get("client")
    return str(client[0]) if client else ""


async def _in_time(service: Service, operation: Operation, context: Any, deadlines: Deadlines) -> Result:
    try:
        with deadlines.begin() as deadline:
            return await service.execute(operation, context)
    except TimeoutError:
        if not deadline.expired:
            raise
        message = (
            f"The operation took longer than {deadlines.seconds:g} seconds and was stopped. Ask for less at"
            " once; a change may have been made, so repeat it with the same idempotencyKey."
        )
        return Result(None, [error_entry("TIMEOUT", message)], refused=True)


def _internal(error: Exception, debug: bool) -> Refusal:
    """A fault of the program: its text goes to the log, the client gets the id to find it by."""
    log.error("request failed", exc_info=error)
    text = f" {type(error).__name__}: {error}" if debug else ""
    return Refusal(500, "INTERNAL", f"The server failed. The log has it as {request_id()}.{text}")
