"""Frames of a WebSocket that nobody should send: answers, or a close code that says why not."""

import asyncio
import json
from collections import Counter
from contextlib import suppress
from random import Random

import psutil

from .frames import CLOSE, PING, PONG, TEXT, handshake, received, stream
from .judging import INSIDE
from .serving import FuzzServer
from .trials import CASES, SEED, rng

AT_ONCE = 24
SILENCE_S = 0.5
TYPES = {"connection_ack", "next", "error", "complete", "pong"}
CLOSES = {1000, 1001, 1002, 1003, 1005, 1007, 1009, 1012, 4400, 4401, 4406, 4409, 4429}
"""What a server may say of what it was sent. A close of the client's is answered with its own code, 1001 or
1012 too, or without any, which is shown as 1005."""
SPARE = 20
"""Descriptors that may be opened meanwhile for other reasons: up to 16 connections to the database."""


async def test_spoilt_frames(server: FuzzServer) -> None:
    wrong: list[str] = []
    said: Counter[str] = Counter()
    turns = asyncio.Semaphore(AT_ONCE)
    process = psutil.Process(server.process.pid)
    before = process.num_fds()

    async def one(number: int) -> None:
        async with turns:  # the server does not wait for the first head until all are made
            chance = rng("frames", number)
            head, sent = handshake(chance, server.token), stream(chance, server.token)
            answer = await _exchange(server.port, chance, head, sent)
        found = faults(answer, said)
        if found:
            wrong.append(f"case {number}: {found}\n{sent[:3000]!r}\n{answer[:1500]!r}")

    await asyncio.gather(*(one(number) for number in range(CASES)))
    assert wrong == [], f"FUZZ_SEED={SEED}: {len(wrong)}\n" + "\n\n".join(wrong[:20])
    assert {*TYPES, "1002", "1007", "4400", "4401", "4409"} <= said.keys(), said
    async with asyncio.timeout(60):
        while process.num_fds() > before + SPARE:  # noqa: ASYNC110  # another process closes them
            await asyncio.sleep(0.1)


def faults(answer: bytes, said: Counter[str]) -> list[str]:
    """What is wrong with what a server sent; counts what it said in `said`."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101 "):
        return [f"no WebSocket: {head[:100]!r}"]
    try:
        frames = received(rest)
    except ValueError as error:
        return [str(error)]
    found = []
    for place, (opcode, data) in enumerate(frames):
        if inside := INSIDE.search(data):
            found.append(f"shows {inside[0]!r}")
        if opcode == TEXT:
            message = json.loads(data)
            said[message["type"]] += 1
            if message["type"] not in TYPES:
                found.append(f"says {message}")
        elif opcode == CLOSE:
            code = int.from_bytes(data[:2], "big") if data else 1005
            said[str(code)] += 1
            if code not in CLOSES and code not in range(3000, 5000):  # it repeats a client's own
                found.append(f"closes with {code} {data[2:]!r}")
            if any(later != PONG for later, _ in frames[place + 1 :]):  # pings are answered to the end
                found.append("goes on after it has closed")
        elif opcode not in (PING, PONG):
            found.append(f"sends the opcode {opcode}")
    return found


async def _exchange(port: int, chance: Random, head: bytes, sent: bytes) -> bytes:
    """Shakes hands, sends it in pieces, and reads until the server closes or says no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        with suppress(OSError):
            writer.write(head)
            with suppress(asyncio.IncompleteReadError):
                answer = await reader.readuntil(b"\r\n\r\n")
            while sent:
                size = len(sent) if chance.random() < 0.7 else chance.randrange(1, len(sent) + 1)
                writer.write(sent[:size])
                sent = sent[size:]
                await writer.drain()
                await asyncio.sleep(0)
            if chance.random() < 0.1:
                writer.write_eof()
        with suppress(TimeoutError, OSError):
            while chunk := await asyncio.wait_for(reader.read(1 << 16), SILENCE_S):
                answer += chunk
    finally:
        writer.transport.abort()
    return answer
