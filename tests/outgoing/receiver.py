"""A real HTTP or HTTPS server that notes what it is sent and answers as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import h11

CERTIFICATES = Path(__file__).parent / "certificates"
"""Of a server called hooks.test, and of the authority that vouches for it."""


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`answers` are given one after the other, the last of them for ever: status, headers, body."""

    port: int = 0
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=lambda: [(200, {}, b"thanks")])
    received: list[Received] = field(default_factory=list)
    before: Callable[[Received], Awaitable[None]] | None = None
    """Runs before each answer."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/crm"

    @property
    def ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.received]

    def answer(self, *statuses: int) -> None:
        self.answers = [(status, {}, b"") for status in statuses]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        path, headers, body = "", {}, b""
        try:
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(await reader.read(65_536))
                elif isinstance(event, h11.Request):
                    path = event.target.decode()
                    headers = {name.decode(): value.decode() for name, value in event.headers}
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    break
                else:
                    return
            got = Received(path, headers, body)
            self.received.append(got)
            if self.before is not None:
                await self.before(got)
            status, given, content = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
            lines = [("content-length", str(len(content))), *given.items()]
            writer.write(connection.send(h11.Response(status_code=status, headers=lines)) or b"")
            writer.write(connection.send(h11.Data(data=content)) or b"")
            writer.write(connection.send(h11.EndOfMessage()) or b"")
            await writer.drain()
        except (OSError, h11.RemoteProtocolError):
            pass  # the client went away
        finally:
            writer.close()


@asynccontextmanager
async def receiving(*, tls: bool = False) -> AsyncIterator[Receiver]:
    """A receiver on a port of its own."""
    receiver = Receiver()
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


def trusting() -> ssl.SSLContext:
    """Trusts the tests' authority alone."""
    return ssl.create_default_context(cafile=str(CERTIFICATES / "ca.pem"))
