"""uvicorn's WebSockets, which end even if the client does not read what is still to be sent to it."""

from collections.abc import Sequence
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

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

    def send_receive_event_to_app(self) -> None:
        # uvicorn closes it too, but with a traceback in the log for each such message
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_text(self.frames):
            self.frames = []
            if self.conn.state is State.OPEN:  # else the client closes it in the same breath
                self.conn.send_close(1007)
                self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    async def send(self, message: Any) -> None:
        if self.close_sent and self.initial_response is None:
            # it was closed for what the client sent; uvicorn would take the application's answer for a fault
            raise ClientDisconnected
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


def _is_text(pieces: Sequence[bytes]) -> bool:
    try:
        b"".join(pieces).decode()
    except UnicodeDecodeError:
        return False
    return True
