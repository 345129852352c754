"""GraphQL over WebSocket: the protocol graphql-transport-ws at /graphql.

Each operation is a task of its own, so that one that waits holds no other up, and is cancelled when its
client completes it or goes away. Nothing is done before the token has opened.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from time import perf_counter
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from crm_framework.engine.result import Result
from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.security.actors import Actor
from crm_framework.security.verify import TokenRefused

from .access_log import note
from .answers import Refusal, error_entry
from .attempts import address_of, note_forbidden, note_unauthenticated
from .limits.sockets import TOO_MANY, Ending, Session
from .operations import HELD_UP, LARGE, check_values, from_members, kind_of
from .request_ids import request_id
from .running import in_time, started_in_time
from .service import Service, service_in

log = logging.getLogger("crm_framework.server")

PROTOCOL = "graphql-transport-ws"
MAX_ID = 200
MAX_INIT = 16 * 1024
"""Characters of the message with the token."""

USED_UP = Ending(4429, "RATE_LIMITED", "This token has used up its budget; long messages must wait.")
TOO_SLOW = Ending(4413, "TOO_SLOW", "What was sent was not read in time.")


class Closing(Exception):
    """The socket is to be closed for this reason."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.reason)
        self.ending = ending


def _bad(reason: str, close: int = 4400) -> Closing:
    return Closing(Ending(close, "BAD_INPUT", reason))


def _unauthenticated(reason: str) -> Closing:
    return Closing(Ending(4401, "UNAUTHENTICATED", reason))


class GraphQLSocket:
    """The endpoint for WebSockets, as an ASGI application."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = service_in(scope)
        await receive()  # websocket.connect
        offered = PROTOCOL in scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL if offered else None})
        if not offered:
            # accepted first, as a client learns the code of an open socket only
            await _close(send, Ending(4406, "BAD_INPUT", f"Speak {PROTOCOL}; nothing else is spoken here."))
            return
        if not service.sockets.enter():
            await _close(send, TOO_MANY)
            return
        try:
            await Socket(service, scope, receive, send).serve()
        finally:
            service.sockets.leave()


async def _close(send: Send, ending: Ending) -> None:
    # the protocol allows 123 bytes
    reason = ending.reason.encode()[:120].decode(errors="ignore")
    await send({"type": "websocket.close", "code": ending.close, "reason": reason})


class Socket:
    """One client from its first message to its last."""

    def __init__(self, service: Service, scope: Scope, receive: Receive, send: Send) -> None:
        self._service = service
        self._scope = scope
        self._receive = receive
        self._send = send
        self._session: Session | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    async def serve(self) -> None:
        reading = asyncio.ensure_future(self._read())
        try:
            waited: list[asyncio.Future[Any]] = [reading, self._ending]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks = [reading, *self._tasks.values()]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            if self._session is not None:
                self._service.sockets.finish(self._session)
        ending = self._ending.result() if self._ending.done() else None
        if not reading.cancelled() and (error := reading.exception()) is not None:
            if isinstance(error, OSError):
                return  # the client has gone in the middle of an answer
            log.error("a WebSocket failed", exc_info=error)
            ending = Ending(1011, "INTERNAL", f"The server failed. The log has it as {request_id()}.")
        if ending is not None:
            with suppress(OSError):
                await _close(self._send, ending)

    def end(self, ending: Ending) -> None:
        if not self._ending.done():
            self._ending.set_result(ending)

    async def _read(self) -> None:
        """Takes messages until the client goes, or does what ends it."""
        try:
            try:
                async with asyncio.timeout(self._service.settings.socket_init_timeout_s):
                    text = await self._message()
            except TimeoutError:
                raise _bad("The message connection_init did not come in time.", 4408) from None
            if text is None:
                return
            await self._init(text)
            while (text := await self._message()) is not None:
                await self._take(text)
        except Closing as closing:
            self.end(closing.ending)

    async def _message(self) -> str | None:
        """The next message; None when the client has gone."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            return None
        text = message.get("text")
        if text is None:
            raise _bad("Messages are texts.")
        return str(text)

    async def _init(self, text: str) -> None:
        if len(text) > MAX_INIT:
            raise _bad("The first message is too long.")
        message = _parsed(text)
        if message["type"] != "connection_init":
            raise _unauthenticated("Send connection_init with your token first.")
        payload = message.get("payload")
        secret = _secret(payload if isinstance(payload, dict) else {}, dict(self._scope["headers"]))
        actor = await self._verified(secret)
        note(self._scope, "actor", actor.name)
        session = Session(secret, actor, self.end)
        if not self._service.sockets.begin(session):
            raise Closing(TOO_MANY)
        self._session = session
        await self._say(b'{"type":"connection_ack"}')

    async def _verified(self, secret: str) -> Actor:
        service = self._service
        try:
            return await service.verifier.verify(secret)
        except CrmError as error:
            if error.code is not ErrorCode.UNAUTHENTICATED:
                raise Closing(Ending(1013, "TIMEOUT", "The database cannot be reached now.")) from None
            if isinstance(error, TokenRefused):
                note_unauthenticated(service, self._scope, error)
            if service.guesses.note(address_of(self._scope)):
                raise Closing(TOO_MANY) from None
            raise _unauthenticated(str(error)) from None

    async def _take(self, text: str) -> None:
        message = self._charged(text)
        match message["type"]:
            case "ping":
                await self._say(b'{"type":"pong"}')
            case "pong":
                pass
            case "subscribe":
                self._subscribe(message)
            case "complete":
                task = self._tasks.pop(str(message.get("id")), None)
                if task is not None:
                    task.cancel()
            case "connection_init":
                raise _bad("connection_init was sent twice.", 4429)
            case other:
                raise _bad(f"There is no message {cut(other, 40)}.")

    def _charged(self, text: str) -> dict[str, Any]:
        """A message; the time of reading a long one is charged to the token's budget."""
        if len(text) <= LARGE:
            return _parsed(text)
        assert self._session is not None  # nothing is taken before the token
        budget = self._service.budgets.of(self._session.actor.holder)
        if budget is not None and budget.left() < 0:
            raise Closing(USED_UP)
        started = perf_counter()
        try:
            check_values(text.encode(), "A message")
            return _parsed(text)
        except Refusal as refusal:
            raise _bad(refusal.message) from None
        finally:
            if budget is not None:
                budget.charge(HELD_UP * (perf_counter() - started))

    def _subscribe(self, message: dict[str, Any]) -> None:
        key, payload = message.get("id"), message.get("payload")
        if not isinstance(key, str) or not 0 < len(key) <= MAX_ID or not isinstance(payload, dict):
            raise _bad("A message subscribe has an `id`, which is a text, and a `payload`.")
        if key in self._tasks:
            raise _bad(f"There is an operation {cut(key)} already.", 4409)
        if len(self._tasks) >= self._service.settings.max_socket_operations:
            raise _bad("Too many operations are under way on this socket.", 4429)
        task = self._tasks[key] = asyncio.ensure_future(self._run(key, payload))
        task.add_done_callback(lambda done: self._done(key, done))

    def _done(self, key: str, task: "asyncio.Task[None]") -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, Closing):
                self.end(error.ending)
            elif not self._ending.done():
                log.debug("an operation of a WebSocket ended: %r", error)

    async def _run(self, key: str, payload: dict[str, Any]) -> None:
        assert self._session is not None  # nothing is taken before the token
        service, actor = self._service, self._session.actor
        try:
            operation = from_members(payload, service.persisted, read_only=False)
        except Refusal as refusal:
            told = orjson.dumps([error_entry(refusal.code, refusal.message)])
            await self._say(_framed(key, b"error", told))
            return
        context = service.context(actor, request_id())
        outcome: Result | AsyncIterator[Result]
        if kind_of(operation) == "subscription":
            outcome = await started_in_time(service, operation, context)
        else:
            outcome = await in_time(service, operation, context)
        if isinstance(outcome, Result):
            note_forbidden(service, self._scope, actor, operation, outcome)
            await self._answer(key, outcome)
            return
        try:
            async for result in outcome:
                await self._say(_framed(key, b"next", result.encoded()))
        finally:
            await outcome.aclose()  # type: ignore[attr-defined]  # it is a generator
        await self._complete(key)

    async def _answer(self, key: str, result: Result) -> None:
        if result.refused:
            await self._say(_framed(key, b"error", orjson.dumps(result.errors)))
            return
        await self._say(_framed(key, b"next", result.encoded()))
        await self._complete(key)

    async def _complete(self, key: str) -> None:
        self._tasks.pop(key, None)  # before it is said, as the client may use the id again
        await self._say(b'{"id":' + orjson.dumps(key) + b',"type":"complete"}')

    async def _say(self, message: bytes) -> None:
        try:
            async with asyncio.timeout(self._service.settings.socket_send_timeout_s):
                await self._send({"type": "websocket.send", "text": message.decode()})
        except TimeoutError:
            raise Closing(TOO_SLOW) from None


def _framed(key: str, kind: bytes, payload: bytes) -> bytes:
    return b'{"id":' + orjson.dumps(key) + b',"type":"' + kind + b'","payload":' + payload + b"}"


def _parsed(text: str) -> dict[str, Any]:
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _bad("A message is not valid JSON.") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise _bad("A message is an object with a `type`.")
    return message


def _secret(payload: dict[str, Any], headers: dict[bytes, bytes]) -> str:
    """The token: in the payload of connection_init, as browsers can send no header, or in the header."""
    given = {name.lower(): value for name, value in payload.items()}.get("authorization")
    if given is None:
        given = headers.get(b"authorization", b"").decode("latin-1")
    scheme, _, secret = str(given).partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise _unauthenticated('A token is needed: {"Authorization": "Bearer crm_…"} in connection_init.')
    return secret.strip()
