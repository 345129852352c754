"""GraphQL over HTTP: the endpoint /graphql.

POST takes JSON and GET takes queries only, so that no other site can make a browser change anything; and
nothing is done for a request without a token.
"""

import asyncio
import logging

from starlette.types import Receive, Scope, Send

from crm_framework.security.verify import TokenRefused

from . import answers
from .access_log import note
from .answers import JSON, Answer, Refusal, accepted, refused
from .attempts import address_of, note_forbidden, note_unauthenticated
from .authentication import authenticate
from .console import page
from .limits.budgets import Budget
from .operations import Headers, check_read_only, from_parameters, read_operation
from .request_ids import request_id
from .running import in_time
from .service import service_in
from .sse import stream

log = logging.getLogger("crm_framework.server")


class GraphQL:
    """The endpoint, as an ASGI application: Starlette's requests and responses cost as much as a small query.

    All methods come here, so that the refusal of most of them is an answer of this API.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # the first of several headers of one name counts
        headers: Headers = dict(reversed(list(scope["headers"])))
        takes = accepted(headers.get(b"accept", b""))
        if takes.page and scope["method"] in ("GET", "HEAD"):
            await page()(scope, receive, send)
            return
        media = JSON if takes.stream else takes.media
        answer: Answer | None
        try:
            answer = await self._answer(scope, headers, receive, media, send if takes.stream else None)
        except Refusal as refusal:
            answer = refused(refusal, media or JSON)
        except BaseException as error:
            if not isinstance(error, Exception) and _ends(error):
                raise
            answer = refused(_internal(error, service_in(scope).settings.debug), media or JSON)
        if answer is not None:
            await answer.send(send)

    async def _answer(
        self, scope: Scope, headers: Headers, receive: Receive, media: str | None, stream_to: Send | None
    ) -> Answer | None:
        """The answer; None if it was sent as a stream of events already."""
        method = scope["method"]
        if method not in ("POST", "GET"):
            raise Refusal(405, "BAD_INPUT", "Send POST, or GET for queries.", headers={"Allow": "GET, POST"})
        if media is None:
            raise Refusal(406, "BAD_INPUT", f"The answer is {answers.GRAPHQL} or {JSON}; accept one of them.")
        service = service_in(scope)

        def told(refused: TokenRefused) -> None:
            note_unauthenticated(service, scope, refused)

        actor = await authenticate(headers, service.verifier.verify, service.guesses, address_of(scope), told)
        note(scope, "actor", actor.name)
        budget = service.budgets.of(actor.holder)
        if method == "GET":
            operation = from_parameters(scope["query_string"], service.persisted)
            note(scope, "operation", operation.operation_name)
            check_read_only(operation)
        else:
            if budget is not None and budget.left() < 0:
                raise _used_up(budget)
            operation = await read_operation(
                headers,
                receive,
                service.persisted,
                max_bytes=service.settings.max_body_bytes,
                deadlines=service.deadlines,
                budget=budget,
            )
            note(scope, "operation", operation.operation_name)
        if stream_to is not None:
            secret = headers[b"authorization"].decode("latin-1").partition(" ")[2].strip()
            await stream(service, scope, actor, secret, operation, receive, stream_to)
            return None
        context = service.context(actor, request_id())
        result = await in_time(service, operation, context)
        if result.errors:
            note_forbidden(service, scope, actor, operation, result)
        return answers.answer(result, media, budget.headers() if budget else (), context.wait_s)


def _used_up(budget: Budget) -> Refusal:
    """Before the body is read: whatever is in it costs something."""
    wait = max(1, budget.seconds_until(1))
    return Refusal(
        429,
        "RATE_LIMITED",
        f"This token has used up its {budget.size:,} objects a minute. Wait {wait} s.",
        headers={"Retry-After": str(wait)},
    )


def _ends(error: BaseException) -> bool:
    """Whether it ends this very task. What else is no `Exception` is a resolver's: Ctrl-C is a signal."""
    task = asyncio.current_task()
    cancelled = isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
    return cancelled or isinstance(error, GeneratorExit)


def _internal(error: BaseException, debug: bool) -> Refusal:
    """A fault of the program: its text goes to the log, the client gets the id to find it by."""
    log.error("request failed", exc_info=error)
    text = f" {type(error).__name__}: {error}" if debug else ""
    return Refusal(500, "INTERNAL", f"The server failed. The log has it as {request_id()}.{text}")
