"""The server as `crm serve` sets it up, over sockets: uvicorn's fast parser on the loop of the server."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn

from crm_framework.server.limits import connections
from crm_framework.server.limits.connections import MAX_HEAD_BYTES, Together, guarded
from crm_framework.server.loops import new_event_loop

OK = b"HTTP/1.1 200 OK\r\n"
BEGIN = b"POST / HTTP/1.1\r\nHost: crm\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the number of bytes in the body."""
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message["body"])
        more = message["more_body"]
    body = b"%d" % length
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def served(limit: int, app: Any, keep_alive: int) -> AsyncIterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            app, http=guarded(limit), log_config=None, lifespan="off", timeout_keep_alive=keep_alive
        )
    )
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:  # noqa: ASYNC110  # uvicorn has no event to wait for
            await asyncio.sleep(0.01)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await running
        listener.close()


def on_our_loop(
    work: Callable[[int], Coroutine[Any, Any, None]],
    *,
    limit: int = 1_000,
    app: Any = app,
    keep_alive: int = 5,
) -> None:
    async def run() -> None:
        async with served(limit, app, keep_alive) as port:
            await asyncio.wait_for(work(port), 20)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(run())


async def answers(port: int, pieces: list[bytes]) -> bytes:
    """All that comes back until the server closes, or has nothing to say for a while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""

    async def read() -> None:
        nonlocal received
        while chunk := await reader.read(65536):
            received += chunk

    reading = asyncio.create_task(read())
    for piece in pieces:
        if reading.done():
            break
        writer.write(piece)
        await asyncio.sleep(0.01)
    await asyncio.wait([reading], timeout=0.5)
    reading.cancel()
    await asyncio.wait([reading])
    writer.close()
    return received


def request(length: int) -> bytes:
    return BEGIN + b"Content-Length: %d\r\n\r\n" % length + b"x" * length


def test_a_head_without_end_is_not_read() -> None:
    async def work(port: int) -> None:
        for endless in (b"X-A: " + b"a" * 10_000, b"X-A: b\r\n" * 1250):
            pieces = [BEGIN, *[endless] * (2 * MAX_HEAD_BYTES // len(endless))]
            assert (await answers(port, pieces)).startswith(b"HTTP/1.1 431 ")

    on_our_loop(work)


def test_a_long_head_is_read() -> None:
    async def work(port: int) -> None:
        pieces = [BEGIN, *[b"X-A: " + b"a" * 5_000 + b"\r\n"] * 10, b"Content-Length: 1\r\n\r\nx"]
        assert (await answers(port, pieces)).startswith(OK)

    on_our_loop(work)


@pytest.mark.parametrize("size", [100, 100_000])
def test_heads_are_counted_apart_from_bodies_and_from_each_other(size: int) -> None:
    async def work(port: int) -> None:
        stream = request(size) * 4
        for length in (7, 1000) if size < 1000 else (60_000,):
            pieces = [stream[at : at + length] for at in range(0, len(stream), length)]
            received = await answers(port, pieces)
            assert received.count(OK) == 4
            assert received.count(b"\r\n\r\n%d" % size) == 4

    on_our_loop(work)


def test_who_asks_for_http_2_is_answered_in_http_1() -> None:
    """As Java's client asks in each request; and others go on, on the same connection."""
    asking = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"

    async def work(port: int) -> None:
        first = BEGIN + asking + b"Content-Length: 24\r\n\r\n" + b"\r\nUpgrade: h2c\r\n\r\nx\r\nabc"
        received = await answers(port, [first, request(7)])
        assert received.count(OK) == 2
        assert [received.count(b"\r\n\r\n%d" % size) for size in (24, 7)] == [1, 1]

    on_our_loop(work)


class Wire:
    """A connection that keeps what is sent, piece by piece."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def writelines(self, parts: list[bytes]) -> None:
        assert not self.closed
        self.sent.append(b"".join(parts))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def test_what_is_written_together_leaves_in_one_piece() -> None:
    wire = Wire()
    together = Together(wire)
    together.leave()
    assert wire.sent == []
    for part in (b"head", b"", b"body"):
        together.write(part)
    assert (wire.sent, together.is_closing()) == ([], False)
    together.close()
    assert (wire.sent, together.is_closing()) == ([b"headbody"], True)
    together.leave()
    assert wire.sent == [b"headbody"]


def test_an_answer_leaves_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[list[bytes]] = []

    class Watched(Together):
        def leave(self) -> None:
            left.append([*self._parts])
            super().leave()

    monkeypatch.setattr(connections, "Together", Watched)

    async def work(port: int) -> None:
        received = await answers(port, [request(12)])
        ((head, body),) = left
        assert (body, head + body) == (b"12", received)

    on_our_loop(work)


def test_heads_and_bodies_are_sent_whole_whatever_there_is_of_each() -> None:
    async def answering(scope: Any, receive: Any, send: Any) -> None:
        parts = [part.encode() for part in scope["path"][1:].split("-")]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

    async def work(port: int) -> None:
        gets = [b"%s HTTP/1.1\r\nHost: crm\r\n\r\n" % what for what in (b"GET /", b"GET /a-bc", b"HEAD /a")]
        heads, bodies = zip(
            *[(await answers(port, [get])).split(b"\r\n\r\n", 1) for get in gets], strict=True
        )
        assert all(head.startswith(OK.rstrip()) for head in heads)
        assert bodies == (b"0\r\n\r\n", b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"")

    on_our_loop(work, app=answering)


def test_nothing_is_run_after_an_answer_that_ends_its_connection() -> None:
    asked: list[int] = []

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        asked.append(1)
        await app(scope, receive, send)

    async def work(port: int) -> None:
        last = request(1).replace(b"Host", b"Connection: close\r\nHost")
        received = await end_of(port, [request(3) + last + request(2)])
        assert (received.count(OK), len(asked)) == (2, 2)

    on_our_loop(work, app=counting)


def test_who_fails_after_the_head_of_an_answer_is_told_so() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    async def work(port: int) -> None:
        assert (await end_of(port, [request(0)])).startswith(b"HTTP/1.1 500 ")

    on_our_loop(work, app=failing)


async def end_of(port: int, pieces: list[bytes]) -> bytes:
    """All that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
    received = await reader.read()
    writer.close()
    return received


@pytest.mark.parametrize(
    ("pieces", "answer"),
    [([], b""), ([BEGIN], b"HTTP/1.1 408 "), ([b"POST"], b"HTTP/1.1 408 "), ([request(1), BEGIN], OK)],
)
def test_a_connection_without_a_request_is_ended(
    monkeypatch: pytest.MonkeyPatch, pieces: list[bytes], answer: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)

    async def work(port: int) -> None:
        assert (await end_of(port, pieces)).startswith(answer)

    on_our_loop(work)


def test_line_ends_after_an_answer_do_not_keep_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)

    async def work(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(0))
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(OK)
        writer.write(b"\r\n")
        async with asyncio.timeout(3):
            assert await reader.read() == b""
        writer.close()

    on_our_loop(work, keep_alive=1)


def test_line_ends_before_a_request_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)

    async def work(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(b"\r\n" + request(0))
            assert (await reader.readuntil(b"\r\n\r\n0")).startswith(OK)
        writer.close()

    on_our_loop(work)


def test_a_body_may_take_longer_than_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)

    async def work(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(2)[:-1])
        await asyncio.sleep(0.5)
        writer.write(b"x")
        assert (await reader.readline()) == OK
        writer.close()

    on_our_loop(work)


BODIES = {
    "a body that goes on": b"Content-Length: 100000\r\n\r\n",
    "chunks that go on": b"Transfer-Encoding: chunked\r\n\r\n5\r\n",
}


async def at_once(scope: Any, receive: Any, send: Any) -> None:
    """Answers without a look at the body."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("what", BODIES)
def test_what_nobody_reads_any_more_does_not_hold_the_connection(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 0.2)

    async def work(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(BEGIN + BODIES[what])
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(OK)
        writer.write(b"x")  # a late byte once stopped the clock
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()

    on_our_loop(work, app=at_once, keep_alive=60)


def test_a_body_that_ends_after_its_answer_keeps_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 0.3)

    async def work(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(request(2)[:-1])
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(OK)
            writer.write(b"x")
            await asyncio.sleep(0.5)
        writer.close()

    on_our_loop(work, app=at_once, keep_alive=60)


@pytest.mark.parametrize("piece", [b"x-1: " + b"a" * 1_000 + b"\r\n", b"a" * 1_000])
@pytest.mark.parametrize("served_by", [app, at_once])
def test_headers_after_a_body_are_bounded(piece: bytes, served_by: Any) -> None:
    async def work(port: int) -> None:
        start = BEGIN + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
        start += b"" if piece.startswith(b"x") else b"x-1: "
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(start)
        sent = 0
        with suppress(ConnectionError):
            while sent < 50 * MAX_HEAD_BYTES and not reader.at_eof():
                writer.write(piece * 10)
                await writer.drain()
                sent += 10 * len(piece)
                await asyncio.sleep(0)
        assert sent < 50 * MAX_HEAD_BYTES
        writer.close()

    on_our_loop(work, app=served_by, keep_alive=60)


def test_one_connection_too_many_is_told_so_and_the_others_go_on() -> None:
    async def work(port: int) -> None:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert (await end_of(port, [])).startswith(b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n")
        for reader, writer in idle:
            writer.write(request(1))
            assert (await reader.readline()) == OK
        idle[0][1].close()
        await asyncio.sleep(0.1)
        assert (await answers(port, [request(1)])).startswith(OK)
        for _, writer in idle:
            writer.close()

    on_our_loop(work, limit=3)


def test_a_client_that_does_not_read_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[bool] = []

    async def large(scope: Any, receive: Any, send: Any) -> None:
        body = b"x" * 20_000_000
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    lost = connections.Guarded.connection_lost

    def let_go(self: connections.Guarded, error: Exception | None) -> None:
        lost(self, error)
        gone.append(True)

    monkeypatch.setattr(connections.Guarded, "connection_lost", let_go)

    async def work(port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(request(0))
        while not gone:  # noqa: ASYNC110  # what ends it is the server, a few seconds after its answer
            await asyncio.sleep(0.05)
        writer.close()

    on_our_loop(work, app=large, keep_alive=1)


def test_who_goes_away_with_several_requests_under_way_leaves_no_error_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, gone, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def late(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        try:
            await gone.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for number in range(5):  # the first tell the server that nobody is there
                await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": number < 4})
                await asyncio.sleep(0.02)
        finally:
            done.set()

    async def work(port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(1) * 2)
        await begun.wait()
        writer.transport.abort()
        await asyncio.sleep(0.05)
        gone.set()
        await done.wait()

    on_our_loop(work, app=late)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
