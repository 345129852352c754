"""Answers of the API: which media type the client takes, which status an outcome has, and the bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.responses import Response

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"

STATUS = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "TOO_LARGE": 413,
    "RATE_LIMITED": 429,
    "TIMEOUT": 504,
    "INTERNAL": 500,
}
"""Status by `extensions.code` where nothing was executed; every other code is 400."""

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


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


def media_type(accept: str | None) -> str | None:
    """The media type to answer in, by the client's order of preference; None if it takes neither.

    A client that states nothing, or takes anything, is an old one or a person: it gets `application/json`.
    """
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


def answer(result: Mapping[str, Any], media: str) -> Response:
    """A GraphQL result as a response.

    Status codes follow GraphQL over HTTP: 200 if anything was executed; otherwise the error's own status, but
    in `application/json` 200 again, which older clients expect of every well-formed request.
    """
    status = 200
    if "data" not in result and media == GRAPHQL:
        status = status_of(result.get("errors", ()))
    return Response(encoded(result), status, HEADERS, media)


def status_of(errors: Sequence[Mapping[str, Any]]) -> int:
    codes = [error.get("extensions", {}).get("code") for error in errors]
    return next((STATUS[code] for code in codes if code in STATUS), 400)


def refused(refusal: Refusal, media: str) -> Response:
    """The answer to a request that is none, or not allowed in: the same status in both media types."""
    body = encoded({"errors": [error_entry(refusal.code, refusal.message)]})
    return Response(body, refusal.status, {**HEADERS, **refusal.headers}, media)


def encoded(value: Mapping[str, Any]) -> bytes:
    """JSON bytes. Integers beyond 64 bits and the like are a fault of whoever put them there."""
    return orjson.dumps(value)
