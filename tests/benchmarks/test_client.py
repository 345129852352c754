import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress

import pytest

from benchmarks import client
from benchmarks.client import WrongAnswer


@asynccontextmanager
async def answering(*pieces: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers each request with these pieces, and the requests that it got."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(ConnectionError):
            while request := await reader.read(1000):
                asked.append(request)
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.001)  # so that they arrive apart

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked
        await asyncio.sleep(0.01)  # the server's sides see that the client's are closed


def request(rng: random.Random) -> bytes:
    return b"GET / HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"],
        [b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 2\r\n\r\n", b"{", b"}"],
    ],
)
async def test_every_request_is_counted_once_its_answer_is_whole(pieces: list[bytes]) -> None:
    async with answering(*pieces) as (port, asked):
        load = await asyncio.to_thread(client.run, [port], request, connections=3, seconds=0.05)
    assert load.requests == len(asked)
    assert load.requests >= 3


async def test_an_answer_may_come_in_chunks() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
    async with answering(chunked, b"1\r\n}\r\n0\r\n\r\n") as (port, asked):
        load = await asyncio.to_thread(client.run, [port], request, connections=1, seconds=10, requests=2)
        assert await asyncio.to_thread(client.ask, port, b"GET / HTTP/1.1\r\n\r\n") == b"{}"
    assert load.requests == 2
    assert len(asked) == 3


async def test_as_many_requests_as_wanted_are_sent() -> None:
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as (port, asked):
        load = await asyncio.to_thread(client.run, [port], request, connections=2, seconds=10, requests=5)
    assert load.requests == len(asked) == 5


async def test_the_connections_are_spread_over_the_ports() -> None:
    sound = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    async with answering(sound) as (one, asked_one), answering(sound) as (other, asked_other):
        await asyncio.to_thread(client.run, [one, other], request, connections=3, seconds=10, requests=3)
    assert (len(asked_one), len(asked_other)) == (2, 1)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n{}",
        b'HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n{"errors":[{"message":"no"}]}',
    ],
)
async def test_an_answer_with_an_error_ends_the_run(answer: bytes) -> None:
    async with answering(answer) as (port, _):
        with pytest.raises(WrongAnswer):
            await asyncio.to_thread(client.run, [port], request, connections=2, seconds=0.05)


async def test_a_server_that_hangs_up_ends_the_run() -> None:
    def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        with pytest.raises((WrongAnswer, ConnectionError)):
            port = server.sockets[0].getsockname()[1]
            await asyncio.to_thread(client.run, [port], request, connections=1, seconds=0.05)
