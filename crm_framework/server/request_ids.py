"""An id for every request: taken from the client or made here, sent back, and in every line of the log."""

import logging
import re
from contextvars import ContextVar, Token

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid4

from crm_framework import tracing

from .traced_requests import traced_request

HEADER = b"x-request-id"
ACCEPTABLE = re.compile(rb"[A-Za-z0-9._:-]{1,64}")

_current: ContextVar[str] = ContextVar("crm_request_id", default="-")


def request_id() -> str:
    """The id of the request that the calling code serves; `-` outside of one."""
    return _current.get()


def entered(scope: Scope) -> tuple[str, Token[str]]:
    """The id of a request that begins now, and what `left` takes. A client's own id is kept if it is short
    and plain, and replaced otherwise."""
    given = b""
    for name, value in scope["headers"]:
        if name == HEADER:
            given = value
            break
    identifier = given.decode() if given and ACCEPTABLE.fullmatch(given) else uuid4().hex
    return identifier, _current.set(identifier)


def left(token: Token[str]) -> None:
    """The request has ended."""
    _current.reset(token)


class RequestIds:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        identifier, token = entered(scope)
        header = (HEADER, identifier.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        try:
            if tracing.spans is None or scope["type"] != "http":
                await self.app(scope, receive, send_with_id)
            else:
                await traced_request(tracing.spans, self.app, scope, receive, send_with_id)
        finally:
            left(token)


class RequestIdFilter(logging.Filter):
    """Gives each record of the log a `request_id`, for use in a format."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id()
        return True
