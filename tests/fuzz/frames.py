"""Streams of bytes that look like what a client of graphql-transport-ws sends, more or less."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from . import spoiling
from .streams import QUERIES

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_SUBSCRIPTIONS = (
    {"query": 'subscription { events(after: "") { id type position } }'},
    {"query": "subscription { events { id } }"},
    {"query": "subscription ($after: String) { events(after: $after) { id } }", "variables": {"after": "x"}},
    {"query": "subscription { nothing }"},
)
_LENGTHS = (126, 127, 65_535, 65_536, 2**20, 2**31, 2**32, 2**62, 2**63, 2**64 - 1)
"""What a frame may say of its length, whatever comes."""
_CODES = (0, 999, 1000, 1001, 1004, 1005, 1006, 1012, 1015, 2999, 3000, 4400, 5000, 65_535)


def handshake(rng: Random, token: str) -> bytes:
    lines = [
        "GET /graphql HTTP/1.1",
        "Host: crm",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: graphql-transport-ws",
    ]
    if rng.random() < 0.2:
        lines.append(f"Authorization: Bearer {token}")
    if rng.random() < 0.1:
        lines.append("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=99")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def stream(rng: Random, token: str) -> bytes:
    """Messages in any order, spoilt, in frames that are spoilt too. A third is only out of order."""
    if rng.random() < 0.33:
        return b"".join(frame(rng, TEXT, message, masked=True) for message in _orderless(rng, token))
    frames = [frame for message in _messages(rng, token) for frame in _framed(rng, message)]
    if rng.random() < 0.2:
        rng.shuffle(frames)
    sent = b"".join(frames)
    return spoiling.octets(rng, sent) if rng.random() < 0.2 else sent


def _orderless(rng: Random, token: str) -> Iterator[bytes]:
    """What is well said, but not always when it should be."""
    yield _encoded(rng, {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}, 0)
    for _ in range(rng.randrange(12)):
        key, query = rng.choice("123"), dict(rng.choice(QUERIES + _SUBSCRIPTIONS))
        said = {"type": "subscribe", "id": key, "payload": query}
        yield _encoded(rng, rng.choice((said, said, {"type": "complete", "id": key}, {"type": "ping"})), 0)


def _messages(rng: Random, token: str) -> Iterator[bytes]:
    """Of the protocol; the first one mostly opens."""
    if rng.random() < 0.9:
        yield _encoded(
            rng, {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}, 0.05
        )
    for _ in range(rng.choice((0, 1, 2, 3, 6, 20))):
        key = rng.choice(("1", "1", "2", "3", "", "k" * 300, "\u0000", 7, None))
        yield _encoded(
            rng,
            rng.choice(
                (
                    {"type": "subscribe", "id": key, "payload": dict(rng.choice(QUERIES + _SUBSCRIPTIONS))},
                    {"type": "subscribe", "id": key, "payload": dict(rng.choice(_SUBSCRIPTIONS))},
                    {"type": "complete", "id": key},
                    {"type": "ping", "payload": {"a": 1}},
                    {"type": "pong"},
                    {"type": "connection_init", "payload": {"Authorization": "Bearer crm_wrong"}},
                    {"type": "connection_ack"},
                    {"type": "next", "id": key, "payload": {"data": None}},
                    {"type": "start", "id": key, "payload": {"query": "{ me { name } }"}},
                    {"id": key},
                )
            ),
            0.2,
        )


def _encoded(rng: Random, message: dict[str, Any], spoilt: float) -> bytes:
    if rng.random() < spoilt:
        message = spoiling.value(rng, message)
    data = json.dumps(message, ensure_ascii=rng.random() < 0.5).encode(errors="surrogatepass")
    return spoiling.octets(rng, data) if rng.random() < spoilt / 2 else data


def _framed(rng: Random, data: bytes) -> Iterator[bytes]:
    """The data as one message in any number of fragments, with control frames and odd ones in between."""
    pieces = [data]
    while rng.random() < 0.3 and len(pieces[-1]) > 1:
        cut = rng.randrange(len(pieces[-1]))
        pieces[-1:] = [pieces[-1][:cut], pieces[-1][cut:]]
    for number, piece in enumerate(pieces):
        opcode = 0 if number else BINARY if rng.random() < 0.03 else TEXT
        yield frame(rng, opcode, piece, last=number == len(pieces) - 1)
        if rng.random() < 0.1:
            yield _odd(rng)


def _odd(rng: Random) -> bytes:
    match rng.randrange(8):
        case 0:
            return frame(rng, PING, b"p" * rng.choice((0, 1, 125, 126, 70_000)))
        case 1:
            return frame(rng, PONG, b"p" * rng.choice((0, 125)))
        case 2:
            return frame(
                rng, CLOSE, rng.choice(_CODES).to_bytes(2, "big") + rng.choice((b"", b"bye", b"\xff"))
            )
        case 3:
            return frame(rng, CLOSE, rng.choice((b"", b"\x03", b"\x03\xe8" + b"x" * 200)))
        case 4:
            return frame(rng, rng.choice((3, 4, 5, 6, 7, 0xB, 0xF)), b"{}")  # opcodes that there are none of
        case 5:
            return frame(rng, rng.choice((PING, CLOSE)), b"", last=False)
        case 6:
            return frame(
                rng, TEXT, rng.choice((b"\xff\xfe", b"\xed\xa0\x80", b"\xc3\x28", b"", b"null", b"[" * 9_000))
            )
        case _:
            return frame(rng, TEXT, b"{", says=rng.choice(_LENGTHS))


def frame(
    rng: Random, opcode: int, data: bytes, *, last: bool = True, says: int | None = None, masked: bool = False
) -> bytes:
    """One frame of a client, mostly masked. `says` is its length, if it is not to be the true one."""
    length = len(data) if says is None else says
    reserved = rng.choice((0x40, 0x20, 0x10)) if not masked and rng.random() < 0.01 else 0
    masked = masked or rng.random() < 0.99
    head = bytes([(0x80 if last else 0) | reserved | opcode])
    flag = 0x80 if masked else 0
    if length < 126:
        head += bytes([flag | length])
    elif length < 65_536:
        head += bytes([flag | 126]) + length.to_bytes(2, "big")
    else:
        head += bytes([flag | 127]) + length.to_bytes(8, "big")
    if not masked:
        return head + data
    mask = rng.randbytes(4)
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))


def received(data: bytes) -> list[tuple[int, bytes]]:
    """The frames of a server, which come whole and without a mask. Raises ValueError for anything else."""
    found = []
    while data:
        if len(data) < 2:
            raise ValueError("half a frame")
        opcode, length, start = data[0], data[1], 2
        if opcode & 0x70 or not opcode & 0x80 or length & 0x80:
            raise ValueError(f"a frame that begins with {data[:2]!r}")
        if length > 125:
            start = 4 if length == 126 else 10
            length = int.from_bytes(data[2:start], "big")
        if len(data) < start + length:
            raise ValueError("half a frame")
        found.append((opcode & 0xF, data[start : start + length]))
        data = data[start + length :]
    return found
