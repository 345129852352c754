"""An id for every request: taken from the client or made here, sent back, and in every line of the log."""

import logging
import re
from contextvars import ContextVar
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
ACCEPTABLE = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)

_current: ContextVar[str] = ContextVar("crm_request_id", default="-")


def request_id() -> str:
    """The id of the request that the calling code serves; `-` outside of one."""
    return _current.get()


class RequestIds:
    """ASGI middleware. A client's own id is kept if it is short and plain, and replaced otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        identifier = given if ACCEPTABLE.fullmatch(given) else uuid4().hex
        token = _current.set(identifier)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = identifier
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            _current.reset(token)


class RequestIdFilter(logging.Filter):
    """Gives each record of the log a `request_id`, for use in a format."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id()
        return True
