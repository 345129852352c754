"""A lean HTTP/1.1 load client: a few connections, each with one request under way at a time.

It reads no more of an answer than it needs to know that it is whole and right.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

MakeRequest = Callable[[random.Random], bytes]

PATIENCE = 60
"""Seconds after the end within which every answer must be there."""


class WrongAnswer(Exception):
    """An answer that does not count: the message has its beginning."""


@dataclass(frozen=True)
class Load:
    """One round. `p50` and `p99` are milliseconds, `client` is the share of a core that the client took."""

    requests: int
    seconds: float
    p50: float
    p99: float
    client: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


class Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last one is whole, until `deadline`."""

    def __init__(self, make: MakeRequest, seed: int, deadline: float, latencies: list[float]) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self._make = make
        self._random = random.Random(seed)
        self._deadline = deadline
        self._latencies = latencies
        self._received = b""
        self._whole = 0
        self._sent = 0.0

    def itself(self) -> "Connection":
        """What a loop asks for that makes a connection."""
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received = received = self._received + data if self._received else data
        if not self._whole:
            self._whole = _length(received)
        if not self._whole or len(received) < self._whole:
            return
        at = time.perf_counter()
        self._latencies.append(at - self._sent)
        if not sound(received):
            self._end(WrongAnswer(received[:1000].decode(errors="replace")))
        elif at >= self._deadline:
            self._end(None)
        else:
            self._received, self._whole = b"", 0
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or WrongAnswer("the server closed the connection"))
        self.closed.set_result(None)

    def close(self) -> None:
        self._transport.close()

    def _send(self) -> None:
        request = self._make(self._random)
        self._sent = time.perf_counter()
        self._transport.write(request)

    def _end(self, error: Exception | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)


def _length(received: bytes) -> int:
    """Bytes of the answer that begins here, or 0 while its head is not whole."""
    head = received.find(b"\r\n\r\n")
    if head < 0:
        return 0
    lower = received[:head].lower()
    start = lower.find(b"content-length:")
    if start < 0:
        raise WrongAnswer(f"an answer without a length: {lower.decode(errors='replace')}")
    return head + 4 + int(lower[start + 15 :].split(b"\r\n", 1)[0])


def sound(answer: bytes) -> bool:
    """Whether it says 200 and has no error in it."""
    return answer.startswith(b"HTTP/1.1 200 ") and b'"errors":[{' not in answer


async def run(port: int, make: MakeRequest, *, connections: int, seconds: float, seed: int = 0) -> Load:
    """Keeps `connections` requests under way for `seconds`. Raises `WrongAnswer` where one has an error."""
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    used, begun = time.process_time(), time.perf_counter()
    opened: list[Connection] = []
    for number in range(connections):
        connection = Connection(make, seed * 1000 + number, begun + seconds, latencies)
        await loop.create_connection(connection.itself, "127.0.0.1", port)
        opened.append(connection)
    try:
        async with asyncio.timeout(seconds + PATIENCE):
            await asyncio.gather(*(connection.ended for connection in opened))
        elapsed, used = time.perf_counter() - begun, time.process_time() - used
    finally:
        for connection in opened:
            connection.close()
        await asyncio.wait([connection.closed for connection in opened])
        await asyncio.gather(*(connection.ended for connection in opened), return_exceptions=True)
    latencies.sort()
    count = len(latencies)
    return Load(
        requests=count,
        seconds=elapsed,
        p50=latencies[count // 2] * 1e3,
        p99=latencies[min(count - 1, count * 99 // 100)] * 1e3,
        client=used / elapsed,
    )


async def ask(port: int, request: bytes) -> bytes:
    """The body of the answer to one request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_length(head) - len(head))
    finally:
        writer.close()
        await writer.wait_closed()
    if not sound(head + body):
        raise WrongAnswer((head + body)[:1000].decode(errors="replace"))
    return body
