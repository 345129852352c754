"""A lean HTTP/1.1 load client: a few connections, each with one request under way at a time.

It reads no more of an answer than it needs to know that it is whole and right, and waits for its sockets
itself: an event loop would take several times the processor time, of cores that the servers need.
"""

import random
import selectors
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

MakeRequest = Callable[[random.Random], bytes]

PATIENCE = 60
"""Seconds after the end within which every answer must be there."""

IN_CHUNKS = 1
"""In place of the length of an answer that comes in chunks."""
LAST_CHUNK = b"\r\n0\r\n\r\n"


class WrongAnswer(Exception):
    """An answer that does not count: the message has its beginning."""


@dataclass(frozen=True)
class Load:
    """One round.

    `p50` and `p99` are milliseconds, `client` is the share of a core that the client took, `server` the
    processor time of the server's process for one request in microseconds, if it was looked at.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    client: float
    server: float | None = None

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


class Connection:
    """Sends the next request when the answer to the last one is whole."""

    __slots__ = ("_make", "_random", "_received", "_whole", "sent", "socket")

    def __init__(self, port: int, make: MakeRequest, seed: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0.0
        self._make = make
        self._random = random.Random(seed)
        self._received = b""
        self._whole = 0

    def send(self) -> None:
        request = self._make(self._random)
        self.sent = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """What there is; the answer once it is whole."""
        received = self.socket.recv(1 << 18)
        if not received:
            raise WrongAnswer("the server closed the connection")
        if self._received:
            received = self._received + received
        if not self._whole:
            self._whole = _length(received)
        if (
            not self._whole
            or len(received) < self._whole
            or (self._whole == IN_CHUNKS and not received.endswith(LAST_CHUNK))
        ):
            self._received = received
            return None
        self._received, self._whole = b"", 0
        return received


def _length(received: bytes) -> int:
    """Bytes of the answer that begins here, or 0 while its head is not whole, or `IN_CHUNKS`."""
    head = received.find(b"\r\n\r\n")
    if head < 0:
        return 0
    lower = received[:head].lower()
    start = lower.find(b"content-length:")
    if start < 0 and b"transfer-encoding: chunked" in lower:
        return IN_CHUNKS
    if start < 0:
        raise WrongAnswer(f"an answer without a length: {lower.decode(errors='replace')}")
    return head + 4 + int(lower[start + 15 :].split(b"\r\n", 1)[0])


ERRORS = (b'"errors":[{', b'"errors": [{')
"""How an answer with errors begins their list."""


def sound(answer: bytes) -> bool:
    """Whether it says 200 and has no error in it."""
    return answer.startswith(b"HTTP/1.1 200 ") and not any(mark in answer for mark in ERRORS)


def run(
    ports: Sequence[int],
    make: MakeRequest,
    *,
    connections: int,
    seconds: float,
    requests: int | None = None,
    seed: int = 0,
) -> Load:
    """Keeps `connections` requests under way, on the ports in turn, for `seconds` or for `requests`.

    Raises `WrongAnswer` where an answer has an error.
    """
    latencies: list[float] = []
    opened: list[Connection] = []
    with selectors.DefaultSelector() as selector:
        try:
            for number in range(connections):
                opened.append(Connection(ports[number % len(ports)], make, seed * 1000 + number))
                selector.register(opened[-1].socket, selectors.EVENT_READ, opened[-1])
            used, begun = time.process_time(), time.perf_counter()
            deadline, left = begun + seconds, requests if requests is not None else 1 << 60
            for connection in opened[:left]:
                connection.send()
            busy = min(left, len(opened))
            left -= busy
            while busy:
                ready = selector.select(PATIENCE)
                if not ready:
                    raise WrongAnswer(f"no answer within {PATIENCE} seconds")
                for key, _ in ready:
                    connection = key.data
                    answer = connection.receive()
                    if answer is None:
                        continue
                    at = time.perf_counter()
                    latencies.append(at - connection.sent)
                    if not sound(answer):
                        raise WrongAnswer(answer[:1000].decode(errors="replace"))
                    if at < deadline and left:
                        left -= 1
                        connection.send()
                    else:
                        busy -= 1
            elapsed, used = time.perf_counter() - begun, time.process_time() - used
        finally:
            for connection in opened:
                connection.socket.close()
    latencies.sort()
    count = len(latencies)
    return Load(
        requests=count,
        seconds=elapsed,
        p50=latencies[count // 2] * 1e3,
        p99=latencies[min(count - 1, count * 99 // 100)] * 1e3,
        client=used / elapsed,
    )


def ask(port: int, request: bytes) -> bytes:
    """The body of the answer to one request."""
    connection = Connection(port, lambda _: request, 0)
    try:
        connection.send()
        while (answer := connection.receive()) is None:
            pass
    finally:
        connection.socket.close()
    if not sound(answer):
        raise WrongAnswer(answer[:1000].decode(errors="replace"))
    body = answer.partition(b"\r\n\r\n")[2]
    return b"".join(_chunks(body)) if _length(answer) == IN_CHUNKS else body


def _chunks(body: bytes) -> Iterator[bytes]:
    while size := int(body.partition(b"\r\n")[0], 16):
        begin = body.index(b"\r\n") + 2
        yield body[begin : begin + size]
        body = body[begin + size + 2 :]
