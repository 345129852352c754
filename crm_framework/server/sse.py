"""GraphQL over server-sent events: one operation a request, its results as a stream of events.

The protocol is graphql-sse in the mode of distinct connections: `next` with a result each, then `complete`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

from starlette.types import Receive, Scope, Send

from crm_framework.engine.result import Result
from crm_framework.security.actors import Actor

from .answers import EVENTS, HEADERS, Refusal, error_entry
from .attempts import note_forbidden
from .limits.sockets import TOO_MANY, Ending, Session
from .operations import Operation, kind_of
from .request_ids import request_id
from .running import in_time, started_in_time
from .service import Service

BEAT_SECONDS = 12.0
"""A comment is sent after so long a silence, so that no proxy takes the connection for dead."""


async def stream(
    service: Service,
    scope: Scope,
    actor: Actor,
    secret: str,
    operation: Operation,
    receive: Receive,
    send: Send,
) -> None:
    """Answers with the results of an operation, until it ends or the client goes. Raises `Refusal`."""
    if not service.sockets.enter():
        raise Refusal(429, "RATE_LIMITED", TOO_MANY.reason)
    ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    def end(reason: Ending) -> None:
        if not ending.done():
            ending.set_result(reason)

    session = Session(secret, actor, end, stream=True)
    try:
        if not service.sockets.begin(session):
            raise Refusal(429, "RATE_LIMITED", TOO_MANY.reason)
        context = service.context(actor, request_id())
        outcome: Result | AsyncIterator[Result]
        if kind_of(operation) == "subscription":
            outcome = await started_in_time(service, operation, context)
        else:
            outcome = await in_time(service, operation, context)
        if isinstance(outcome, Result):
            note_forbidden(service, scope, actor, operation, outcome)
        head = [*HEADERS, (b"content-type", EVENTS.encode()), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": head})

        async def sent(body: bytes) -> None:
            async with asyncio.timeout(service.settings.socket_send_timeout_s):
                await send({"type": "http.response.body", "body": body, "more_body": True})

        writing = asyncio.ensure_future(_write(outcome, sent))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            waited: list[asyncio.Future[Any]] = [writing, leaving, ending]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writing, leaving):
                task.cancel()
            await asyncio.wait([writing, leaving])
        if leaving.done() and not leaving.cancelled():
            return
        with suppress(
            TimeoutError, OSError
        ):  # the client does not read, or has gone: there is nobody to tell
            if ending.done():
                last = Result(None, [error_entry(ending.result().code, ending.result().reason)])
                await sent(_event("next", last.encoded()))
            elif not writing.cancelled():
                writing.result()
            await sent(_event("complete", b""))
            await send({"type": "http.response.body", "body": b""})
    finally:
        service.sockets.finish(session)
        service.sockets.leave()


async def _write(outcome: Result | AsyncIterator[Result], sent: Callable[[bytes], Awaitable[None]]) -> None:
    if isinstance(outcome, Result):
        await sent(_event("next", outcome.encoded()))
        return
    following: asyncio.Task[Result] | None = None
    await sent(b":\n\n")  # the client learns that it is heard
    try:
        while True:
            following = following or asyncio.ensure_future(_next(outcome))
            done, _ = await asyncio.wait([following], timeout=BEAT_SECONDS)
            if not done:
                await sent(b":\n\n")
                continue
            try:
                result = following.result()
            except StopAsyncIteration:
                return
            following = None
            await sent(_event("next", result.encoded()))
    finally:
        if following is not None:
            following.cancel()
            await asyncio.wait([following])
        await outcome.aclose()  # type: ignore[attr-defined]  # it is a generator


async def _next(outcome: AsyncIterator[Result]) -> Result:
    return await anext(outcome)


async def _gone(receive: Receive) -> None:
    with suppress(OSError):
        while (await receive())["type"] != "http.disconnect":
            pass


def _event(name: str, data: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
