"""Streams of bytes that look like HTTP/1.1 requests, more or less."""

import json
from random import Random

from . import spoiling

_PATHS = (
    "/graphql", "/graphql", "/graphql", "/graphql", "/graphql?", "/graphql/", "/healthz", "/readyz", "/metrics", "/", "*", "//",
    "/graphql/static/", "/graphql/static/../../etc/passwd", "/graphql/static/%2e%2e/%2e%2e/x", "/nothing%0aINFO%20x", "/a%1b%5b2J",
    "/%00", "/%ff%fe", "/\u00e9", "http://127.0.0.1/graphql", "/graphql?query={me{name}}", "/graphql?query=%7B__typename%7D",
    "/graphql?query=%ff%fe", "/graphql?query={me{name}}&query={x}", "/graphql?query={me{name}}&variables=%7B", "/graphql?" + "a=b&" * 300,
    "/graphql?query=%7Bcustomers%7BtotalCount%7D%7D&operationName=%0a%1b%5b31mERROR", "/graphql?documentId=%00", "/graphql#x",
)  # fmt: skip
_METHODS = ("POST",) * 8 + ("GET",) * 5 + (
    "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT", "PRI", "post", "G\u00cbT", ""
)  # fmt: skip
_HEADERS = (
    b"Accept: text/html", b"Accept: */*;q=nan", b"Accept: " + b"a/b," * 500, b"Accept: application/graphql-response+json;q=1e999",
    b"Accept: \xff\xfe", b"Content-Type: application/json; charset=utf-16", b"Content-Type: application/json;;;=", b"Content-Type: \xff",
    b"Content-Encoding: gzip", b"Expect: 100-continue", b"Connection: keep-alive, Upgrade", b"Upgrade: websocket",
    b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nConnection: Upgrade, HTTP2-Settings", b"Sec-WebSocket-Version: 13",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99\r\nSec-WebSocket-Key: x", b"Authorization: Basic Og==",
    b"Authorization: Bearer", b"Authorization: Bearer \xff\xff", b"Authorization: Bearer crm_" + b"A" * 43, b"Authorization: Bearer " + b"x" * 9_000,
    b"X-Request-Id: a b\x7f", b"X-Request-Id: \xc3\xa9", b"X-Request-Id: " + b"9" * 64, b"Host: \xff", b"Host: a\r\nHost: b", b"Cookie: a=b",
    b"Content-Length: 0", b"Content-Length: -1", b"Content-Length: 99999999999999999999", b"Content-Length: 5, 5", b"Content-Length: \xb2",
    b"Content-Length: 0x10", b"Content-Length: 17000000", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: xchunked", b"Transfer-Encoding : chunked", b" folded: x", b"no colon", b": empty", b"A" * 3_000 + b": x",
    b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-Proto: \xff", b"Range: bytes=0-0", b"If-None-Match: *", b"If-Modified-Since: x",
)  # fmt: skip
QUERIES = (
    {"query": "{ me { name } }"},
    {"query": "query A { __typename }", "operationName": "A"},
    {"query": "query A { __typename }", "operationName": "A\n2026-11-28T00:00:00+0000 ERROR forged [-] x\x1b[31m"},
    {"query": "query ($n: Int) { customers(first: $n) { nodes { id name email tags } } }", "variables": {"n": 3}},
    {"query": "mutation ($n: String!) { createCustomer(input: {name: $n}) { customer { id } errors { code } } }", "variables": {"n": "é"}},
    {"query": "{ interactions(first: 5) { nodes { id subject customer { name } } } }", "extensions": {}},
    {"query": "subscription { events { id } }"},
    {"documentId": "sha256:" + "0" * 64},
)  # fmt: skip


def stream(rng: Random, token: str) -> bytes:
    """Some requests, one after the other, spoilt."""
    sent = b"".join(request(rng, token) for _ in range(rng.choice((1, 1, 1, 1, 2, 3, 8))))
    return spoiling.octets(rng, sent) if rng.random() < 0.5 else sent


def request(rng: Random, token: str) -> bytes:
    method, path = rng.choice(_METHODS), rng.choice(_PATHS)
    body = _body(rng) if method == "POST" or rng.random() < 0.2 else b""
    lines = [
        f"{method} {path} {rng.choice(('HTTP/1.1',) * 12 + ('HTTP/1.0', 'HTTP/2.0', 'HTTP/9', ''))}".encode()
    ]
    lines.append(b"Host: crm")
    if rng.random() < 0.85:
        lines.append(f"Authorization: Bearer {token}".encode())
    if rng.random() < 0.9:
        lines.append(b"Content-Type: application/json")
    if rng.random() < 0.25:
        lines += [rng.choice(_HEADERS) for _ in range(rng.choice((1, 1, 2, 40)))]
    if body:
        framing = rng.random()
        if framing < 0.25:
            lines.append(b"Transfer-Encoding: chunked")
            body = _chunked(rng, body)
        elif framing < 0.33:
            lines.append(b"Content-Length: %d" % max(0, len(body) + rng.choice((-3, -1, 1, 5, 1_000))))
        elif framing < 0.97:
            lines.append(b"Content-Length: %d" % len(body))
    if rng.random() < 0.5:
        lines.append(b"Connection: close")
    rng.shuffle(rest := lines[1:])
    return b"\r\n".join([lines[0], *rest]) + b"\r\n\r\n" + body


def _body(rng: Random) -> bytes:
    members = dict(rng.choice(QUERIES))
    if rng.random() < 0.2:
        members = spoiling.value(rng, members)
    body = json.dumps(members, ensure_ascii=rng.random() < 0.5).encode(errors="surrogatepass")
    return spoiling.octets(rng, body) if rng.random() < 0.3 else body


def _chunked(rng: Random, body: bytes) -> bytes:
    parts = []
    while body:
        size = min(len(body), rng.choice((1, 2, 7, 100, 5_000)))
        shown = rng.choice((b"%x", b"%x", b"%X", b"000%x", b"%x;name=value", b"%x;\xff")) % size
        if rng.random() < 0.02:
            shown = rng.choice((b"", b"-1", b"fffffffffffffffff", b"g", b"0x5", b" 5"))
        parts.append(shown + b"\r\n" + body[:size] + rng.choice((b"\r\n",) * 30 + (b"\n", b"")))
        body = body[size:]
    end = rng.choice((b"0\r\n\r\n",) * 10 + (b"0\r\nTrailer: x\r\n\r\n", b"0\r\n", b"", b"00\r\n\r\n"))
    return b"".join(parts) + end
