"""uvicorn's WebSockets, which end even if the client does not read what is still to be sent to it."""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

CLOSE_SECONDS = 5.0
"""How long a client may take to read the last words before the connection is cut."""


HANDSHAKE_SECONDS = 10.0
"""How long it may take from asking for a WebSocket to having one: a spoilt question never gets there."""


class GuardedSocket(WebSocketsSansIOProtocol):
    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.loop.call_later(HANDSHAKE_SECONDS, self._expect_handshake)

    def _expect_handshake(self) -> None:
        if not self.handshake_complete:
            self._cut()

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.close":
            self.writable.set()  # the last words are short, and do not wait until all before them is read
        await super().send(message)

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self.loop.call_later(CLOSE_SECONDS, self._cut)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.loop.call_later(CLOSE_SECONDS, self._cut)

    def _cut(self) -> None:
        transport: Any = self.transport
        if not self.disconnected:
            transport.abort()
