"""Answers of the API: which media type the client takes, which status an outcome has, and the bytes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from starlette.types import Send

from crm_framework.engine.result import Result

from .remembering import remembered

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
EVENTS = "text/event-stream"

STATUS = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "TOO_LARGE": 413,
    "RATE_LIMITED": 429,
    "TIMEOUT": 504,
    "INTERNAL": 500,
}
"""Status by `extensions.code` where nothing was executed; every other code is 400."""

HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))

Headers = tuple[tuple[bytes, bytes], ...]


class Answer(NamedTuple):
    """A whole answer: bytes of JSON, and the headers that are not of every answer."""

    status: int
    body: bytes
    media: str
    headers: Headers = ()

    async def send(self, send: Send) -> None:
        headers = [
            *HEADERS,
            *self.headers,
            (b"content-length", b"%d" % len(self.body)),
            (b"content-type", self.media.encode()),
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Refusal(Exception):
    """A request that is answered before it reaches the engine."""

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


class Accepted(NamedTuple):
    """What a client takes: a page for people, as a browser does that opens one; a stream of events; answers
    of the media type `media`, None for neither of ours."""

    page: bool
    stream: bool
    media: str | None


@remembered(64, longest=200)
def accepted(header: bytes) -> Accepted:
    """What an Accept header means; an empty one is as good as none."""
    accept = header.decode("latin-1")
    return Accepted(accepts_page(accept), EVENTS in accept.lower(), media_type(accept))


def media_type(accept: str | None) -> str | None:
    """The media type to answer in, by the client's order of preference; None if it takes neither."""
    # A client that states nothing, or takes anything, is an old one or a person
    if accept is None or not accept.strip():
        return JSON
    best: tuple[float, int, str] | None = None
    for part in accept.split(","):
        name, quality = _quality(part)
        if quality <= 0:
            continue
        for preference, (offered, ranges) in enumerate(_OFFERED):
            if name in ranges:
                candidate = (quality, -preference, offered)
                best = max(best, candidate) if best else candidate
                break
    return best[2] if best else None


_OFFERED = ((GRAPHQL, {GRAPHQL}), (JSON, {JSON, "application/*", "*/*"}))


def accepts_page(accept: str | None) -> bool:
    """Whether the client is a browser that opens a page: it names text/html."""
    return any(
        name == "text/html" and quality > 0 for name, quality in map(_quality, (accept or "").split(","))
    )


def _quality(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, float(value)
            except ValueError:
                return name, 0.0
    return name, 1.0


def error_entry(code: str, message: str, **extensions: object) -> dict[str, Any]:
    return {"message": message, "extensions": {"code": code, **extensions}}


def answer(result: Result, media: str, headers: Headers = (), wait_s: int = 0) -> Answer:
    """The result of an operation as an answer; `wait_s` says when to try again what asked for too much.

    Status codes follow GraphQL over HTTP: 200 if anything was executed; otherwise the error's own status, but
    in `application/json` 200 again, which older clients expect of every well-formed request. Who asks for too
    much is told by 429 in both: what repeats requests looks at the status.
    """
    status = 200
    if wait_s:
        status, headers = 429, (*headers, (b"retry-after", b"%d" % wait_s))
    elif result.refused and media == GRAPHQL:
        status = STATUS.get(result.code or "", 400)
    return Answer(status, result.encoded(), media, headers)


def refused(refusal: Refusal, media: str) -> Answer:
    """The answer to a request that is none, or not allowed in: the same status in both media types."""
    body = orjson.dumps({"errors": [error_entry(refusal.code, refusal.message)]})
    headers = tuple((name.lower().encode(), value.encode()) for name, value in refusal.headers.items())
    return Answer(refusal.status, body, media, headers)
