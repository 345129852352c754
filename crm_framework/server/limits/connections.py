"""Connections that do not get to a request, or do not take their answer, are ended: each holds a descriptor.

uvicorn's fast parser sets no bound to what comes before a body, no time for it, and waits for ever for a
client that does not read.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEAD_BYTES = 64 * 1024
"""Of the request line and the headers, not counting what came in one piece with the first byte of them."""

UNREAD_SECONDS = 1.0
"""How long a client may go on with the body of a request that has its answer already."""

HEAD_SECONDS = 10.0
"""How long a new connection, or one whose request has begun, may take to the end of the headers."""


DRAIN_SECONDS = 1.0
"""How long an idle connection is still listened to when the server stops: a request may be on its way. It is
answered, and is the last of its connection."""


_OTHER_UPGRADE = re.compile(rb"^upgrade(?=:)(?!:[ \t]*websocket)", re.IGNORECASE | re.MULTILINE)


def _without_other_upgrades(data: bytes) -> bytes:
    """A head that asks for nothing but WebSockets. Who asks for HTTP/2, as Java does where nothing is
    encrypted, is answered in HTTP/1.1; the parser would take the body, and all that follows, for HTTP/2."""
    head, end, rest = data.partition(b"\r\n\r\n")
    return _OTHER_UPGRADE.sub(b"x-asked", head) + end + rest


def _answer(status: str, text: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
    return f"{head}content-length: {len(text)}\r\n\r\n{text}".encode()


TOO_LARGE = _answer("431 Request Header Fields Too Large", "The headers are too large.\n")
TOO_SLOW = _answer("408 Request Timeout", "The request did not arrive in time.\n")
TOO_MANY = _answer(
    "503 Service Unavailable\r\nretry-after: 1", "The server has too many connections; try again later.\n"
)


class Together:
    """Stands for a connection while an answer begins: what is written meanwhile leaves in one packet, as each
    takes the system as long as a small query."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._parts: list[bytes] = []
        self.write = self._parts.append
        self.is_closing = transport.is_closing

    def close(self) -> None:
        self.leave()
        self._transport.close()  # at once: uvicorn looks whether it is, before it goes on to the next request

    def leave(self) -> None:
        """Sends what there is."""
        if self._parts:
            self._transport.writelines(self._parts)
            self._parts.clear()


class Guarded(HttpToolsProtocol):
    """HTTP/1.1 with bounds on the head of a request, in bytes and time, and on the number of connections."""

    max_connections = 1_000
    sockets: Callable[[], int] = staticmethod(lambda: 0)
    """WebSockets among the connections."""

    _head: int | None = None
    """Bytes of the head that is under way; None between heads."""
    _unparsed = 0
    """Bytes after a head since the parser last made something of them."""
    _trailers = 0
    """Bytes of the headers that follow a body in chunks."""
    _unread: asyncio.TimerHandle | None = None
    _timer: asyncio.TimerHandle | None = None
    _stopping = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.app = self._answering(self.app)

    def _answering(self, app: Any) -> Any:
        """The application, whose answers go nowhere once the connection is closing.

        uvicorn hears of that later, and only for the last of several requests in a row; it would fail, and
        write a traceback to the log for each client that goes away at the right moment.

        The head of an answer waits for the beginning of its body: uvicorn would send each by itself.
        """

        async def answering(scope: Any, receive: Any, send: Any) -> None:
            cycle: RequestResponseCycle = send.__self__
            head: Any = None

            async def send_while_open(message: Any) -> None:
                nonlocal head
                if message["type"] == "http.response.start":
                    head = message
                    return
                if self.flow.write_paused:
                    await self.flow.drain()
                if self.transport.is_closing():
                    cycle.disconnected = True
                if head is None:
                    await send(message)
                    return
                together = Together(self.transport)
                cycle.transport = together  # type: ignore[assignment]  # it has what uvicorn calls of one
                try:
                    await send(head)
                    await send(message)
                finally:
                    head, cycle.transport = None, self.transport
                    together.leave()

            await app(scope, receive, send_while_open)

        return answering

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) - self.sockets() > self.max_connections:
            self.logger.warning("more than %d connections: one was refused", self.max_connections)
            self._end(TOO_MANY)
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        self._expect_the_rest(False)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._head is not None:
            self._head += len(data)
            if self._head > MAX_HEAD_BYTES:
                self._end(TOO_LARGE)
                return
        else:
            self._unparsed += len(data)
            if max(self._unparsed - len(data), self._trailers) > MAX_HEAD_BYTES:
                self._end(TOO_LARGE)
                return
        if b"pgrade" in data and (self._head is not None or self.cycle is None or not self.cycle.more_body):
            data = _without_other_upgrades(data)
        super().data_received(data)
        if self._timer is None and self._waits():  # hardly ever: most heads come in one piece
            self._expect_head()

    def _waits(self) -> bool:
        """Whether the connection goes on with a head. Of line ends between two requests the parser makes
        nothing, but uvicorn's own timer of idle connections ends with any byte."""
        if self._head is not None:
            return True
        answered = self.cycle is not None and self.cycle.response_complete
        return answered and self.transport.get_protocol() is self  # no WebSocket by now

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head is None:  # nothing here looks at what comes after a body
            self._unparsed = 0
            self._trailers += len(name) + len(value)
        else:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unparsed = self._trailers = 0
        self._expect_the_rest(False)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle is not None and self.cycle.response_complete and self.cycle.more_body:
            self._expect_the_rest(True)

    def on_message_begin(self) -> None:
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head = None
        self._expect_nothing()
        super().on_headers_complete()
        if self._stopping and self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        self._stopping = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(DRAIN_SECONDS, self._drained)
        else:
            super().shutdown()

    def _drained(self) -> None:
        if self._head is None and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # closing would wait until the client has read its answer
        else:
            super().timeout_keep_alive_handler()

    def _expect_head(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self._late)

    def _expect_the_rest(self, expected: bool) -> None:
        """Of a body that nobody reads: as long as it does not end, the connection is of no use."""
        if self._unread is not None:
            self._unread.cancel()
        self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort) if expected else None

    def _expect_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            # whoever has sent nothing at all expects no answer either
            self._end(TOO_SLOW if self._head is not None else b"")

    def _end(self, answer: bytes) -> None:
        if answer:
            self.transport.write(answer)
        self.transport.close()


def guarded(max_connections: int, sockets: Callable[[], int] = lambda: 0) -> type[Guarded]:
    """The protocol for a server that keeps so many connections at most, besides its `sockets`."""
    limits = {"max_connections": max_connections, "sockets": staticmethod(sockets)}
    return type("GuardedConnection", (Guarded,), limits)
