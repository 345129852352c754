"""Bytes that nobody should send, to the socket of the server: an answer, or the end of the connection."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import suppress
from random import Random

import pytest

from crm_framework.server.limits.connections import HEAD_SECONDS

from .conftest import Asked
from .judging import INSIDE
from .serving import FuzzServer, serving
from .streams import stream
from .trials import CASES, SEED, rng

AT_ONCE = 24
SILENCE_S = 0.5
"""No answer comes to most of it; nobody waits longer than this for one."""
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


async def test_spoilt_streams(server: FuzzServer) -> None:
    wrong: list[str] = []
    answered: list[int] = []
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        chance = rng("bytes", number)
        sent = stream(chance, server.token)
        async with turns:
            received = await _exchange(server.port, chance, sent)
        statuses = [int(found) for found in STATUS.findall(received)]
        answered.extend(statuses)
        inside = INSIDE.search(received.replace(b"text/html", b"")) if b"<!" not in received else None
        if inside or any(status >= 500 for status in statuses):
            wrong.append(
                f"case {number}: {statuses} {inside and inside[0]!r}\n{sent[:3000]!r}\n{received[:1500]!r}"
            )

    await asyncio.gather(*(one(number) for number in range(CASES * 2)))
    assert wrong == [], f"FUZZ_SEED={SEED}: {len(wrong)}\n" + "\n\n".join(wrong[:20])
    assert {200, 400, 401, 405} <= set(answered), "too little is understood to show anything"


async def _exchange(port: int, chance: Random, sent: bytes) -> bytes:
    """Sends it, in one piece or in several, and reads until the server closes or says no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        with suppress(OSError):
            while sent:
                size = len(sent) if chance.random() < 0.7 else chance.randrange(1, len(sent) + 1)
                writer.write(sent[:size])
                sent = sent[size:]
                if chance.random() < 0.05:
                    break  # and goes away
                await writer.drain()
                await asyncio.sleep(0)
            if chance.random() < 0.1:
                writer.write_eof()
            if chance.random() < 0.1:
                return received
            with suppress(TimeoutError):
                while chunk := await asyncio.wait_for(reader.read(1 << 16), SILENCE_S):
                    received += chunk
    finally:
        writer.transport.abort()
    return received


@pytest.fixture
def impatient(company_url: str, asked: Asked) -> Iterator[FuzzServer]:
    """It waits for a body no longer than for a head."""
    with serving(company_url, CRM_REQUEST_TIMEOUT_S=f"{HEAD_SECONDS:g}") as server:
        yield server
        server.check()


async def test_nobody_stays_for_ever(impatient: FuzzServer) -> None:
    """Clients that say no more and do not go away are let go."""
    server = impatient
    writers = []
    for number in range(min(CASES // 2, 800)):
        chance = rng("silence", number)
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writers.append((number, writer))
        with suppress(OSError):
            writer.write(stream(chance, server.token))
            await writer.drain()
    try:
        left = server.connections()
        for _ in range(600):
            if not (left := server.connections()):
                break
            await asyncio.sleep(0.1)
        local = {str(writer.get_extra_info("sockname")[1]): number for number, writer in writers}
        told = [
            f"{each}: {stream(rng('silence', number), server.token)!r}"
            for each in left
            for port, number in local.items()
            if f"port={port})" in each
        ]
        assert told == [], f"FUZZ_SEED={SEED}\n" + "\n".join(told[:10])
    finally:
        for _, writer in writers:
            writer.transport.abort()
